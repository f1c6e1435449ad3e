"""Closed classes of words, listed by hand in `data/roles.txt`: what a frequency alone gets wrong.

"not" and "the" are equally frequent; one of them must stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from compressor.chars import hash_words
from compressor.lexicon import LANGUAGES
from compressor.types import Hashes


class Role(IntEnum):
    """What a closed-class word does in its sentence."""

    NONE = 0
    NEGATION = 1
    MODAL = 2
    """must, may, can: what is required or allowed."""
    LIMIT = 3
    """if, only, unless, before: the condition a statement depends on."""
    CAUSE = 4
    """because, but, than: how two statements relate."""
    QUANTITY = 5
    """Numbers written as words, all, both, few, more."""
    QUESTION = 6
    FILLER = 7
    """Says nothing: well, really, basically, um."""
    COURTESY = 8
    """Greetings, thanks, please, apologies."""
    GLUE = 9
    """Articles, auxiliaries, prepositions, pronouns that a reader restores without thinking."""


_SALTS = np.arange(1, len(LANGUAGES) + 1, dtype=np.uint64) * np.uint64(0xA24BAED4963EE407)
"""Added to a word's hash: one sorted array holds the lists of all languages."""


def columns_of(languages: Sequence[str]) -> NDArray[np.uint8]:
    """Places in LANGUAGES."""
    return np.array([list[str](LANGUAGES).index(language) for language in languages], np.uint8)


def salted(hashes: Hashes, columns: NDArray[np.uint8]) -> Hashes:
    """Hashes of words told apart by language, given as places in LANGUAGES."""
    mixed: Hashes = hashes + _SALTS[columns]
    return mixed


def parse_roles(lines: Iterable[str]) -> dict[tuple[str, str], Role]:
    """(language, word) to role, from rows `language ROLE words`; the first row to name a word wins."""
    roles: dict[tuple[str, str], Role] = {}
    for line in lines:
        if not line.startswith("#"):
            language, role, *words = line.split()
            for word in words:
                roles.setdefault((language, word), Role[role])
    return roles


def read_roles() -> bytes:
    """The shipped lists."""
    return (files("compressor") / "data" / "roles.txt").read_bytes()


@cache
def _table() -> tuple[Hashes, NDArray[np.uint8]]:
    """Salted hashes in order, and their roles."""
    roles = parse_roles(read_roles().decode().splitlines())
    hashes = salted(hash_words([word for _, word in roles]), columns_of([language for language, _ in roles]))
    order = np.argsort(hashes)
    return hashes[order], np.array(list(roles.values()), np.uint8)[order]


def roles_of(hashes: Hashes, columns: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The role of each word in its language, given as its place in LANGUAGES."""
    keys, roles = _table()
    wanted = salted(hashes, columns)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found: NDArray[np.uint8] = np.where(keys[at] == wanted, roles[at], np.uint8(Role.NONE))
    return found

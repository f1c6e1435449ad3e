"""Tokens to words as LLMLingua-2 makes them, with their probabilities. Pure.

Probabilities stay what they are there, float32 scalars, and what is forced is a Python float: a word of
nothing but forced tokens makes NumPy count all percentiles of its chunk in float64 instead of float32. Sums
are sequential for the same reason: another order rounds otherwise.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from compressor.compat_chunks import Family, ForceTokens

Probability: TypeAlias = float | np.float32

_DIGIT = re.compile(r"\d")
_FORCED = 1.0


@dataclass(slots=True)
class Merged:
    """The words of a chunk; `probabilities` of each token of a word, `unforced` as if nothing were forced."""

    words: list[str] = field(default_factory=list)
    probabilities: list[list[Probability]] = field(default_factory=list)
    unforced: list[list[Probability]] = field(default_factory=list)


class WordRules:
    """Where words begin and what is forced, for one model and one list of force tokens."""

    def __init__(
        self, family: Family, specials: frozenset[str], forced: ForceTokens, *, reserve_digit: bool
    ) -> None:
        self._specials = specials
        self._forced = forced
        self._names = frozenset(forced.literals) | frozenset(forced.placed.values())
        self._begins, self._bare = _FAMILIES[family]
        self._reserve_digit = reserve_digit

    def merge(self, tokens: Sequence[str], probabilities: NDArray[np.float32]) -> Merged:
        """The words of a chunk. Raises IndexError where the first token goes on with a word."""
        merged = Merged()
        for token, probability in zip(tokens, probabilities, strict=True):
            if token in self._specials:
                continue
            bare = token.lstrip(self._bare)
            if self._begins(token, bare, self._names):
                shown = self._forced.show(token)
                is_forced = bare in self._names or self._has_reserved_digit(shown)
                merged.words.append(shown)
                merged.probabilities.append([_FORCED if is_forced else probability])
                merged.unforced.append([probability])
            else:
                merged.words[-1] += bare
                forced = self._has_reserved_digit(token)
                merged.probabilities[-1].append(_FORCED if forced else probability)
                # not this token's own: the package repeats that of the word's first
                merged.unforced[-1].append(merged.unforced[-1][0])
        return merged

    def _has_reserved_digit(self, token: str) -> bool:
        return self._reserve_digit and _DIGIT.search(token) is not None


def word_probabilities(of_tokens: Sequence[Sequence[Probability]], token_to_word: str) -> list[Probability]:
    """One probability a word. Raises NotImplementedError for another way than mean and first."""
    match token_to_word:
        case "mean":
            return [sum(one) / len(one) for one in of_tokens]
        case "first":
            return [one[0] for one in of_tokens]
    raise NotImplementedError(f"token_to_word is {token_to_word!r}: use mean or first")


def _begins_bert(token: str, bare: str, names: frozenset[str]) -> bool:
    return bare in names or not token.startswith("##")


def _begins_xlm_roberta(token: str, bare: str, names: frozenset[str]) -> bool:
    # any stretch of the characters in their usual order counts as punctuation: "()", "./"
    return token.startswith("▁") or token in names or token in string.punctuation


_FAMILIES: dict[Family, tuple[Callable[[str, str, frozenset[str]], bool], str]] = {
    "bert": (_begins_bert, "#"),
    "xlm-roberta": (_begins_xlm_roberta, "▁"),
}
"""Whether a token begins a word, given its bare form and the names of what is forced; what is not bare."""

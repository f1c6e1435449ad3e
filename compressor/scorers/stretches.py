"""Tokens of a text put together from those of its stretches between white space, which are remembered.

Most of what a text holds has been seen before: looking a stretch up takes a tenth of encoding it. That is
right only where a tokenizer looks at each stretch by itself, which its definition says (`is_local`), and for
texts without the characters that tie neighbours together: combining marks, control and format characters.

Law: the tokens are those of the whole text.
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, compress
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compressor.chars import codes_of
from compressor.spans import Positions, runs
from compressor.types import Bools, Ints, Spans

LONGEST: Final = 24
"""Characters of a stretch worth remembering. Sentences of Chinese are one stretch, and new every time."""
MOST_DIGITS: Final = 4
"""Of a stretch that is remembered, which has no "@" either: numbers of people and accounts have more."""
TOO_LONG: Final = 16_384
"""Characters of a stretch that no tokenizer should be given in one piece."""
MOST_TOKENS: Final = 1 << 19
"""Remembered at a time; then all are forgotten. 12 bytes each, and some 200 for each stretch: 68 MB at two
tokens a stretch of Korean. The stretches are words of prompts in the clear (docs/data.md)."""

_CUTTERS: Final = ("WhitespaceSplit", "BertPreTokenizer")
"""Pre-tokenizers that cut at white space, whatever stands on either side, and drop it."""
_WITHIN: Final = ("Punctuation", "Digits", *_CUTTERS)
"""That cut stretches further, each by itself."""
_BY_CHARACTER: Final = (
    "BertNormalizer",
    "Lowercase",
    "NFC",
    "NFD",
    "NFKC",
    "NFKD",
    "Nmt",
    "Precompiled",
    "StripAccents",
)
"""Normalizers for which white space is a wall, in texts without the characters of `_TYING`."""

Encode = Callable[[list[str]], tuple[list[Ints], list[Spans]]]
"""Strings to the ids and spans of each one's tokens."""


def is_local(definition: Any) -> bool:
    """Whether a `tokenizer.json` encodes every stretch between white space by itself."""
    cutter, *within = _steps(definition.get("pre_tokenizer"), "pretokenizers") or [{}]
    has_words = any(not token.get("special") for token in definition.get("added_tokens", []))
    return (
        cutter.get("type") in _CUTTERS
        and all(step.get("type") in _WITHIN or _is_local_metaspace(step) for step in within)
        and all(
            step.get("type") in _BY_CHARACTER for step in _steps(definition.get("normalizer"), "normalizers")
        )
        and not has_words  # they may hold white space, and are found before any cut
        and not definition["model"].get("dropout")
    )


def _steps(component: Any, parts: str) -> list[Any]:
    """A component and what it is a sequence of, in order."""
    if component is None:
        return []
    return (
        [step for part in component[parts] for step in _steps(part, parts)]
        if parts in component
        else [component]
    )


def _is_local_metaspace(step: Any) -> bool:
    """With "first", a stretch at the beginning of the text is not like the others."""
    return bool(step.get("type") == "Metaspace" and step.get("prepend_scheme", "always") != "first")


_PLAIN, _WHITE, _TYING, _DIGIT, _AT = range(5)
_TABLE_SIZE: Final = 0x20000


@cache
def _kinds() -> NDArray[np.uint8]:
    """Of each character: white space, one beside which white space may be no wall, or one of what may name
    somebody. The last is for all beyond the table."""
    kinds = np.full(_TABLE_SIZE, _PLAIN, np.uint8)
    for code in range(_TABLE_SIZE):
        char = chr(code)
        if char in "\t\n\r":
            kinds[code] = _WHITE
        elif unicodedata.category(char)[0] in "MC" or char in _SKIN_TONES:
            kinds[code] = _TYING
        elif char.isspace():
            kinds[code] = _WHITE
        elif char.isdecimal():
            kinds[code] = _DIGIT
    kinds[ord("@")] = _AT
    kinds[-1] = _TYING
    return kinds


_SKIN_TONES: Final = "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"


@dataclass(slots=True, eq=False)
class _Shelf:
    """The tokens of stretches, one after the other, and where each stretch's begin and how many they are.

    Only added to, and a place is told when what it tells of is there: reading wants no lock.
    """

    ids: Ints
    spans: Spans
    """In characters of the stretch."""
    places: dict[str, tuple[int, int]]
    n: int = 0

    @classmethod
    def empty(cls) -> _Shelf:
        return cls(np.empty(1024, np.int32), np.empty((1024, 2), np.int32), {})

    def add(self, stretch: str, ids: Ints, spans: Spans) -> None:
        """Unless it is there."""
        if stretch in self.places:
            return
        first, past = self.n, self.n + len(ids)
        if past > len(self.ids):
            self.ids, self.spans = np.resize(self.ids, 2 * past), np.resize(self.spans, (2 * past, 2))
        self.ids[first:past], self.spans[first:past] = ids, spans
        self.n = past
        self.places[stretch] = first, len(ids)


class Stretches:
    """Encodes texts by their stretches. Safe on any thread."""

    def __init__(self, encode: Encode, most_tokens: int = MOST_TOKENS) -> None:
        self._encode = encode
        self._most_tokens = most_tokens
        self._lock = threading.Lock()
        self._shelf = _Shelf.empty()

    def encode(self, text: str) -> tuple[Ints, Spans] | None:
        """The ids of a text's tokens and their spans; None if it is not to be encoded by stretches."""
        kinds = _kinds().take(codes_of(text), mode="clip")
        if (kinds == _TYING).any():
            return None
        first, past = runs(kinds != _WHITE)
        lengths = past - first
        if not len(first) or int(lengths.max()) > TOO_LONG:
            return None
        is_new = (lengths > LONGEST) | _names_somebody(kinds, first)
        if 2 * lengths[is_new].sum() > lengths.sum():
            return None
        stretches = text.split()
        ids, spans, counts = self._remembered(list(compress(stretches, (~is_new).tolist())))
        if is_new.any():
            new_ids, new_spans = self._encode(list(compress(stretches, is_new.tolist())))
            all_counts = np.empty(len(stretches), np.intp)
            all_counts[is_new], all_counts[~is_new] = [len(own) for own in new_ids], counts
            counts, is_of_new = all_counts, np.repeat(is_new, all_counts)
            ids = _woven(is_of_new, np.concatenate(new_ids), ids)
            spans = _woven(is_of_new, np.concatenate(new_spans), spans)
        return ids, spans + np.repeat(first.astype(np.int32), counts)[:, np.newaxis]

    def _remembered(self, stretches: Sequence[str]) -> tuple[Ints, Spans, Positions]:
        """The tokens of stretches, one after the other, and how many each has."""
        shelf = self._shelf
        if missing := [stretch for stretch in dict.fromkeys(stretches) if stretch not in shelf.places]:
            self._learn(missing, shelf)
        found = chain.from_iterable(map(shelf.places.__getitem__, stretches))
        first, counts = np.fromiter(found, np.intp, 2 * len(stretches)).reshape(-1, 2).T
        past = counts.cumsum()
        at = np.repeat(first - past + counts, counts) + np.arange(past[-1] if len(past) else 0)
        return shelf.ids[at], shelf.spans[at], counts

    def _learn(self, missing: list[str], shelf: _Shelf) -> None:
        learnt = zip(missing, *self._encode(missing), strict=True)
        with self._lock:
            for stretch, ids, spans in learnt:
                shelf.add(stretch, ids, spans)
            if shelf.n > self._most_tokens and shelf is self._shelf:
                self._shelf = _Shelf.empty()  # whoever reads the old one still has it


def _names_somebody(kinds: NDArray[np.uint8], first: Positions) -> Bools:
    """Which stretches may be somebody's number or address."""
    n_digits = np.add.reduceat(kinds == _DIGIT, first, dtype=np.intp)
    is_address: Bools = np.logical_or.reduceat(kinds == _AT, first)
    return (n_digits > MOST_DIGITS) | is_address


def _woven(mask: Bools, those: NDArray[np.int32], others: NDArray[np.int32]) -> NDArray[np.int32]:
    """`those` where the mask is true, `others` elsewhere, in order."""
    woven = np.empty((len(mask), *others.shape[1:]), np.int32)
    woven[mask], woven[~mask] = those, others
    return woven

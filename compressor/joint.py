"""Several texts as one, for the steps between selection and result: one pass of array arithmetic for all.

A message has some hundred words, and a call of numpy costs as much as work on a thousand. So the texts are
put one after the other, a newline that belongs to none of them behind each: no rule at the seams reaches over
a line, but for pairs, and those are found before.

Law: what comes of a text is the same whatever texts are beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from compressor import render, seams
from compressor.layout import Layout
from compressor.spans import Positions
from compressor.types import Bools, Ints, Spans, Words
from compressor.words import Flag

N = TypeVar("N", bound=np.generic)

_NEWLINE = np.array([ord("\n")], np.uint32)
_IS_NEWLINE = np.array([Flag.NEWLINE], np.uint16)
_YES = np.ones(1, np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A text's words, those selected, and those that stay whatever the seams are like: shape [n] each."""

    words: Words
    layout: Layout
    kept: Bools
    fixed: Bools


@dataclass(frozen=True, slots=True, eq=False)
class Mended:
    """The words kept after all, shape [n], and the spans of the text that they make."""

    kept: Bools
    spans: Spans


def mend(parts: Sequence[Part]) -> list[Mended]:
    """What becomes of each text at its seams. One of which nothing was dropped has none (law 1)."""
    mended: dict[int, Mended] = {}
    seamed = []
    for at, part in enumerate(parts):
        if part.kept.all():
            n = len(part.words.codes)
            mended[at] = Mended(part.kept, np.array([[0, n]], np.int32)[:n])
        else:
            seamed.append(at)
    if len(seamed) == 1:
        mended[seamed[0]] = _mend_one(parts[seamed[0]])
    elif seamed:
        mended |= zip(seamed, _mend([parts[at] for at in seamed]), strict=True)
    return [mended[at] for at in range(len(parts))]


def _mend_one(part: Part) -> Mended:
    """Half the time that it takes as one of several."""
    kept = seams.drop_orphans(part.words, part.kept, part.fixed, part.layout)
    kept = seams.keep_separators(part.words, kept, part.layout)
    return Mended(kept, render.kept_spans(part.words, kept))


def _mend(parts: Sequence[Part]) -> list[Mended]:
    joint = _Joint.of([part.words for part in parts])
    words, layout = joint.words, joint.layout([part.layout for part in parts])
    selected = _interleaved([part.kept for part in parts], _YES)
    fixed = _interleaved([part.fixed for part in parts], _YES)
    kept = seams.drop_orphans(words, selected, fixed, layout)
    has_ink = np.logical_or.reduceat(kept & words.is_ink, joint.first_words)
    kept = np.where(np.repeat(has_ink, joint.n_words), kept, selected)  # better than nothing
    kept = seams.keep_separators(words, kept, layout, joint.last_words)
    spans = joint.split(render.kept_spans(words, kept, joint.last_words))
    first, past = joint.first_words.tolist(), joint.last_words.tolist()
    return [Mended(kept[a:b], own) for a, b, own in zip(first, past, spans, strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class _Joint:
    """The words of all texts, the newline behind each among them; the other arrays are per text."""

    words: Words
    n_words: Positions
    first_words: Positions
    last_words: Positions
    """The newlines."""
    first_characters: Ints
    last_characters: Ints

    @classmethod
    def of(cls, texts: Sequence[Words]) -> _Joint:
        sizes = np.array([len(words.codes) for words in texts], np.int32)
        n_words = np.array([1 + len(words) for words in texts])
        past_words, past_characters = n_words.cumsum(), (1 + sizes).cumsum(dtype=np.int32)
        shift = np.repeat(past_characters - sizes - 1, n_words)
        words = Words(
            _interleaved([words.codes for words in texts], _NEWLINE),
            _interleaved([words.starts for words in texts], sizes) + shift,
            _interleaved([words.ends for words in texts], sizes + 1) + shift,
            _interleaved([words.flags for words in texts], _IS_NEWLINE),
        )
        return cls(
            words,
            n_words,
            past_words - n_words,
            past_words - 1,
            past_characters - sizes - 1,
            past_characters - 1,
        )

    def layout(self, layouts: Sequence[Layout]) -> Layout:
        """Indices of words in all texts."""
        pairs = np.repeat(self.first_words, [len(layout.opening) for layout in layouts])
        lines = np.repeat(self.first_words, [len(layout.first) for layout in layouts])
        return Layout(
            np.concatenate([layout.opening for layout in layouts]) + pairs,
            np.concatenate([layout.closing for layout in layouts]) + pairs,
            np.concatenate([layout.first for layout in layouts]) + lines,
            np.concatenate([layout.past for layout in layouts]) + lines,
        )

    def split(self, spans: Spans) -> list[Spans]:
        """The spans of each text, in characters of its own, without the newline behind it: that is kept."""
        pieces = np.empty((len(spans) + len(self.last_characters), 2), np.int32)
        pieces[:, 0] = np.sort(np.concatenate((spans[:, 0], self.last_characters + 1)))
        pieces[:, 1] = np.sort(np.concatenate((spans[:, 1], self.last_characters)))
        pieces = pieces[pieces[:, 0] < pieces[:, 1]]
        cuts = pieces[:, 0].searchsorted(self.last_characters)
        pieces -= np.repeat(self.first_characters, np.diff(cuts, prepend=0))[:, np.newaxis]
        return np.split(pieces, cuts[:-1])


def _interleaved(arrays: Sequence[NDArray[N]], behind: NDArray[N]) -> NDArray[N]:
    """The arrays one after the other, an element of `behind`, the same or its own, behind each."""
    ends = [behind] * len(arrays) if len(behind) == 1 else np.split(behind, len(arrays))
    return np.concatenate([array for pair in zip(arrays, ends, strict=True) for array in pair])

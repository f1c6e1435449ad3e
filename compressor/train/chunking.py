"""Documents → chunks of the size a teacher compresses well, cut where a sentence ends.

Asked to compress much at once, a teacher summarises: LLMLingua-2's kept a twentieth of whole transcripts, and
two fifths of them in pieces. A chunk ends at the last blank line that its size allows, else the last end of a
sentence or line, else of a clause, else anywhere between units.

Laws: chunks are slices of the text, in order, that hold all of its units; none is longer than its language's
most, and none under half of that, unless the whole text is. Pure; every text will do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from compressor.train.units import is_by_character

_CLOSERS = r"\"'”’»)\]}」』）】》〉*_`"
_SENTENCE = re.compile(rf"[.!?…。！？][{_CLOSERS}]*$")
_CLAUSE = re.compile(rf"[,;:、，；：][{_CLOSERS}]*$")
_CLOSER = re.compile(rf"[.!?…。！？、，；：{_CLOSERS}]")
_TAIL = 8
"""Characters of a unit that tell how it ends."""

INSIDE, NOWHERE, CLAUSE, SENTENCE, PARAGRAPH = range(5)
"""What ends after a unit, from worst to best place for a cut. Inside: within a number or name among Han
characters, or before a mark that closes."""


@dataclass(frozen=True, slots=True)
class Size:
    """Units of a chunk."""

    least: int
    most: int


_WORDS = Size(120, 210)
_CHARACTERS = Size(260, 420)
SIZES: Mapping[str, Size] = {"ko": Size(80, 150), "zh": _CHARACTERS, "ja": _CHARACTERS}
"""By language, about the same number of tokens. Others are written in words."""


def size_of(language: str) -> Size:
    return SIZES.get(language.split("-")[0], _WORDS)


def chunks_of(text: str, language: str) -> list[str]:
    """The text's chunks, in order."""
    pattern = r"\S" if is_by_character(language) else r"\S+"
    spans = [match.span() for match in re.finditer(pattern, text)]
    ends = [*(_ending(text, here, there) for here, there in pairwise(spans)), PARAGRAPH]
    size = size_of(language)
    chunks = []
    at = 0
    while at < len(spans):
        end = _cut(ends, at, size)
        chunks.append(text[spans[at][0] : spans[end - 1][1]])
        at = end
    return chunks


def _cut(ends: Sequence[int], at: int, size: Size) -> int:
    """Where the chunk that begins at `at` ends: the last of the best places in reach."""
    n_left = len(ends) - at
    if n_left <= size.most:
        return len(ends)
    least = min(size.least, n_left // 2)
    most = min(size.most, n_left - least)  # what is left after it is a chunk too
    return max(range(at + least, at + most + 1), key=lambda end: (ends[end - 1], end))


def _ending(text: str, here: tuple[int, int], there: tuple[int, int]) -> int:
    """What ends between two units that follow each other."""
    gap = text[here[1] : there[0]]
    if (n_lines := gap.count("\n")) > 0:
        return PARAGRAPH if n_lines > 1 else SENTENCE
    last, first = text[here[1] - 1], text[there[0]]
    if not gap and (_CLOSER.match(first) or (last.isascii() and first.isascii())):
        return INSIDE
    tail = text[max(0, here[1] - _TAIL) : here[1]]
    if _SENTENCE.search(tail) and not first.islower():
        return SENTENCE
    return CLAUSE if _CLAUSE.search(tail) else NOWHERE

"""In-text marks: what the author of a text asks for inside it. Marks are always cut out of what goes on.

    <pith keep>…</pith>                        byte-equal
    <pith rate="0.3">…</pith>                  at this rate
    <llmlingua, rate=0.3, compress=True>…</llmlingua>    the spelling of LLMLingua; compress=False keeps

Marks do not nest. A tag without its partner, or with anything else in it, is ordinary text. The laws are
stated on the text without its marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from compressor.render import slice_text
from compressor.spans import merged
from compressor.types import Spans, Words

_OPEN = re.compile(
    r"<pith\s+(?:(?P<keep>keep)|rate=\"(?P<rate>\d*\.?\d+)\")\s*>"
    r"|<llmlingua(?:,\s*rate=(?P<lrate>\d*\.?\d+))?(?:,\s*compress=(?P<compress>True|False))?\s*>"
)
_CLOSE = {"<p": "</pith>", "<l": "</llmlingua>"}


@dataclass(frozen=True, slots=True)
class Region:
    """A marked stretch, in characters of the text without marks. `rate` None: keep byte-equal."""

    start: int
    end: int
    rate: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Marked:
    """A text with its marks taken out: `visible` are the spans of the original that make `text`."""

    text: str
    visible: Spans
    regions: tuple[Region, ...] = ()

    def original(self, spans: Spans) -> Spans:
        """Spans of `text` as spans of the original, which still has its marks."""
        if not len(self.visible):
            return spans
        starts, lengths = self.visible[:, 0], self.visible[:, 1] - self.visible[:, 0]
        begins = lengths.cumsum() - lengths  # of each visible stretch, in `text`
        pieces = np.stack([np.sort(np.append(edges, begins)) for edges in spans.T], axis=1)  # cut there
        pieces = pieces[pieces[:, 0] < pieces[:, 1]]
        host = begins.searchsorted(pieces[:, 0], side="right") - 1
        return merged((pieces + (starts - begins)[host, np.newaxis]).astype(np.int32))


def read(text: str) -> Marked:
    """Find the marks of `text` and take them out."""
    visible: list[tuple[int, int]] = []
    regions: list[Region] = []
    done = length = 0
    unclosed = set()
    for tag in _OPEN.finditer(text) if "<pith" in text or "<llmlingua" in text else ():
        rate = _rate(tag)
        close = _CLOSE[tag.group()[:2]]
        if tag.start() < done or rate == "bad" or close in unclosed:
            continue
        end = text.find(close, tag.end())
        if end < 0:
            unclosed.add(close)  # nor will any tag further on: looked for once, reading is linear
            continue
        visible += [(done, tag.start()), (tag.end(), end)]
        begin = length + tag.start() - done
        length = begin + end - tag.end()
        done = end + len(close)
        if rate != "default":
            assert not isinstance(rate, str)
            regions.append(Region(begin, length, rate))
    visible.append((done, len(text)))
    spans = merged(np.array(visible, np.int32).reshape(-1, 2))
    return Marked(slice_text(text, spans) if regions or done else text, spans, tuple(regions))


def stretches(words: Words, regions: Sequence[Region]) -> Iterator[tuple[int, int, float | None]]:
    """Of each region that has words the first, the one past its last, and the rate."""
    bounds = np.array([(region.start, region.end) for region in regions], np.int32).reshape(-1, 2)
    firsts = words.ends.searchsorted(bounds[:, 0], side="right").tolist()
    pasts = words.starts.searchsorted(bounds[:, 1], side="left").tolist()
    for region, first, past in zip(regions, firsts, pasts, strict=True):
        if first < past:
            yield first, past, region.rate


def _rate(tag: re.Match[str]) -> float | str | None:
    """The rate a tag asks for; None to keep; "default" for the policy's own; "bad" when out of range."""
    if tag["keep"] or tag["compress"] == "False":
        return None
    asked = tag["rate"] or tag["lrate"]
    if asked is None:
        return "default"
    return float(asked) if 0.0 < float(asked) <= 1.0 else "bad"

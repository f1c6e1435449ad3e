"""compressor.marks: what is read as a mark, what is left as text, and the way back to the original."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor.marks import Region, read, stretches
from compressor.render import slice_text
from compressor.words import split


@pytest.mark.parametrize(
    ("text", "visible", "regions"),
    [
        ("no marks < here", "no marks < here", ()),
        ("a <pith keep>bcd</pith> e", "a bcd e", (Region(2, 5, None),)),
        ('<pith rate="0.3">x y</pith>z', "x yz", (Region(0, 3, 0.3),)),
        ('<pith rate=".25">x</pith>', "x", (Region(0, 1, 0.25),)),
        ("<llmlingua, rate=0.3, compress=True>x</llmlingua>", "x", (Region(0, 1, 0.3),)),
        ("<llmlingua, compress=False>x</llmlingua>", "x", (Region(0, 1, None),)),
        ("<llmlingua>x</llmlingua>", "x", ()),
        ("<pith keep>a</pith><pith keep>b</pith>", "ab", (Region(0, 1, None), Region(1, 2, None))),
        ("<pith keep>never closed", "<pith keep>never closed", ()),
        ('<pith rate="7">x</pith>', '<pith rate="7">x</pith>', ()),
        ('<pith rate="0">x</pith>', '<pith rate="0">x</pith>', ()),
        ("<pith keep><pith keep>x</pith></pith>", "<pith keep>x</pith>", (Region(0, 12, None),)),
        ("<pith other>x</pith>", "<pith other>x</pith>", ()),
    ],
)
def test_reading(text: str, visible: str, regions: tuple[Region, ...]) -> None:
    marked = read(text)
    assert (marked.text, marked.regions) == (visible, regions)
    assert slice_text(text, marked.visible) == visible


@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", ["<pith keep>", "<llmlingua>", "<pith keep>a</pith><llmlingua>"])
def test_reading_is_linear(unit: str) -> None:
    """What closes no more is looked for once: minutes for a megabyte of such tags, otherwise."""
    text = unit * 100_000
    assert len(read(text).text) in (len(text), len(text) - 100_000 * len("<pith keep></pith>"))


def test_stretches_are_the_words_that_regions_overlap() -> None:
    words = split("one two  three.")
    regions = [Region(1, 5, 0.3), Region(8, 9, None), Region(9, 9, None), Region(13, 15, 0.5)]
    assert list(stretches(words, regions)) == [(0, 2, 0.3), (2, 4, 0.5)]
    assert list(stretches(words, [])) == []


pieces = st.lists(
    st.sampled_from(
        ["<pith keep>", "</pith>", '<pith rate="0.5">', "ab ", "한글", "<llmlingua>", "</llmlingua>"]
    )
)


@given(pieces.map("".join), st.lists(st.booleans(), min_size=80, max_size=80))
def test_spans_of_the_visible_text_lead_back_to_the_original(text: str, flips: list[bool]) -> None:
    marked = read(text)
    kept = [i for i in range(len(marked.text)) if flips[i % 80]]
    spans = np.array([(i, i + 1) for i in kept], np.int32).reshape(-1, 2)
    assert slice_text(text, marked.original(spans)) == "".join(marked.text[i] for i in kept)

"""compressor.joint: what comes of a text at its seams is the same whatever texts are beside it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from compressor.joint import Mended, Part, mend
from compressor.layout import Layout
from compressor.render import kept_spans, slice_text
from compressor.seams import drop_orphans, keep_separators
from compressor.types import Bools
from compressor.words import split
from tests.compressor.texts import texts

marked = st.lists(st.sampled_from([*'()[]"*.,;:-> \n가3至a', "word", "  ", " ("]), max_size=30).map("".join)


def mask(n: int, seed: int, share: float) -> Bools:
    return np.random.default_rng(seed).random(n) < share


def part(text: str, seed: int, share: float) -> Part:
    words = split(text)
    fixed = mask(len(words), seed + 1, 0.1)
    return Part(words, Layout.of(words), mask(len(words), seed, share) | fixed, fixed)


def alone(one: Part) -> Mended:
    """The steps as they are written for one text."""
    kept = one.kept
    if not kept.all():
        kept = drop_orphans(one.words, kept, one.fixed, one.layout)
        kept = keep_separators(one.words, kept, one.layout)
    return Mended(kept, kept_spans(one.words, kept))


@example([("(a) ", 1, 0.1), ("b (", 2, 0.4), (". c", 3, 0.5)])
@given(st.lists(st.tuples(st.one_of(texts, marked), st.integers(0, 99), st.sampled_from([0.1, 0.5, 0.9]))))
def test_neighbours_are_no_input(drawn: list[tuple[str, int, float]]) -> None:
    parts = [part(*one) for one in drawn]
    for (text, _, _), one, mended in zip(drawn, parts, mend(parts), strict=True):
        expected = alone(one)
        assert mended.kept.tolist() == expected.kept.tolist()
        assert mended.spans.tolist() == expected.spans.tolist()
        assert mended.spans.dtype == expected.spans.dtype
        assert slice_text(text, mended.spans) == slice_text(text, expected.spans)


@pytest.mark.parametrize("texts", [[], [""], ["", "a", ""]])
def test_nothing_dropped_is_no_seam(texts: list[str]) -> None:
    parts = [part(text, 0, 1.0) for text in texts]
    assert [slice_text(text, one.spans) for text, one in zip(texts, mend(parts), strict=True)] == texts

"""The compressor's laws, for any text, any parameters and any scores a scorer may give."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from compressor.flow import ScoreRequest, flow, whole
from compressor.keep import forced
from compressor.params import CompressionParams, Protect, RateStep
from compressor.render import slice_text
from compressor.segments import segments
from compressor.spans import protected_mask
from compressor.tokens import counter
from compressor.types import Compressed, Scores, Words
from compressor.words import Flag, split
from tests.compressor.texts import clean_texts, texts

protects = st.builds(
    Protect,
    head_tokens=st.integers(0, 8),
    tail_tokens=st.integers(0, 8),
    code=st.booleans(),
    json=st.booleans(),
    urls=st.booleans(),
    tables=st.booleans(),
    tags=st.booleans(),
    patterns=st.sampled_from([(), (r"budget\s+\w+",), ("예산.", "[A-Z]{3,}")]),
)
params = st.builds(
    CompressionParams,
    rate=st.floats(0.05, 1.0),
    rates=st.sampled_from([(), (RateStep(0.9, 20), RateStep(0.3))]),
    target_tokens=st.none() | st.integers(1, 60),
    threshold=st.none() | st.floats(0.0, 1.0),
    min_rate=st.floats(0.0, 0.4),
    max_rate=st.floats(0.5, 1.0),
    structure_guard=st.booleans(),
    protect=protects,
    force_tokens=st.sampled_from([(), ("\n",), ("\n", "?"), ("meeting", "\n\n", "이")]),
    force_reserve_digit=st.booleans(),
    drop_consecutive=st.booleans(),
    marks=st.booleans(),
    tokenizer=st.sampled_from(["o200k_base", "cl100k_base"]),
)


def scored(words: Words, seed: int) -> Scores:
    """Any scorer's scores: a function of the words alone, ties among them."""
    mixed = words.hashes ^ np.uint64(seed)
    return (mixed % np.uint64(97) * np.uint64(42)).astype(np.uint16)


def compress(text: str, asked: CompressionParams, seed: int = 0) -> Compressed:
    steps = flow(text, asked)
    try:
        request: ScoreRequest = next(steps)
        steps.send(scored(request.words, seed))
    except StopIteration as stop:
        result: Compressed = stop.value
        return result
    raise AssertionError("a flow asks once")


def is_subsequence(short: str, long: str) -> bool:
    rest: Iterator[str] = iter(long)
    return all(char in rest for char in short)


@example("the\n> ", CompressionParams(), 0)
@given(texts, params, st.integers(0, 9))
def test_law_1_rate_one_is_the_identity(text: str, asked: CompressionParams, seed: int) -> None:
    identity = replace(
        asked, rate=1.0, rates=(), target_tokens=None, threshold=None, drop_consecutive=False, marks=False
    )
    assert compress(text, identity, seed).text == text


@given(texts, params, st.integers(0, 9))
def test_law_2_output_is_what_was_kept_of_the_input(text: str, asked: CompressionParams, seed: int) -> None:
    result = compress(text, asked, seed)
    assert result.text == slice_text(text, result.kept)
    assert is_subsequence(result.text, text)
    assert (np.diff(result.kept.reshape(-1)) > 0).all()


@given(texts, params, st.integers(0, 9))
def test_law_2_protected_and_forced_survive_whole(text: str, asked: CompressionParams, seed: int) -> None:
    asked = replace(asked, marks=False, drop_consecutive=False)
    result = compress(text, asked, seed)
    covered = np.zeros(len(text) + 1, np.bool_)
    for start, end in result.kept.tolist():
        covered[start:end] = True
    words = split(text)
    spans = segments(text, words, asked.protect)
    for start, end in spans:
        assert covered[start:end].all(), text[start:end]
    must = forced(text, words, asked) | protected_mask(words, spans)
    for start, end in zip(words.starts[must], words.ends[must], strict=True):
        assert covered[start:end].all(), text[start:end]


@given(clean_texts, params, st.integers(0, 9))
def test_law_2_every_number_stays_whole(text: str, asked: CompressionParams, seed: int) -> None:
    asked = replace(asked, force_reserve_digit=True, marks=False)
    kept = compress(text, asked, seed).text
    numbers = re.findall(r"\d+(?:[.,:]\d+)*", text)
    rest = kept
    for number in numbers:
        at = rest.find(number)
        assert at >= 0, f"{number} is gone, or out of order"
        rest = rest[at + len(number) :]


@given(texts, params, st.integers(0, 9))
def test_law_2_every_newline_stays_when_forced(text: str, asked: CompressionParams, seed: int) -> None:
    asked = replace(asked, force_tokens=("\n",), drop_consecutive=False, marks=False)
    assert compress(text, asked, seed).text.count("\n") == text.count("\n")


@given(texts, params, st.integers(0, 9))
def test_law_3_same_text_same_bytes(text: str, asked: CompressionParams, seed: int) -> None:
    one, two = compress(text, asked, seed), compress(text, asked, seed)
    assert (one.text, one.skip, one.origin_tokens) == (two.text, two.skip, two.origin_tokens)


@given(texts, params, st.integers(0, 9))
def test_law_9_never_more_tokens_than_the_input(text: str, asked: CompressionParams, seed: int) -> None:
    asked = replace(asked, marks=False)
    result = compress(text, asked, seed)
    count = counter(asked.tokenizer).count
    assert result.origin_tokens == count(text)
    assert result.compressed_tokens == count(result.text) <= result.origin_tokens
    assert (result.skip is not None) == (result.text == text)


@given(texts, params, st.integers(0, 9))
def test_letters_and_digits_never_grow_together(text: str, asked: CompressionParams, seed: int) -> None:
    asked = replace(asked, marks=False)
    result = compress(text, asked, seed)
    known = set(split(text).hashes.tolist())
    words = split(result.text)
    for hash_, flag in zip(words.hashes.tolist(), words.flags.tolist(), strict=True):
        if flag & (Flag.HAS_LETTER | Flag.HAS_DIGIT) and not flag & (Flag.CJK | Flag.INNER):
            assert hash_ in known, "a word of the output that the input does not have"


@given(texts, params)
def test_a_text_left_whole_is_whole(text: str, asked: CompressionParams) -> None:
    result = whole(text, replace(asked, marks=False), "deadline")
    assert (result.text, result.skip) == (text, "deadline")
    assert slice_text(text, result.kept) == text


@pytest.mark.parametrize("skip_at", [{"min_tokens": 1000}, {"protect": Protect(head_tokens=1000)}])
def test_short_texts_are_left_whole(skip_at: dict[str, object]) -> None:
    result = compress("a few words only", replace(CompressionParams(), **skip_at))  # type: ignore[arg-type]  # a case's fields
    assert (result.text, result.skip) == ("a few words only", "short")


def test_marked_stretches_have_rates_of_their_own() -> None:
    filler = "the quick brown fox jumps over the lazy dog again and again "
    text = f'{filler}<pith keep>{filler}</pith><pith rate="0.2">{filler}</pith>{filler}'
    result = compress(text, CompressionParams(rate=1.0, marks=True))
    assert result.text.startswith(filler + filler)
    assert "<" not in result.text
    assert 3 * len(filler) < len(result.text) < 4 * len(filler)
    assert slice_text(text, result.kept) == result.text

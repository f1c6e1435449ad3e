"""gateway.recorded: what was recorded comes back; what does not fit is a miss; subjects name versions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor import CompressionParams
from compressor.analysis import Weights
from compressor.types import SCORE_ONE
from gateway.recorded import (
    contents_subject,
    findings_subject,
    pack_scores,
    pack_weights,
    read_scores,
    read_weights,
    weights_subject,
)

PARAMS = CompressionParams()


@given(st.lists(st.integers(0, SCORE_ONE)))
def test_scores_come_back(values: list[int]) -> None:
    packed = pack_scores(np.array(values, np.uint16))
    scores = read_scores(packed, len(values))
    assert scores is not None
    assert scores.dtype == np.uint16
    assert scores.tolist() == values
    assert read_scores(packed, len(values) + 1) is None


@pytest.mark.parametrize("value", [None, b"", b"1", b"2\0\0", b"1\xff\xff"])
def test_other_scores_are_a_miss(value: bytes | None) -> None:
    assert read_scores(value, 1) is None


@given(st.lists(st.integers(0, 300) | st.integers(0, 100_000)), st.integers(0, 5))
def test_weights_come_back(values: list[int], more: int) -> None:
    weights = read_weights(pack_weights(Weights(sum(values) + more, np.array(values, np.int32))))
    assert weights is not None
    assert (weights.origin_tokens, weights.of_words.tolist()) == (sum(values) + more, values)
    assert weights.of_words.dtype == np.int32


def test_weights_are_a_byte_each_as_a_rule() -> None:
    assert len(pack_weights(Weights(255, np.array([255, 0], np.int32)))) == 5 + 2
    assert len(pack_weights(Weights(256, np.array([256, 0], np.int32)))) == 5 + 8


@pytest.mark.parametrize(
    "value", [None, b"", b"\1\0\0\0", b"\2\\9\0\0\0\1\1", b"\4\\9\0\0\0\1\1", b"\1\1\0\0\0\1\1"]
)
def test_other_weights_are_a_miss(value: bytes | None) -> None:
    assert read_weights(value) is None


def test_subjects_name_what_things_depend_on() -> None:
    other_tokenizer = replace(PARAMS, tokenizer="cl100k_base")
    other_force = replace(PARAMS, force_tokens=("?",))
    assert findings_subject(PARAMS) == findings_subject(other_tokenizer) != findings_subject(other_force)
    other_protection = replace(PARAMS, protect=replace(PARAMS.protect, urls=False))
    assert contents_subject(PARAMS) == contents_subject(other_protection) != contents_subject(other_force)
    assert findings_subject(PARAMS) != findings_subject(other_protection)
    assert weights_subject(PARAMS) == weights_subject(other_force) != weights_subject(other_tokenizer)

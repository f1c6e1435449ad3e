"""Golden bytes: the same text gives the same bytes for ever, within one engine epoch (law 3).

A failure here means that an upgrade would rewrite conversations under way. If the change is meant, raise
`analysis.ENGINE_EPOCH` and take the new digests from the failure.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from compressor.analysis import ENGINE_EPOCH
from compressor.flow import flow
from compressor.params import CompressionParams, Protect, RateStep
from compressor.types import Compressed
from gateway.demo.conversation import text
from tests.fakes import LengthScorer

EPOCH = "2"
CASES = {
    "half": CompressionParams(rate=0.5),
    "default": CompressionParams(rate=0.6, protect=Protect(head_tokens=64, tail_tokens=128)),
    "budget": CompressionParams(target_tokens=300, force_tokens=("\n", "?"), drop_consecutive=True),
    "threshold": CompressionParams(threshold=0.4, max_rate=0.7, tokenizer="cl100k_base"),
    "table": CompressionParams(rates=(RateStep(0.9, 500), RateStep(0.3)), force_tokens=()),
}
GOLDEN = {
    "meeting": "09d6fa8c7c5c84f7",
    "document": "4dafc7b431041bd0",
    "tool_result": "6038a093f02b9dae",
    "meeting_ko": "2399ded6e221f607",
}


def compressed(name: str, params: CompressionParams) -> str:
    scorer = LengthScorer()
    steps = flow(text(name), params)
    try:
        request = next(steps)
        chunks = scorer.encode(request.text, request.words)
        steps.send(scorer.merge(request.words, chunks, scorer.forward(chunks)))
    except StopIteration as stop:
        result: Compressed = stop.value
        assert np.diff(result.kept.reshape(-1)).min() > 0
        return result.text
    raise AssertionError("a flow asks once")


@pytest.mark.parametrize("name", GOLDEN)
def test_bytes_of_an_epoch_never_change(name: str) -> None:
    digest = hashlib.sha256("\0".join(compressed(name, params) for params in CASES.values()).encode())
    assert (ENGINE_EPOCH, digest.hexdigest()[:16]) == (EPOCH, GOLDEN[name])

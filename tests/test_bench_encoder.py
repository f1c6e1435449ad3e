"""That the comparison with transformers runs, and that both sides are given the same rows."""

from __future__ import annotations

from dataclasses import replace

import torch

from compressor.scorers.encoder import Encoder
from compressor.scorers.shapes import SHAPES
from tests.bench_encoder import LONG, SHORT, measured, one_layer, ours, theirs

TINY = replace(
    SHAPES["mbert"],
    config={
        **SHAPES["mbert"].config,
        "hidden_size": 24,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "num_hidden_layers": 3,
    },
)


def test_every_precision_is_timed() -> None:
    for lengths in (LONG, SHORT):
        speeds = measured(TINY, lengths, 1)
        assert list(speeds) == ["transformers", "fp32", "bf16", "int8"]
        assert min(speeds.values()) > 0


def test_both_sides_are_asked_the_same() -> None:
    torch.manual_seed(3)
    model = one_layer(TINY)
    with torch.inference_mode():
        padded = theirs(model, SHORT)().logits[:, :62].flatten(0, 1)
        packed = ours(Encoder(model, torch.device("cpu"), "fp32"), SHORT)()
    torch.testing.assert_close(packed, padded, atol=2e-5, rtol=0)

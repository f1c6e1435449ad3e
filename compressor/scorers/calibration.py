"""Which precision a model runs in, and how much at a time: measured at load, a second or two.

Law: no precision is taken that decides otherwise. Every way to run a model is compared with transformers' own
fp32 on a sample; the fastest is taken whose scores are within its bound. What is timed is one layer, of which
the others are copies.

Time is the processor's, so that others on the machine do not decide it, and a precision must be faster by a
margin to be taken instead of a more exact one: a restart chooses as before.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from compressor.errors import ModelError
from compressor.scorers.attention import Pass
from compressor.scorers.encoder import Encoder, fits
from compressor.scorers.gpu import OnGpu, gpu_precision, has_varlen
from compressor.scorers.linear import has_bf16, has_int8
from compressor.scorers.passes import Packed, Padded, Passes, Score, places
from compressor.types import Ints

_log = logging.getLogger(__name__)

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
PRECISIONS = (*DTYPES, "int8")

BOUNDS = {"fp32": 1e-3, "bf16": 0.02, "fp16": 0.01, "int8": 0.03}
"""How far scores may be off on average. Beyond that something is wrong: overflow, weights that do not take
rounding, or a model that our encoder only seems to know."""

_MARGIN = 1.2
"""How much faster a less exact precision must be."""
_TRIES = 3
_ROW_TOKENS = 512
_ROWS = (1, 4)
"""Rows of a pass that are tried."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A row of tokens of ordinary text, and what makes scores of logits."""

    row: Ints
    score: Score


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """How the model runs, in which precision, how far its scores are off fp32 on average, and tokens a second
    by precision where that was measured."""

    passes: Passes
    precision: str
    off: float
    speeds: Mapping[str, float] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """In one line, for the log."""
        speeds = ", ".join(f"{name} {round(speed):,}" for name, speed in self.speeds.items())
        measured = f"; tokens a second of processor time: {speeds}" if speeds else ""
        return f"{self.precision}, scores off fp32 by {self.off:.4f} on average{measured}"


def choose(model: Any, pad_id: int, sample: Sample, device: torch.device, precision: str) -> Chosen:
    """How to run `model`, which is transformers' own in fp32 on the CPU. Raises ModelError."""
    exact = Padded(model, pad_id).run([sample.row], sample.score)[0]
    if not np.isfinite(exact).all():
        raise ModelError("the model's scores of a sample text are not numbers: fetch its weights again")
    if not fits(model.config) or not _is_ours(device, precision):
        return _as_it_is(model, pad_id, device, precision)
    speeds = _speeds(model) if (precision, device.type) == ("auto", "cpu") else {}
    tried = {}
    for name in _order(speeds) or [gpu_precision(device) if precision == "auto" else precision]:
        try:
            passes = _passes(model, device, name)
        except RuntimeError as error:  # no kernel for this GPU or this size of head
            if device.type == "cpu":
                raise
            _log.warning("the model runs on %s as transformers has it: %s", device, type(error).__name__)
            return _as_it_is(model, pad_id, device, precision)
        off = float(np.abs(passes.run([sample.row], sample.score)[0] - exact).mean())
        if off <= BOUNDS[name]:  # NaN is not
            return Chosen(passes, name, off, speeds)
        tried[name] = round(off, 4)
    if precision in ("auto", "fp32"):  # a model that only seems to be of these families
        return _as_it_is(model, pad_id, device, "fp32")
    raise ModelError(
        f"precision is {precision!r}: on a sample text scores are off fp32 by {tried}, at most "
        f"{BOUNDS[precision]} is let through: use auto or fp32"
    )


def _is_ours(device: torch.device, precision: str) -> bool:
    """On a GPU our encoder wants a kernel that there is for bf16 and fp16 alone, from Ampere on."""
    return device.type == "cpu" or (has_varlen(device) and precision in ("auto", "bf16", "fp16"))


def _as_it_is(model: Any, pad_id: int, device: torch.device, precision: str) -> Chosen:
    """By transformers' own forward pass."""
    if precision == "int8":
        raise ModelError("precision is 'int8', which is for BERT, RoBERTa and XLM-RoBERTa: use auto")
    if precision == "auto":
        precision = "fp32" if device.type == "cpu" else gpu_precision(device)
    placed = model.to(device, DTYPES[precision])
    return Chosen(Padded(placed, pad_id), precision, 0.0)


def _passes(model: Any, device: torch.device, precision: str) -> Passes:
    encoder = Encoder(model, device, precision)
    if device.type == "cuda":
        return OnGpu(encoder, device)
    return Packed(encoder, _ROW_TOKENS * _rows_a_pass(model, precision))


def _order(speeds: Mapping[str, float]) -> list[str]:
    """The precision to take first, then the more exact ones."""
    order: list[str] = []
    for name, speed in speeds.items():
        if not order or speed > _MARGIN * speeds[order[0]]:
            order.insert(0, name)
    return order


def _speeds(model: Any) -> dict[str, float]:
    """Tokens a second of processor time, most exact first."""
    known = {"fp32": True, "bf16": has_bf16(), "int8": has_int8()}
    return {name: _speed(model, name, 1) for name, is_there in known.items() if is_there}


def _rows_a_pass(model: Any, precision: str) -> int:
    """Few: what more rows bring must be worth what the first of them waits."""
    few, many = (_speed(model, precision, n_rows) for n_rows in _ROWS)
    return _ROWS[many > _MARGIN * few]


def _speed(model: Any, precision: str, n_rows: int) -> float:
    """Of the whole model, by that of its first layer."""
    encoder = Encoder(model, torch.device("cpu"), precision, n_layers=1)
    length = min(_ROW_TOKENS, encoder.longest)
    lengths = (length,) * n_rows
    ids = torch.zeros(n_rows * length, dtype=torch.int64)
    rows = Pass(ids, torch.from_numpy(places(lengths, encoder.first_place)), lengths)
    encoder.logits(rows)
    took = min(_seconds(encoder, rows) for _ in range(_TRIES))
    return float(len(ids) / took / model.config.num_hidden_layers)


def _seconds(encoder: Encoder, rows: Pass) -> float:
    began = time.process_time()
    encoder.logits(rows)
    return max(time.process_time() - began, 1e-9)

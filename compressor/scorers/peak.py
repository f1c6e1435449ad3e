"""What the device can multiply at best, measured; and what a model asks of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from compressor.scorers.linear import Int8, Packed, Plain, packs_weights

_TRIES = 5


def operations(config: Any, row_tokens: int) -> float:
    """Multiplications and additions a token of an encoder's layers, in rows of so many tokens."""
    hidden, inner = config.hidden_size, config.intermediate_size
    linear = 4 * hidden * hidden + 2 * hidden * inner
    return float(2 * config.num_hidden_layers * (linear + 2 * hidden * row_tokens))


def matmul_peak(device: str, precision: str) -> float:
    """Operations a second of a large product, the best of a few."""
    size = 1024 if device == "cpu" else 8192
    multiply = _product(size, torch.device(device), precision)
    with torch.inference_mode():
        multiply()
        return max(2 * size**3 / _seconds(multiply, device) for _ in range(_TRIES))


def _product(size: int, device: torch.device, precision: str) -> Callable[[], object]:
    """On a CPU as the encoder multiplies: no other way is faster."""
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    if precision == "int8":
        rounded = Int8(right, right[0], torch.float32)
        return partial(rounded.products, torch.randint(0, 255, (size, size), dtype=torch.uint8))
    kind = Packed if device.type == "cpu" and packs_weights(dtype) else Plain
    return partial(kind(right, right[0]), left)


def _seconds(work: Callable[[], object], device: str) -> float:
    began = time.perf_counter()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - began

"""Attention over rows laid end to end: every token's mix of the values of its own row.

`mixed` holds queries, keys and values of all tokens side by side, queries scaled already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

import torch


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """The rows of one forward pass: ids and positions of all tokens; the rows' lengths, or on a GPU where
    they begin and end (`bounds`, which may close with empty rows) and the longest that may be."""

    ids: torch.Tensor
    places: torch.Tensor
    lengths: tuple[int, ...] = ()
    bounds: torch.Tensor | None = None
    longest: int = 0


Attend: TypeAlias = Callable[[torch.Tensor, int, Pass], torch.Tensor]
"""`mixed`, the number of heads and the rows."""


def attend_by_length(mixed: torch.Tensor, n_heads: int, rows: Pass) -> torch.Tensor:
    """On a CPU: two products and a softmax for each run of rows of one length.

    Torch's fused kernel multiplies outside oneDNN: 13.6 ms where this takes 4.8 (bf16) and 7.3 (fp32), for
    16 heads of 64 over 512 tokens on one core.
    """
    out = torch.empty(len(mixed), mixed.shape[1] // 3, dtype=mixed.dtype)
    start = 0
    for length, run in groupby(rows.lengths):
        n_rows = len(list(run))
        end = start + n_rows * length
        parts = mixed[start:end].view(n_rows, length, 3, n_heads, -1).permute(2, 0, 3, 1, 4)
        queries, keys, values = parts.contiguous().flatten(1, 2)
        shares = torch.bmm(queries, keys.transpose(1, 2)).softmax(-1)
        done = torch.bmm(shares, values).view(n_rows, n_heads, length, -1).transpose(1, 2)
        out[start:end].view(n_rows, length, n_heads, -1).copy_(done)
        start = end
    return out


def attend_varlen(mixed: torch.Tensor, n_heads: int, rows: Pass) -> torch.Tensor:
    """On a GPU: one fused kernel for all rows, bf16 and fp16 only."""
    from torch.nn.attention.varlen import varlen_attn

    queries, keys, values = mixed.view(len(mixed), 3, n_heads, -1).unbind(1)
    bounds = rows.bounds
    assert bounds is not None, "a pass on a GPU has bounds"
    done = varlen_attn(queries, keys, values, bounds, bounds, rows.longest, rows.longest, scale=1.0)
    assert isinstance(done, torch.Tensor)
    return done.flatten(1)


@contextmanager
def products_by_onednn(is_wanted: bool) -> Iterator[None]:
    """Batched fp32 products through oneDNN while inside: twice as fast on AMD, where torch's own use AVX2.

    The switch is torch's for "less exact is fine"; only where there is AMX does oneDNN take it at its word.
    It holds for the process, and so is put back: fidelity compat computes as torch does out of the box.
    """
    if not is_wanted:
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)

"""Four bits a number: little is lost, and what comes back is on the sixteen levels."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from compressor.scorers.nibbles import LEVELS, packed, unpacked

tables = arrays(
    np.float32, st.tuples(st.integers(1, 5), st.sampled_from([2, 8, 32])), elements=st.floats(-9, 9, width=32)
)


def again(table: np.ndarray) -> np.ndarray:
    pairs, scale = packed(table)
    return unpacked(pairs) * scale.astype(np.float32)[:, None]


@given(table=tables)
def test_every_table_comes_back_in_its_shape_and_never_as_nonsense(table: np.ndarray) -> None:
    pairs, scale = packed(table)
    assert pairs.shape == (len(table), table.shape[1] // 2)
    levels = unpacked(pairs)
    assert levels.shape == table.shape
    assert set(levels.ravel().tolist()) <= set(LEVELS.tolist())
    assert np.isfinite(scale.astype(np.float32)).all()
    assert np.abs(again(table) - table).max() <= max(float(np.abs(table).max()), 1e-3)


def test_a_normal_table_loses_a_tenth_of_its_length() -> None:
    table = np.random.default_rng(0).normal(0, 0.05, (200, 384)).astype(np.float32)
    lost = np.linalg.norm(again(table) - table, axis=1) / np.linalg.norm(table, axis=1)
    assert lost.mean() < 0.11
    assert lost.max() < 0.16


def test_levels_come_back_as_they_are() -> None:
    table = np.tile(LEVELS.astype(np.float32) / 127, (3, 2))
    assert np.allclose(again(table), table, rtol=2e-3)


def test_a_row_of_nothing_is_almost_nothing() -> None:
    assert np.abs(again(np.zeros((1, 8), np.float32))).max() < 1e-3

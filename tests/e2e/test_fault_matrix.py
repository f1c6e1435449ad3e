"""That the fault matrix is whole."""

from __future__ import annotations

from itertools import product

from tests.e2e.fault_matrix import CELLS, FAULTS, MOMENTS, PARTS


def test_no_cell_is_left_out() -> None:
    assert set(CELLS) == set(product(PARTS, FAULTS, MOMENTS))
    assert len(CELLS) == 7 * 4 * 4

"""What a pass on a GPU is made of: decided without one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from compressor.scorers.gpu import PASS_TOKENS, Plan, plan, taken_apart
from compressor.types import Ints

FIRST = 2


def rows(lengths: list[int]) -> list[Ints]:
    return [np.arange(at * 1000, at * 1000 + length, dtype=np.int32) for at, length in enumerate(lengths)]


def read(one: Plan) -> list[tuple[list[int], list[int]]]:
    """Ids and positions of each row, as the device would find them."""
    found = one.rows(torch.from_numpy(one.numbers), 512)
    assert found.bounds is not None
    bounds = found.bounds.tolist()
    return [
        (found.ids[start:end].tolist(), found.places[start:end].tolist())
        for start, end in pairwise(bounds)
        if end > start
    ]


@given(st.lists(st.integers(1, 512), max_size=120))
def test_every_row_is_in_one_pass_with_its_own_positions(lengths: list[int]) -> None:
    given_rows = rows(lengths)
    plans = plan(given_rows, FIRST)
    assert sorted(at for one in plans for at in one.members) == list(range(len(lengths)))
    for one in plans:
        assert one.size <= PASS_TOKENS
        expected = [(given_rows[at].tolist(), list(range(FIRST, FIRST + lengths[at]))) for at in one.members]
        assert read(one) == expected


@given(st.lists(st.integers(1, 512), min_size=1, max_size=120))
def test_scores_come_back_to_their_rows(lengths: list[int]) -> None:
    given_rows = rows(lengths)
    plans = plan(given_rows, FIRST)
    flat = np.concatenate([one.numbers[: one.size] for one in plans]).astype(np.float32)
    found = taken_apart(flat, plans, lengths)
    assert [one.tolist() for one in found] == [row.tolist() for row in given_rows]


def test_small_passes_are_filled_up_to_a_step_and_large_ones_are_not() -> None:
    [small] = plan(rows([300, 200]), FIRST)
    assert (small.size, small.is_graph) == (512, True)
    [large] = plan(rows([512] * 9), FIRST)
    assert (large.size, large.is_graph) == (4608, False)
    [many] = plan(rows([10] * 65), FIRST)
    assert (many.size, many.is_graph) == (650, False)


def test_passes_of_one_step_have_one_layout() -> None:
    """As a recorded graph wants it: the same numbers of numbers, whatever the rows."""
    one, other = (plan(rows(lengths), FIRST)[0] for lengths in ([500], [10] * 40))
    assert one.size == other.size == 512
    assert len(one.numbers) == len(other.numbers)

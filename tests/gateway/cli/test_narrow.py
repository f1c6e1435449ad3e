"""gateway.cli.narrow: what does not fit beside stands below."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor.eval.tables import Table
from gateway.cli.narrow import parts

TABLE = Table(
    "t", ("", "texts", "default", "ahead"), (("meeting", "2", "71", "+0"), ("문서", "12", "5", "-7"))
)


@pytest.mark.parametrize(
    ("width", "heads"),
    [
        (80, [("", "texts", "default", "ahead")]),
        (30, [("", "texts", "default"), ("", "ahead")]),
        (1, [("", "texts"), ("", "default"), ("", "ahead")]),
    ],
)
def test_as_many_columns_as_fit_stand_beside_each_other(width: int, heads: list[tuple[str, ...]]) -> None:
    assert [part.head for part in parts(TABLE, width)] == heads


def test_figures_stay_with_their_heading_and_their_row() -> None:
    *_, last = parts(TABLE, 30)
    assert (last.title, last.rows) == ("t", (("meeting", "+0"), ("문서", "-7")))


@given(st.integers(1, 120), st.integers(1, 9), st.integers(0, 30))
def test_no_column_is_lost_and_no_part_too_wide(width: int, n_columns: int, n_characters: int) -> None:
    head = ("", *(f"{number}{'x' * n_characters}" for number in range(n_columns)))
    found = list(parts(Table("t", head, ()), width))
    assert [name for part in found for name in part.head[1:]] == list(head[1:])
    for part in found:
        assert len(part.head) == 2 or sum(len(name) + 3 for name in part.head) <= width


def test_a_table_of_names_alone_is_one_part() -> None:
    assert list(parts(Table("t", ("",), (("a",),)), 5)) == [Table("t", ("",), (("a",),))]

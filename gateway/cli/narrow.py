"""A table that is wider than the terminal, as several that are not (pure).

Laws: every column but the first stands in exactly one part, in order; the first stands in each. A part is no
wider than asked, unless it has one column beside the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rich.cells import cell_len

from compressor.eval.tables import Table

_BETWEEN = 3
"""What a column takes besides its text: a space at each side, and the line between columns."""


def parts(table: Table, width: int) -> Iterator[Table]:
    """From left to right, each as wide as fits."""
    widths = [_BETWEEN + max(map(cell_len, column)) for column in zip(table.head, *table.rows, strict=True)]
    chosen: list[int] = []
    for column in range(1, len(widths)):
        if chosen and widths[0] + sum(widths[at] for at in chosen) + widths[column] > width:
            yield _part(table, chosen)
            chosen = []
        chosen.append(column)
    yield _part(table, chosen)


def _part(table: Table, columns: list[int]) -> Table:
    def cut(row: tuple[str, ...]) -> tuple[str, ...]:
        return (row[0], *(row[at] for at in columns))

    return replace(table, head=cut(table.head), rows=tuple(map(cut, table.rows)))

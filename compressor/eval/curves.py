"""Quality against tokens, as an SVG picture: a panel a cell, a line a method. Text in, text out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from compressor.eval.tables import measure_of

_WIDTH, _HEIGHT, _MARGIN, _COLUMNS = 250, 190, 34, 3
_COLOURS = ("#c2185b", "#1565c0", "#6d4c41", "#9e9e9e", "#ef6c00", "#2e7d32", "#00838f", "#6a1b9a", "#455a64")
_LEGEND_ROW = 18


def svg(cells: Sequence[Mapping[str, Any]], methods: Sequence[str], rates: Sequence[float]) -> str:
    """The panels of all cells in which something is asked."""
    asked = [cell for cell in cells if _points(cell, methods[0], rates)]
    n_rows = -(-len(asked) // _COLUMNS)
    top = _LEGEND_ROW * -(-len(methods) // 4) + 10
    size = (_COLUMNS * _WIDTH, top + n_rows * _HEIGHT)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" '
        f'width="{size[0]}" height="{size[1]}" font-family="sans-serif" font-size="11">'
    )
    lines = [head, f'<rect width="{size[0]}" height="{size[1]}" fill="#fff"/>', *_legend(methods)]
    for i, cell in enumerate(asked):
        row, column = divmod(i, _COLUMNS)
        lines.append(f'<g transform="translate({column * _WIDTH} {top + row * _HEIGHT})">')
        lines += _panel(cell, methods, rates)
        lines.append("</g>")
    return "\n".join([*lines, "</svg>", ""])


def _legend(methods: Sequence[str]) -> Iterator[str]:
    for i, method in enumerate(methods):
        x, y = 10 + (i % 4) * 180, 14 + _LEGEND_ROW * (i // 4)
        yield f'<line x1="{x}" y1="{y - 4}" x2="{x + 18}" y2="{y - 4}" {_stroke(i)}/>'
        yield f'<text x="{x + 24}" y="{y}">{escape(method)}</text>'


def _panel(cell: Mapping[str, Any], methods: Sequence[str], rates: Sequence[float]) -> Iterator[str]:
    title = escape(f"{cell['domain']} {cell['language']}")
    yield f'<text x="{_MARGIN}" y="12" font-weight="bold">{title}</text>'
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        (x, y), (left, right) = _place(share, share), (_place(0, 0)[0], _place(1, 0)[0])
        yield f'<line x1="{left}" y1="{y}" x2="{right}" y2="{y}" stroke="#ddd"/>'
        yield f'<text x="{left - 4}" y="{y + 4}" text-anchor="end" fill="#666">{share:.0%}</text>'
        yield f'<text x="{x}" y="{_HEIGHT - 12}" text-anchor="middle" fill="#666">{share:.0%}</text>'
    for i, method in reversed(list(enumerate(methods))):
        points = " ".join(f"{x},{y}" for x, y in (_place(*point) for point in _points(cell, method, rates)))
        yield f'<polyline points="{points}" fill="none" {_stroke(i)}/>'


def _points(cell: Mapping[str, Any], method: str, rates: Sequence[float]) -> list[tuple[float, float]]:
    """(share of the tokens, share of the answers), from few tokens to many."""
    found = [cell["rates"][str(rate)]["methods"][method] for rate in rates]
    name = measure_of(found[0])
    return sorted((one["tokens"][0], one[name][0]) for one in found) if name else []


def _place(x: float, y: float) -> tuple[float, float]:
    """Where shares lie in a panel."""
    width, height = _WIDTH - _MARGIN - 14, _HEIGHT - 46
    return round(_MARGIN + x * width, 1), round(18 + (1 - y) * height, 1)


def _stroke(i: int) -> str:
    return f'stroke="{_COLOURS[i % len(_COLOURS)]}" stroke-width="{2.4 if i == 0 else 1.2}"'

"""The report as data, and how it is asked for: the same from `pith report` and the admin listener."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any, Final

from gateway.types import ReportRow

_UNITS_S: Final = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def parse_since(written: str, now: float) -> float:
    """A duration back from now (`7d`), or a UTC date or time, as Unix seconds. Raises ValueError."""
    if match := re.fullmatch(r"(\d{1,6})([mhdw])", written):
        return now - int(match[1]) * _UNITS_S[match[2]]
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise ValueError(f"{written!r} is neither like 7d (m, h, d, w) nor like 2026-11-01") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def saved_percent(row: ReportRow) -> float | None:
    """Share of the prompt tokens that compressing removed; None without any."""
    if not row.origin_tokens:
        return None
    return 100 * (row.origin_tokens - row.compressed_tokens) / row.origin_tokens


def total_row(rows: Sequence[ReportRow]) -> ReportRow:
    """The sum of all groups."""
    names = [field.name for field in fields(ReportRow) if field.name != "group"]
    return ReportRow(group="total", **{name: sum(getattr(row, name) for row in rows) for name in names})


def savings(
    rows: Sequence[ReportRow], unpriced: Sequence[str], group_by: str, since: float | None
) -> dict[str, Any]:
    """The whole report as JSON."""
    return {
        "by": group_by,
        "since": since,
        "rows": [_record(row) for row in rows],
        "total": _record(total_row(rows)),
        "unpriced_models": list(unpriced),
    }


def _record(row: ReportRow) -> dict[str, Any]:
    derived = {"saved_tokens": row.origin_tokens - row.compressed_tokens, "saved_percent": saved_percent(row)}
    return {**asdict(row), **derived}

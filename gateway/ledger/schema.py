"""The ledger's tables: rows with a column for every field of `Entry`, and sums by day.

Whoever changes a column adds a version to migrations/versions, and its name to REVISIONS in versions.py.

No column can hold a prompt or an answer: there are counts, ids, keyed hashes and names, and a name from a
request is cut to the length of its column. What is stored is described in docs/ledger.md.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from sqlalchemy import BigInteger, Boolean, Column, Double, Integer, MetaData, String, Table, Text

from gateway.types import Entry, Usage

_ROUTE_SEGMENT: Final = re.compile(r"v\d{1,2}(?:beta|alpha)?\d?|[a-z][a-z_:-]{0,23}")
_DEEPEST: Final = 8
_MAX_COUNT: Final = 10**12  # far above any count, and sums of millions of rows stay within 64 bits
_LAST_SECOND: Final = 253402300799.0  # of the year 9999

GROUPS: Final = (
    *("day", "route", "policy", "policy_version", "variant"),
    *("model", "key_id", "team", "mode", "skip"),
)
"""What a report can be grouped by; each is a column of both tables. Their order is in every daily key."""

COUNTS: Final = (
    *("requests", "compressed_requests", "origin_tokens", "compressed_tokens"),
    *("prompt_tokens", "cached_tokens", "completion_tokens"),
    *("unpriced_requests", "shadow_requests", "negative_requests"),
)
MONEY: Final = ("cost_usd", "counterfactual_usd", "compression_usd", "saved_usd", "negative_usd")
SUMS: Final = COUNTS + MONEY
"""The fields of `ReportRow`, and the columns of the daily sums."""

_NUMBERS: Final = (
    "cost_usd",
    "counterfactual_usd",
    "compression_usd",
    "saved_usd",
    "device_ms",
    "added_ms",
)
_USAGE: Final = (
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "service_tier",
)

metadata = MetaData()

entries = Table(
    "entries",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("created_at", Double, nullable=False, index=True),
    Column("day", String(10), nullable=False),
    Column("path", String(512), nullable=False),
    Column("route", String(200)),
    Column("status", Integer, nullable=False),
    Column("key_id", String(128)),
    Column("team", String(128)),
    Column("conversation", String(128)),
    Column("model", String(200)),
    Column("policy", String(128)),
    Column("policy_version", String(128)),
    Column("variant", String(128)),
    Column("mode", String(16), nullable=False),
    Column("is_streamed", Boolean, nullable=False),
    Column("is_complete", Boolean, nullable=False),
    Column("origin_tokens", BigInteger),
    Column("compressed_tokens", BigInteger),
    Column("tokenizer", String(64)),
    Column("skip", String(32)),
    Column("cache", String(16)),
    Column("prompt_tokens", BigInteger),
    Column("completion_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("cache_write_tokens", BigInteger),
    Column("cache_write_1h_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("is_estimated", Boolean),
    Column("service_tier", String(32)),
    Column("usage_problem", String(16)),
    Column("cost_usd", Double),
    Column("counterfactual_usd", Double),
    Column("counterfactual_cached_tokens", BigInteger),
    Column("counterfactual_basis", String(16)),
    Column("compression_usd", Double),
    Column("saved_usd", Double),
    Column("token_error", BigInteger),
    Column("cached_error", BigInteger),
    Column("device_ms", Double),
    Column("added_ms", Double),
    Column("timing_ms", Text, nullable=False),
    Column("unit", String(64)),
    Column("is_eligible", Boolean),
    Column("finish", String(32)),
    Column("is_broken", Boolean),
    Column("is_retry", Boolean),
    Column("is_repeat", Boolean),
    Column("is_slow", Boolean),
)


daily = Table(
    "daily",
    metadata,
    Column("key", String(64), primary_key=True),
    *(
        Column(name, String(entries.c[name].type.length), index=name == "day")  # type: ignore[attr-defined]  # names are strings
        for name in GROUPS
    ),
    *(Column(name, BigInteger, nullable=False) for name in COUNTS),
    *(Column(name, Double, nullable=False) for name in MONEY),
)


def to_row(entry: Entry) -> dict[str, object]:
    """The row of an entry. Every value fits its column, whatever a client put into names and paths."""
    row: dict[str, object] = {
        "created_at": _number(entry.created_at) or 0.0,
        "day": day_of(entry.created_at),
        "path": entry.path.partition("?")[0],  # a query string may carry anything
        "route": route_of(entry.path),
        "status": entry.status,
        "is_streamed": entry.is_streamed,
        "is_complete": entry.is_complete,
        **{name: _number(getattr(entry, name)) for name in _NUMBERS},
        "timing_ms": _timing(entry.timing_ms),
        **_usage_columns(entry.usage),
    }
    for column in entries.columns:
        value = row[column.name] if column.name in row else getattr(entry, column.name)
        row[column.name] = _fitted(column, value)
    return row


def _fitted(column: Column[Any], value: object) -> object:
    if isinstance(value, str) and isinstance(column.type, String):
        return as_text(value)[: column.type.length]
    if isinstance(value, int) and not isinstance(value, bool):
        return max(-_MAX_COUNT, min(value, _MAX_COUNT))
    return value


def _usage_columns(usage: Usage | None) -> dict[str, object]:
    columns: dict[str, object] = {name: getattr(usage, name) if usage else None for name in _USAGE}
    return {**columns, "is_estimated": usage.estimated if usage else None}


def as_text(value: str) -> str:
    """Text any database stores: no lone surrogates, no NUL."""
    return value.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def route_of(path: str) -> str:
    """A path that many requests share: `*` in place of what names one thing, an id for the most part."""
    segments = path.partition("?")[0].split("/")
    return "/".join(
        segment if not segment or _ROUTE_SEGMENT.fullmatch(segment) else "*"
        for segment in segments[:_DEEPEST]
    )


def day_of(created_at: float) -> str:
    """The UTC day, stored so that grouping by day needs no dialect's date functions."""
    seconds = min(max(_number(created_at) or 0.0, 0.0), _LAST_SECOND)
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _timing(timing_ms: Mapping[str, float]) -> str:
    return orjson.dumps({as_text(stage): _number(float(ms)) for stage, ms in timing_ms.items()}).decode()

"""What a request's row adds to its unit (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import orjson

from policies.outcomes import FIRST, SUMS

Key: TypeAlias = tuple[str, str, str]
"""Experiment, version, unit."""

CLIENT_GONE: Final = 499
FAILED: Final = "failed"
"""As `finish`: the answer told of an error amid itself."""
TRUNCATED: Final = ("length", "max_tokens", "max_output_tokens", "model_context_window_exceeded")
"""How an answer that reached its limit ends, in the words of the three APIs."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one request, or what was said of it later, adds to its unit."""

    key: Key
    arm: str
    at: float
    """When the request came."""
    first_tokens: int
    is_eligible: bool
    """With such a request a unit begins."""
    sums: Mapping[str, float]


@dataclass(slots=True)
class Addition:
    """To one unit, from one batch of rows."""

    arm: str
    first_at: float
    last_at: float
    first_tokens: int
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SUMS, 0))

    def add(self, at: float, sums: Mapping[str, float]) -> None:
        """Another request's."""
        self.last_at = max(self.last_at, at)
        for name, value in sums.items():
            self.sums[name] += value

    def as_row(self, key: Key) -> dict[str, object]:
        """By column."""
        experiment, version, unit = key
        names = {"experiment": experiment, "version": version, "unit": unit, "arm": self.arm}
        return {
            **names,
            "first_at": self.first_at,
            "last_at": self.last_at,
            FIRST: self.first_tokens,
            **self.sums,
        }


def contribution(row: Mapping[str, Any], sums: Mapping[str, float] | None = None) -> Contribution | None:
    """Of a row of `entries`; `sums`: what it counts for, if not as `sums_of` says. None: no experiment's."""
    key = (row["policy"], row["policy_version"], row["unit"])
    if row["variant"] is None or None in key:
        return None
    return Contribution(
        key,
        row["variant"],
        row["created_at"],
        row["origin_tokens"] or 0,
        bool(row["is_eligible"]),
        sums_of(row) if sums is None else sums,
    )


def sums_of(row: Mapping[str, Any]) -> dict[str, float]:
    """What one row of `entries` counts for."""
    timing = orjson.loads(row["timing_ms"])
    first_byte = timing.get("first_byte")
    prompt, cached, written = (
        row[name] or 0 for name in ("prompt_tokens", "cached_tokens", "cache_write_tokens")
    )
    is_answered = first_byte is not None
    return {
        "requests": 1,
        "eligible": bool(row["is_eligible"]),
        "applied": row["mode"] == "on" and (row["compressed_tokens"] or 0) < (row["origin_tokens"] or 0),
        "answered": is_answered,
        "unpriced": row["prompt_tokens"] is not None and row["cost_usd"] is None,
        "origin_tokens": row["origin_tokens"] or 0,
        "uncached_tokens": prompt - cached - written,
        "cached_tokens": cached,
        "cache_write_tokens": written,
        "output_tokens": row["completion_tokens"] or 0,
        "reasoning_tokens": row["reasoning_tokens"] or 0,
        "errors": _has_failed(row),
        "truncated": row["finish"] in TRUNCATED,
        "retries": bool(row["is_retry"]),
        "slow": bool(row["is_slow"]),
        "repeats": bool(row["is_repeat"]),
        **{
            name: row[name] or 0.0
            for name in ("cost_usd", "compression_usd", "counterfactual_usd", "saved_usd")
        },
        "first_byte_ms": (row["added_ms"] or 0.0) + first_byte if is_answered else 0.0,
        "total_ms": (timing.get("total") or 0.0) if is_answered else 0.0,
    }


def _has_failed(row: Mapping[str, Any]) -> bool:
    is_refused = row["status"] >= 400 and row["status"] != CLIENT_GONE
    return is_refused or bool(row["is_broken"]) or row["finish"] == FAILED

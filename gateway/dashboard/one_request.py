"""One row of the ledger, in the order in which a person asks about it (pure). A column that is not named here
is shown as it is, at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.dashboard.figures import UNKNOWN, count, milliseconds, moment, usd

_SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "Request": (
        "created_at",
        "path",
        "route",
        "status",
        "model",
        "key_id",
        "team",
        "conversation",
        "is_streamed",
        "is_complete",
        "service_tier",
    ),
    "Decision": ("policy", "policy_version", "variant", "mode", "skip", "cache"),
    "Tokens": (
        "origin_tokens",
        "compressed_tokens",
        "tokenizer",
        "prompt_tokens",
        "cached_tokens",
        "cache_write_tokens",
        "cache_write_1h_tokens",
        "completion_tokens",
        "reasoning_tokens",
        "is_estimated",
        "usage_problem",
        "token_error",
        "cached_error",
    ),
    "Money": (
        "counterfactual_usd",
        "counterfactual_cached_tokens",
        "counterfactual_basis",
        "cost_usd",
        "compression_usd",
        "saved_usd",
    ),
    "Time": ("added_ms", "device_ms"),
}
_APART: Final = frozenset({"id", "day", "timing_ms"})


@dataclass(frozen=True, slots=True)
class Fact:
    """One column."""

    name: str
    value: str
    is_loss: bool = False
    is_long: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """Milliseconds of one stage, and its share of the longest in per cent."""

    name: str
    value: str
    percent: float


@dataclass(frozen=True, slots=True)
class OneRequest:
    """The page."""

    id: str
    sections: tuple[tuple[str, tuple[Fact, ...]], ...]
    stages: tuple[Stage, ...]


def one_request(row: Mapping[str, object]) -> OneRequest:
    """From the ledger's row; columns may be missing or new."""
    named = {name for names in _SECTIONS.values() for name in names}
    more = [name for name in row if name not in named | _APART]
    sections = [*_SECTIONS.items(), *([("More", tuple(more))] if more else [])]
    return OneRequest(
        id=str(row["id"]),
        sections=tuple(
            (title, tuple(_fact(name, row[name]) for name in names if name in row))
            for title, names in sections
        ),
        stages=_stages(row.get("timing_ms")),
    )


def _fact(name: str, value: object) -> Fact:
    if value is None:
        return Fact(name, UNKNOWN)
    if isinstance(value, bool):
        return Fact(name, "yes" if value else "no")
    if isinstance(value, int | float):
        return Fact(name, _format(name)(value), is_loss=value < 0 and name == "saved_usd")
    if isinstance(value, str):
        return Fact(name, value)
    return Fact(name, json.dumps(value, indent=2, ensure_ascii=False, default=str), is_long=True)


def _format(name: str) -> Callable[[float], str]:
    formats: Mapping[str, Callable[[float], str]] = {
        "usd": usd,
        "ms": milliseconds,
        "at": moment,
        "tokens": count,
    }
    return formats.get(name.rpartition("_")[2], str)


def _stages(timing: Any) -> tuple[Stage, ...]:
    if not isinstance(timing, Mapping):
        return ()
    known = {str(name): float(ms) for name, ms in timing.items() if isinstance(ms, int | float)}
    longest = max(known.values(), default=0.0)
    return tuple(
        Stage(name, milliseconds(ms), 100 * max(0.0, ms) / longest if longest > 0 else 0.0)
        for name, ms in known.items()
    )

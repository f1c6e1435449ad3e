"""Third stage: leaves out the records whose compression cannot be trusted.

Two measures of `annotate` decide, each taken at the worse of the two strengths: variation (words the teacher
made up) and gap (words found, but not in their order). As in LLMLingua-2 the worst records go, 5 % by
variation and 10 % by gap; here by language, because grading by characters moves both measures. Absolute
limits may be given instead. A record at the limit stays; order is kept. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compressor.train.annotate import STRENGTHS
from compressor.train.records import Record

MEASURES = ("variation", "gap")


@dataclass(frozen=True, slots=True)
class Limit:
    """The most of a measure that is let through: a percentile of a language's records, or a value."""

    percentile: float
    value: float | None = None

    def of(self, measured: Sequence[float]) -> float:
        return float(np.percentile(measured, self.percentile)) if self.value is None else self.value


DEFAULT_LIMITS: Mapping[str, Limit] = {"variation": Limit(95.0), "gap": Limit(90.0)}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A record and why it goes; no reasons, it stays."""

    record: Record
    language: str
    reasons: Mapping[str, str]
    """Measure or `nothing_kept` to what is wrong with it."""


def judge(records: Sequence[Record], limits: Mapping[str, Limit] = DEFAULT_LIMITS) -> list[Verdict]:
    """A verdict on each record, in their order."""
    measured = [(record, record.text("lang"), measures(record)) for record in records]
    by_language: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for _, language, values in measured:
        for name, value in values.items():
            by_language[language][name].append(value)
    most = {
        language: {name: limits[name].of(found[name]) for name in MEASURES}
        for language, found in by_language.items()
    }
    return [
        Verdict(record, language, _reasons(record, values, most[language]))
        for record, language, values in measured
    ]


def measures(record: Record) -> dict[str, float]:
    """Each measure of a record, at its worse strength."""
    quality: Any = record.fields.get("quality")
    try:
        return {name: max(float(quality[strength][name]) for strength in STRENGTHS) for name in MEASURES}
    except (TypeError, KeyError, ValueError):
        raise record.wrong("quality", "must be what `pith train annotate` writes") from None


def _reasons(record: Record, values: Mapping[str, float], most: Mapping[str, float]) -> dict[str, str]:
    reasons = {
        name: f"{values[name]:.4f} > {most[name]:.4f}" for name in MEASURES if values[name] > most[name]
    }
    if not record.text("grades").strip("0"):
        reasons["nothing_kept"] = "every grade is 0"
    return reasons


def count(verdicts: Sequence[Verdict]) -> dict[str, dict[str, int]]:
    """By language: records, kept, and how many went for each reason; some go for two."""
    found: dict[str, dict[str, int]] = {}
    for verdict in verdicts:
        of = found.setdefault(
            verdict.language, dict.fromkeys(("records", "kept", *MEASURES, "nothing_kept"), 0)
        )
        of["records"] += 1
        of["kept"] += not verdict.reasons
        for reason in verdict.reasons:
            of[reason] += 1
    return found


def rejected(verdict: Verdict) -> dict[str, Any]:
    """The record with why it went."""
    return {**verdict.record.fields, "why": dict(verdict.reasons)}

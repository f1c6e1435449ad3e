"""The page of the experiments, from what is known of them (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.dashboard.figures import count
from gateway.dashboard.intervals import Drawing, Span, draw
from gateway.experiments import shown
from gateway.experiments.known import Census, Known
from gateway.experiments.shown import Row, kind_of
from policies.verdict import JudgeReading, Reading, Verdict

MOST_EXPERIMENTS: Final = 50
"""On the page; all are in `/v1/experiments`."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Heading and value."""

    name: str
    value: str
    is_number: bool = True


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table: a reading and its picture."""

    row: Row
    picture: Drawing | None
    said: str
    """The picture in words."""


@dataclass(frozen=True, slots=True)
class Table:
    """Readings of one role."""

    caption: str
    lines: tuple[Line, ...]
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class ArmLine:
    """One arm."""

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """One change of state."""

    at: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One experiment."""

    name: str
    id: str
    """Whole, for a form."""
    version: str
    standing: str
    is_rolled_back: bool
    is_ended: bool
    is_alarm: bool
    verdict: str
    look: str
    """Of the verdict: gain, calm or loss."""
    reason: str
    facts: tuple[Cell, ...]
    progress: float | None
    """Units of those needed, in per cent."""
    arms: tuple[ArmLine, ...]
    tables: tuple[Table, ...]
    changes: tuple[ChangeLine, ...]


_LOOKS: Final = {"ship": "gain", "keep_running": "calm", "roll_back": "loss"}


def page(census: Census) -> tuple[Shown, ...]:
    """Every experiment, those in force first."""
    return tuple(_shown(known) for known in census.experiments[:MOST_EXPERIMENTS])


def _shown(known: Known) -> Shown:
    verdict = known.verdict
    return Shown(
        name=shown.cut_name(known.name),
        id=known.name,
        version=shown.cut_name(known.version),
        standing=shown.standing_words(known),
        is_rolled_back=known.standing == "rolled_back",
        is_ended=known.standing == "ended",
        is_alarm=verdict is not None and verdict.sample_ratio is not None and verdict.sample_ratio.is_alarm,
        verdict=shown.verdict_words(verdict) if verdict else "Nothing to say",
        look=_LOOKS.get(verdict.state, "calm") if verdict else "calm",
        reason=shown.cut(verdict.reason) if verdict else _without_verdict(known),
        facts=_facts(known),
        progress=_progress(verdict),
        arms=_arms(verdict),
        tables=_tables(verdict),
        changes=tuple(
            ChangeLine(shown.when(change.at), _words(change.state), shown.cut(change.reason or ""))
            for change in known.changes
        ),
    )


def _words(state: str) -> str:
    return shown.cut_name(state.replace("_", " "))


def _without_verdict(known: Known) -> str:
    if known.standing == "ended":
        return f"It is not in force any more; {count(known.n_units)} units took part."
    return "No request has taken part yet: send some that this policy matches, or look at its conditions."


def _facts(known: Known) -> tuple[Cell, ...]:
    verdict = known.verdict
    if verdict is None:
        return (Cell("last request", shown.when(known.last_at)),)
    return (
        Cell("units", shown.units_sentence(verdict)),
        Cell("days still to go", shown.days_sentence(verdict)),
        Cell("units by arm", shown.ratio_sentence(verdict.sample_ratio)),
        Cell("first request", shown.when(verdict.since)),
        Cell("last request", shown.when(known.last_at)),
    )


def _progress(verdict: Verdict | None) -> float | None:
    if verdict is None or not verdict.units_needed:
        return None
    return min(100.0, 100 * verdict.n_units / verdict.units_needed)


def _arms(verdict: Verdict | None) -> tuple[ArmLine, ...]:
    if verdict is None:
        return ()
    return tuple(
        ArmLine(
            shown.cut_name(arm.name),
            (
                Cell("part", shown.arm_role(arm, verdict.withdrawn), is_number=False),
                Cell("units", count(arm.n_units)),
                Cell("share", shown.arm_shares(arm)),
                Cell("requests", count(arm.n_requests)),
                Cell("compressed", shown.applied(arm)),
            ),
        )
        for arm in verdict.arms
    )


def _tables(verdict: Verdict | None) -> tuple[Table, ...]:
    if verdict is None:
        return ()
    guardrails = (*_lines(verdict.guardrails, "guardrail"), *_judged(verdict.judge))
    tables = (
        Table("What it saves: the primary metric", _lines(verdict.primary, "primary")),
        Table("What it must not cost: guardrails", guardrails),
        Table("Everything else, exploratory", _lines(verdict.secondary, "secondary"), is_open=False),
    )
    return tuple(table for table in tables if table.lines)


def _lines(readings: Sequence[Reading], role: str) -> tuple[Line, ...]:
    """Arms of one metric share a scale."""
    pictures: dict[int, Drawing | None] = {}
    for metric in dict.fromkeys(reading.metric for reading in readings):
        places = [place for place, reading in enumerate(readings) if reading.metric == metric]
        drawn = draw([_span(readings[place]) for place in places])
        pictures.update(zip(places, drawn, strict=True))
    return tuple(_line(shown.row(reading, role), pictures[place]) for place, reading in enumerate(readings))


def _judged(readings: Sequence[JudgeReading]) -> tuple[Line, ...]:
    spans = [
        None
        if reading.low is None or reading.high is None
        else Span(reading.low, reading.high, reading.difference, reading.margin)
        for reading in readings
    ]
    return tuple(
        _line(shown.judge_row(reading), drawing)
        for reading, drawing in zip(readings, draw(spans), strict=True)
    )


def _line(row: Row, picture: Drawing | None) -> Line:
    said = f"{row.metric}, {row.arm}: {row.change}, between {row.interval}; {row.standing}"
    return Line(row, picture, said)


def _span(reading: Reading) -> Span | None:
    """In the unit in which the table has the change; the margin on the side that is worse."""
    margin = shown.margin_of(reading)
    relative = reading.relative
    if relative is not None and not kind_of(reading.metric).is_share:
        return Span(relative.low, relative.high, relative.change, margin)
    if reading.difference is None or reading.low is None or reading.high is None:
        return None
    return Span(reading.low, reading.high, reading.difference, margin)

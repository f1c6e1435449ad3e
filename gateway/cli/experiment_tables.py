"""One experiment, and all of them, on a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gateway.dashboard.figures import UNKNOWN, count
from gateway.experiments import shown
from gateway.experiments.known import Census, Known
from gateway.experiments.shown import Row
from policies.verdict import Reading, Verdict

_LOOKS = {"ship": "green", "roll_back": "red"}


def plain(name: str) -> str:
    """For the terminal: whatever is on record, escape codes are no part of a name."""
    cut = shown.cut(name)
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in cut)


def every(census: Census) -> Table:
    """A row an experiment."""
    table = Table("experiment", "version", "state", box=None, padding=(0, 2, 0, 0))
    table.add_column("units", justify="right", no_wrap=True)
    table.add_column("days to go", justify="right")
    table.add_column("verdict")
    for known in census.experiments:
        verdict = known.verdict
        table.add_row(
            Text(plain(shown.cut_name(known.name)), overflow="fold"),
            Text(plain(known.version), overflow="fold"),
            known.standing.replace("_", " "),
            count(known.n_units),
            "–" if verdict is None else _days(verdict),
            "–"
            if verdict is None
            else Text(plain(shown.verdict_words(verdict)), _LOOKS.get(verdict.state, "")),
        )
    return table


def one(known: Known) -> Iterator[RenderableType]:
    """All of one experiment."""
    yield Text(f"{plain(known.name)}  version {plain(known.version)}, {shown.standing_words(known)}", "bold")
    verdict = known.verdict
    if verdict is None:
        yield Text(_nothing(known))
    else:
        words = Text(plain(shown.verdict_words(verdict)), f"bold {_LOOKS.get(verdict.state, '')}".strip())
        yield Text.assemble(words, ": ", plain(verdict.reason))
        yield ""
        yield _facts(known, verdict)
        yield ""
        yield _arms(verdict)
        yield from readings(verdict)
    if known.changes:
        yield ""
        yield _changes(known)


def readings(verdict: Verdict, *, with_secondary: bool = True) -> Iterator[RenderableType]:
    """A table for each treated arm."""
    for arm in dict.fromkeys(reading.arm for reading in verdict.primary):
        yield ""
        yield _beside_control(verdict, arm, with_secondary=with_secondary)


_STANDINGS = {
    "better beyond doubt": "better",
    "worse beyond doubt": "worse",
    "not told apart yet": "open",
    "within its margin": "within",
    "not proven yet": "open",
    "no difference shown": "",
}
"""Shorter than on the page, for seven columns to fit."""


def _beside_control(verdict: Verdict, arm: str, *, with_secondary: bool) -> Table:
    name = plain(shown.cut_name(arm))
    table = Table(title=f"{name} beside {plain(shown.cut_name(verdict.control))}", title_justify="left")
    table.box, table.padding, table.title_style = None, (0, 1, 0, 0), "bold"
    table.add_column("metric", no_wrap=True)
    for heading in ("control", "arm", "change", "between", "margin"):
        table.add_column(heading, justify="right", no_wrap=heading != "between")
    table.add_column("so it is", overflow="fold")
    for reading in _of(verdict.primary, arm):
        _add(table, reading.metric, shown.row(reading, "primary"))
    for reading in _of(verdict.guardrails, arm):
        _add(table, reading.metric, shown.row(reading, "guardrail"))
    for judged in verdict.judge:
        if judged.arm == arm:
            _add(table, "judge", replace(shown.judge_row(judged), value=""))
    for reading in _of(verdict.secondary, arm) if with_secondary else ():
        if reading.value is not None or reading.control_value is not None:
            _add(table, reading.metric, shown.row(reading, "secondary"))
    return table


def _of(listed: tuple[Reading, ...], arm: str) -> list[Reading]:
    return [reading for reading in listed if reading.arm == arm]


def _add(table: Table, metric: str, row: Row) -> None:
    look = "red" if row.is_bad else "green" if row.is_good else ""
    margin = "" if row.margin == UNKNOWN else row.margin.removesuffix(" pp").lstrip("+")
    between = row.interval.removesuffix(" %").removesuffix(" pp")
    standing = _STANDINGS.get(row.standing, row.standing)
    table.add_row(
        plain(metric), row.control_value, row.value, row.change, between, margin, Text(standing, look)
    )


def _facts(known: Known, verdict: Verdict) -> Table:
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in (
        ("units", shown.units_sentence(verdict)),
        ("days still to go", shown.days_sentence(verdict)),
        ("units by arm", shown.ratio_sentence(verdict.sample_ratio)),
        ("first request", shown.when(verdict.since)),
        ("last request", shown.when(known.last_at)),
    ):
        facts.add_row(name, value)
    return facts


def _arms(verdict: Verdict) -> Table:
    table = Table("arm", "part", box=None, padding=(0, 2, 0, 0))
    for heading in ("units", "share, as planned", "requests", "compressed"):
        table.add_column(heading, justify="right", no_wrap=True)
    for arm in verdict.arms:
        table.add_row(
            Text(plain(shown.cut_name(arm.name)), overflow="fold"),
            shown.arm_role(arm, verdict.withdrawn),
            count(arm.n_units),
            shown.arm_shares(arm),
            count(arm.n_requests),
            shown.applied(arm),
        )
    return table


def _changes(known: Known) -> RenderableType:
    table = Table("when", "state", "reason", box=None, padding=(0, 2, 0, 0))
    for change in known.changes:
        table.add_row(
            shown.when(change.at), plain(change.state).replace("_", " "), plain(change.reason or "")
        )
    return Padding(table, (0, 0))


def _nothing(known: Known) -> str:
    if known.standing == "ended":
        return f"{count(known.n_units)} units took part; no policy in force says how to read them."
    return "No request has taken part yet: send some that this policy matches, or look at its conditions."


def _days(verdict: Verdict) -> str:
    days = verdict.days_to_go
    return "–" if days is None else f"{max(0.0, days):,.1f}"

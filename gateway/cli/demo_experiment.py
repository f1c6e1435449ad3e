"""`pith demo --experiment`: an experiment from its first request to a decision, with simulated users."""

from __future__ import annotations

import logging
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console

from gateway.cli import experiment_tables as tables
from gateway.dashboard.figures import UNKNOWN
from gateway.demo.experiment import NAME, USERS, Stage, play
from gateway.experiments import shown
from policies.verdict import Reading, Verdict

_LEDGER = "pith.db"
_SHOWN = ("billed_cost", "unit_cost", "retries", "repeats", "turns", "feedback")


def run(into: Path | None, *, is_markdown: bool) -> None:
    """Play it and say what came of it."""
    with _folder(into) as folder:
        if is_markdown:
            click.echo(_markdown(list(play(folder))))
            return
        console = Console(highlight=False)
        console.print(f"{USERS} users ask an assistant where things are; a third of them in each arm.\n")
        stages = []
        logging.getLogger("gateway.experiments.watch").addHandler(logging.NullHandler())  # the lines say it
        for stage in play(folder):
            stages.append(stage)
            console.print(_line(stage), markup=False)
    console.print()
    for one in tables.one(stages[-1].known):
        console.print(one)
    if into is not None:
        click.echo(
            f"\nIt is all in {into}; to look again:\n"
            f"  pith experiment show {NAME} --policies {into / 'policies.yaml'} "
            f"--ledger sqlite:///{into / _LEDGER}"
        )


@contextmanager
def _folder(into: Path | None) -> Iterator[Path]:
    """A folder without a ledger: its figures would be added to those of another run."""
    if into is None:
        with tempfile.TemporaryDirectory(prefix="pith-experiment-") as folder:
            yield Path(folder)
        return
    if (into / _LEDGER).exists():
        raise click.UsageError(
            f"--into {into}: there is a ledger of another run, {_LEDGER}; name a new folder"
        )
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.UsageError(f"--into {into}: {error.strerror}; name a folder that can be made") from error
    yield into


def _line(stage: Stage) -> str:
    """What was done at this look, else how it stands."""
    known, verdict = stage.known, stage.known.verdict
    if stage.is_new:
        said = f"Rolled back {', '.join(known.withdrawn)}: {known.changes[0].reason}"
    elif verdict is not None:
        said = f"{shown.verdict_words(verdict)}: {verdict.reason}"
    else:
        said = "nothing on record"
    return textwrap.fill(f"{stage.n_users:>4} users  {said}", 80, subsequent_indent=" " * 12)


def _markdown(stages: Sequence[Stage]) -> str:
    """The looks at which the verdict was another one, and the last figures, without what depends on time."""
    known = stages[-1].known
    assert known.verdict is not None, "users came"
    lines = ["", "```text", *_changes(stages), "```", ""]
    return "\n".join([*lines, *_table(known.verdict), ""])


def _changes(stages: Sequence[Stage]) -> Iterator[str]:
    before = ""
    for stage in stages:
        verdict = stage.known.verdict
        assert verdict is not None, "users came"
        words = shown.verdict_words(verdict)
        if words != before or stage is stages[-1] or stage.is_new:
            yield _line(stage)
        before = "" if stage.is_new else words


def _table(verdict: Verdict) -> Iterator[str]:
    """A column an arm."""
    arms = verdict.arms
    readings = [*verdict.primary, *verdict.guardrails, *verdict.secondary]
    yield "| | " + " | ".join(arm.name for arm in arms) + " |"
    yield "|---|" + "--:|" * len(arms)
    yield "| units | " + " | ".join(f"{arm.n_units:,}" for arm in arms) + " |"
    yield "| requests | " + " | ".join(f"{arm.n_requests:,}" for arm in arms) + " |"
    for metric in _SHOWN:
        of_metric = {one.arm: one for one in readings if one.metric == metric}
        if of_metric:
            cells = [_cell(of_metric, arm.name, is_control=arm.is_control) for arm in arms]
            yield f"| {shown.kind_of(metric).title} | " + " | ".join(cells) + " |"


def _cell(readings: dict[str, Reading], arm: str, *, is_control: bool) -> str:
    """Control's figure, or the arm's with its interval."""
    if is_control:
        first = next(iter(readings.values()))
        return shown.kind_of(first.metric).format(first.control_value)
    if arm not in readings:
        return UNKNOWN
    row = shown.row(readings[arm], "")
    return f"{row.value} ({row.interval})"

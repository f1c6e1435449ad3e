"""What an experiment's numbers are worth: how often they are wrong, what they find, and what they cost.

    python -m tests.bench_experiments                       all of it, in about ten minutes
    python -m tests.bench_experiments --users 200 --replays 100 --rows 10000

The units of the first table are recorded: simulated users talk over HTTP through the whole gateway, whose
two arms are treated alike. They are then dealt anew by other salts, a thousand times, and looked at a hundred
times each. The other tables are of made-up units.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from rich.console import Console
from rich.table import Table

from gateway.ledger.experiment_sums import SummedFigures, read_sums
from gateway.ledger.experiment_tables import units
from gateway.ledger.experiments import read_outcomes
from gateway.ledger.opening import Database, open_database
from policies.experiment import deal
from policies.outcomes import COLUMNS, COUNTS, FIRST, METRICS, Outcomes
from policies.readings import UnitFigures, log_variance
from policies.schema import Experiment
from policies.simulation import units_for
from policies.verdict import Evidence, harms_of, verdict
from tests.experiment_replays import (
    Flags,
    dealt,
    ever_misdealt,
    first_look,
    harmful,
    looks_at,
    peeked,
    told_apart,
)
from tests.experiment_traffic import record, same_arms
from tests.policies.made_outcomes import NOW, experiment, outcomes

T = TypeVar("T")

LOOKS = 100
EFFECTS = (0.05, 0.1, 0.2)
DESIGN = Experiment.model_validate(same_arms()["experiment"])
RAILS = [METRICS[name] for name in DESIGN.guardrails if name != "judge"]
_CHUNK = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--users", type=int, default=2_000, help="who talk over HTTP")
    parser.add_argument("--replays", type=int, default=1_000)
    parser.add_argument("--rows", type=int, default=1_000_000, help="units of the verdict that is timed")
    asked = parser.parse_args()
    console = Console(width=110)
    with tempfile.TemporaryDirectory() as folder:
        console.print(f"{asked.users:,} simulated users talk over HTTP…")
        recorded = record(Path(folder), asked.users)
    salts = [f"salt {number}" for number in range(asked.replays)]
    title = (
        f"Arms treated alike: {len(recorded.units):,} units over HTTP, {asked.replays:,} salts, {LOOKS} looks"
    )
    console.print(false_alarms(title, recorded.outcomes, dealt(recorded.units, salts)))
    made = outcomes(10_000, errors={"control": 0.02, "half": 0.02})
    title = f"The same of 10,000 made-up units, 2 % of the requests failing, {asked.replays:,} salts"
    names = [str(number) for number in range(10_000)]
    console.print(false_alarms(title, made, dealt(names, salts)))
    console.print(power(asked.replays // 4))
    console.print(detection(asked.replays // 4))
    with tempfile.TemporaryDirectory() as folder:
        console.print(times(Path(folder), asked.rows))


def false_alarms(title: str, made: Outcomes, treated: Flags) -> Table:
    """How often something is found where there is nothing."""
    looks = looks_at(len(made.arm), LOOKS)
    table = Table("what is asked at every look", "wrong", "at most", title=title)
    for name in ("billed_cost", "output_tokens", "turns", "total_ms"):
        found = told_apart(made, METRICS[name], treated, DESIGN, looks)
        table.add_row(f"{name}: do the arms differ?", _share(found), "5 %")
    found = peeked(made, METRICS["billed_cost"], treated, DESIGN, looks)
    table.add_row("billed_cost: the same by a plain 95 % interval", _share(found), "no bound")
    harms = np.logical_or.reduce([harmful(made, rail, treated, DESIGN, looks) for rail in RAILS])
    table.add_row("any guardrail: is there harm?", _share(harms), "1 %")
    chi2, e_value = ever_misdealt(treated, looks)
    table.add_row("sample ratio by chi-square, at the last look only", f"{chi2.mean():.2%}", "0.1 %")
    table.add_row("sample ratio by e-value", f"{e_value.mean():.2%}", "0.1 %")
    return table


def power(replays: int) -> Table:
    """How often a change is found by as many units as are asked for, and after how many."""
    table = Table("change", "units asked for", "found", "planned", "median units", title="Change is found")
    for effect in EFFECTS:
        design = experiment(plan={"effect": effect})
        variance = log_variance(UnitFigures(outcomes(20_000), design), "half")
        assert variance is not None
        n_units = units_for(design, variance, effect)
        looks = looks_at(n_units, LOOKS)
        draws = (outcomes(n_units, seed, lift=effect) for seed in range(replays))
        found = [
            told_apart(made, METRICS["billed_cost"], made.arm[None] == 1, design, looks) for made in draws
        ]
        units_each = first_look(np.concatenate(found), looks)
        share = len(units_each) / replays
        table.add_row(
            f"{effect:.0%}", f"{n_units:,}", f"{share:.0%}", "80 %", f"{np.median(units_each):,.0f}"
        )
    return table


def detection(replays: int) -> Table:
    """After how many units harm is found."""
    table = Table("errors, control and arm", "found by 20,000 units", "median units", title="Harm is found")
    looks, design = looks_at(20_000, 200), experiment()
    for errors in (0.03, 0.05, 0.1):
        shares = {"control": 0.02, "half": errors}
        draws = (outcomes(20_000, seed, errors=shares) for seed in range(replays))
        found = [harmful(made, METRICS["errors"], made.arm[None] == 1, design, looks) for made in draws]
        units_each = first_look(np.concatenate(found), looks)
        share = len(units_each) / replays
        table.add_row(f"2 % and {errors:.0%}", f"{share:.0%}", f"{np.median(units_each):,.0f}")
    return table


def times(folder: Path, n_rows: int) -> Table:
    """What it costs, in processor time."""
    table = Table("what", "processor time", title=f"Price, with {n_rows:,} units")
    design, made = experiment(), outcomes(n_rows, lift=-0.2)
    names = [f"conversation {number}" for number in range(20_000)]
    seconds, _ = _timed(lambda: [deal(design, name) for name in names])
    table.add_row("dealing one unit", f"{seconds / len(names) * 1e6:.1f} us")
    seconds, _ = _timed(lambda: verdict(Evidence("rag", "v1", made), design, NOW))
    table.add_row("the verdict", f"{seconds:.2f} s")
    database = open_database(f"sqlite:///{folder / 'pith.db'}")
    _fill(database, made)
    with database.open_reader() as connection:
        seconds, read = _timed(lambda: read_outcomes(connection, "rag", "v1"))
        assert len(read.arm) == n_rows
        table.add_row("reading every unit for it, SQLite", f"{seconds:.2f} s")
        seconds, sums = _timed(lambda: read_sums(connection, ("rag", "v1"), RAILS))
        table.add_row("summing the guardrails for the watch, SQLite", f"{seconds:.2f} s")
    seconds, _ = _timed(lambda: harms_of(SummedFigures(design, sums)))
    table.add_row("reading the guardrails from those sums", f"{seconds * 1e3:.1f} ms")
    return table


def _share(found: Flags) -> str:
    """Of the replays, in which it was found at any look."""
    return f"{found.any(axis=1).mean():.1%}"


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    """The best of three."""
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        result = work()
        best = min(best, time.process_time() - began)
    return best, result


def _fill(database: Database, made: Outcomes) -> None:
    names = ("experiment", "version", "unit", "arm", "first_at", "last_at", *COLUMNS)
    marks = ", ".join("?" * len(names))
    statement = f"insert into {units.name} ({', '.join(names)}) values ({marks})"
    whole = {*COUNTS, FIRST}
    columns = [made.columns[name].astype(int if name in whole else float).tolist() for name in COLUMNS]
    keys = [("rag", "v1", f"{i:08x}", made.arms[arm], 0.0, NOW) for i, arm in enumerate(made.arm)]
    with database.open_writer() as connection:
        for start in range(0, len(keys), _CHUNK):
            here = slice(start, start + _CHUNK)
            rows = zip(keys[here], zip(*(column[here] for column in columns), strict=True), strict=True)
            connection.exec_driver_sql(statement, [key + values for key, values in rows])
        connection.commit()


if __name__ == "__main__":
    main()

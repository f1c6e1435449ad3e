"""`pith experiment simulate`: how long it takes to detect an effect at today's traffic."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import click
import orjson
from rich.console import Console
from rich.table import Table

from gateway.cli.experiments_source import Source, common, open_source
from gateway.dashboard.figures import count
from gateway.errors import ConfigError
from gateway.ledger.database import STORE_ERRORS
from gateway.ledger.opening import open_database
from gateway.ledger.planning import read_conversations
from policies.outcomes import Outcomes
from policies.schema import Experiment
from policies.simulation import Detection, Traffic, traffic_of
from policies.simulation import simulate as simulated
from policies.validate import suggestion

DAY_S: Final = 86_400.0
_LEAST_DAYS: Final = 1 / 24
"""A ledger that is minutes old says little of a day."""
_EFFECTS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3)


@dataclass(frozen=True, slots=True)
class Basis:
    """What is reckoned with, and where it is from."""

    traffic: Traffic
    n_units: int
    said: str


@click.command()
@click.argument("name")
@click.option(
    "--effect",
    "effects",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    multiple=True,
    help="Relative change to be found, e.g. 0.05. Repeatable.  [default: the plan's, and some besides]",
)
@click.option(
    "--days",
    type=click.IntRange(1, 365),
    default=7,
    show_default=True,
    help="Of the past to take the traffic from.",
)
@click.option(
    "--like", metavar="POLICY", help="Take this policy's requests for it; else the experiment's own."
)
@common
def simulate(
    name: str,
    effects: tuple[float, ...],
    days: int,
    like: str | None,
    path: Path | None,
    policies: Path | None,
    ledger: str | None,
    is_json: bool,
) -> None:
    """How long the experiment of policy NAME takes to find an effect at today's traffic."""
    source = open_source(path, policies, ledger)
    experiment = _experiment(source, name)
    basis = _basis(source, name, like, experiment, days)
    asked = effects or tuple(sorted({*_EFFECTS, experiment.plan.effect}))
    try:
        found = simulated(basis.traffic, experiment, asked)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    if is_json:
        said = {"basis": basis.said, "units_seen": basis.n_units, **asdict(basis.traffic)}
        plan = experiment.plan.model_dump()
        click.echo(
            orjson.dumps({"experiment": name, **said, "plan": plan, "effects": list(map(asdict, found))})
        )
        return
    _print(name, experiment, basis, found)


def _experiment(source: Source, name: str) -> Experiment:
    planned = {one.name: one.experiment for one in source.policies.policies if one.experiment is not None}
    experiment = planned.get(name)
    if experiment is None:
        hint = (
            suggestion(name, planned) or f"; there are {', '.join(planned) or 'none: name the policy file'}"
        )
        raise click.ClickException(f"no policy in {source.policies.source} has an experiment {name!r}{hint}")
    return experiment


def _basis(source: Source, name: str, like: str | None, experiment: Experiment, days: int) -> Basis:
    """The experiment's own units where they are enough; else conversations of the ledger."""
    if like is None and (own := _of_itself(source, name, experiment)) is not None:
        return own
    since = time.time() - days * DAY_S
    for policy in (like,) if like is not None else (name, None):
        outcomes = _conversations(source.ledger, policy, since)
        n_units = len(outcomes.arm)
        per_day = n_units / _days(outcomes, most=days) if n_units else 0.0
        traffic = traffic_of(outcomes, experiment, per_day) if per_day else None
        if traffic is not None:
            whose = "all conversations" if policy is None else f"conversations of policy {policy}"
            return Basis(traffic, n_units, f"{whose} of the last {days} days")
    least, whose = 2 * experiment.plan.min_units, f" of policy {like}" if like else ""
    raise click.ClickException(
        f"the ledger has fewer than {least} priced conversations{whose} of the last {days} days: "
        "wait for them, take more --days, or name another policy's with --like"
    )


def _of_itself(source: Source, name: str, experiment: Experiment) -> Basis | None:
    version = next(one.version for one in source.policies.policies if one.name == name)
    outcomes = asyncio.run(source.store.outcomes(name, version))
    n_units = len(outcomes.arm)
    if not n_units or not experiment.share:
        return None
    traffic = traffic_of(outcomes, experiment, n_units / _days(outcomes) / experiment.share)
    return None if traffic is None else Basis(traffic, n_units, "the experiment's own control")


def _days(outcomes: Outcomes, most: float = float("inf")) -> float:
    """Over which they came, up to now: what has stopped coming is no traffic."""
    return min(most, max(_LEAST_DAYS, (time.time() - outcomes.first_at) / DAY_S))


def _conversations(url: str, policy: str | None, since: float) -> Outcomes:
    database = open_database(url)
    try:
        with database.open_reader() as connection:
            return read_conversations(connection, policy, since)
    except STORE_ERRORS as error:
        raise ConfigError(database.explain(error)) from error


def _print(name: str, experiment: Experiment, basis: Basis, found: Sequence[Detection]) -> None:
    console, plan = Console(highlight=False), experiment.plan
    console.print(
        f"{name}: {count(basis.traffic.units_per_day)} units a day, which differ by "
        f"{100 * basis.traffic.variation:.0f} % in {experiment.primary} (from {basis.said}, "
        f"{count(basis.n_units)} units). Power {plan.power:g} at alpha {plan.alpha:g}, looking whenever you "
        f"like; at least {plan.min_days:g} days.\n",
        markup=False,
    )
    table = Table("change to be found", box=None, padding=(0, 3, 0, 0))
    for heading in ("units", "days", "units, if looked at once"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in found:
        mark = "  (the plan's)" if one.effect == plan.effect else ""
        table.add_row(
            f"{100 * one.effect:g} %{mark}", count(one.units), _shown(one.days), count(one.units_one_look)
        )
    console.print(table)


def _shown(days: float) -> str:
    return f"{days:,.1f}" if days < 10 else count(days)

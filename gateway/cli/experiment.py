"""`pith experiment list | show | reset | simulate`: what comes of the experiments in the policy file."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

import click
import orjson
from rich.console import Console, RenderableType

from gateway.cli import experiment_tables as tables
from gateway.cli.experiment_simulate import simulate
from gateway.cli.experiments_source import Source, common, no_such, open_source
from gateway.experiments.census import reset as reset_one
from gateway.experiments.census import take_census
from gateway.experiments.known import Census, Known, as_json, one_as_json
from gateway.refusal import Refusal

_WIDEST: Final = 1000
"""Columns a table may take, terminal or not."""


@click.group()
def experiment() -> None:
    """See what experiments say, and let one that was rolled back run again."""


experiment.add_command(simulate)


@experiment.command("list")
@common
def list_command(path: Path | None, policies: Path | None, ledger: str | None, is_json: bool) -> None:
    """Every experiment: those in the policy file, and what is on record besides."""
    census = _census(open_source(path, policies, ledger))
    if is_json:
        click.echo(orjson.dumps(as_json(census), option=orjson.OPT_INDENT_2))
    elif not census.experiments:
        click.echo(
            "There is no experiment: give a policy one (docs/experiments.md), or name the policy file."
        )
    else:
        _print(tables.every(census))


@experiment.command("show")
@click.argument("name")
@common
def show_command(
    name: str, path: Path | None, policies: Path | None, ledger: str | None, is_json: bool
) -> None:
    """Arms, intervals, guardrails and the verdict of the experiment of policy NAME."""
    census = _census(open_source(path, policies, ledger))
    known = _named(census, name)
    if is_json:
        click.echo(orjson.dumps(one_as_json(known), option=orjson.OPT_INDENT_2))
        return
    _print(*tables.one(known))


@experiment.command("reset")
@click.argument("name")
@common
def reset_command(
    name: str, path: Path | None, policies: Path | None, ledger: str | None, is_json: bool
) -> None:
    """Let all arms of the rolled back experiment of policy NAME run again."""
    source = open_source(path, policies, ledger)
    try:
        asyncio.run(reset_one(source.store, source.policies, name, time.time()))
    except Refusal as refusal:
        raise click.ClickException(refusal.message) from refusal
    click.echo(
        orjson.dumps({"experiment": name, "state": "running"})
        if is_json
        else f"{name} runs again in all arms; gateways know it within seconds."
    )


def _census(source: Source) -> Census:
    return asyncio.run(take_census(source.store, source.policies, time.time()))


def _named(census: Census, name: str) -> Known:
    known = census.named(name)
    if known is None:
        raise no_such(name, census)
    return known


def _print(*shown: RenderableType) -> None:
    """As wide as it has to be: a line that wraps can be read, a figure cut short is wrong."""
    console = Console(highlight=False)
    for one in shown:
        console.print(one)

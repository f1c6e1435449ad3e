"""Where `pith experiment` reads: the ledger and the policies of `pith serve`, by the same options."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.config import load as load_config
from gateway.config import open_policies
from gateway.experiments.known import Census
from gateway.ledger.experiments import ExperimentStore, open_experiments
from policies.match import PolicySet
from policies.validate import suggestion

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Source:
    """The ledger and the policies."""

    ledger: str
    store: ExperimentStore
    policies: PolicySet


def common(command: Decorated) -> Decorated:
    """Options of every command."""
    for option in (
        click.option("--json", "is_json", is_flag=True, help="Machine output."),
        click.option("--ledger", metavar="URL", help="URL of the ledger.  [default: sqlite:///pith.db]"),
        click.option("--policies", type=click.Path(path_type=Path), help="Policy file (YAML)."),
        click.option("--config", "path", type=click.Path(path_type=Path), help="Configuration file (YAML)."),
    ):
        command = option(command)
    return command


def open_source(path: Path | None, policies: Path | None, ledger: str | None) -> Source:
    """Flags come before PITH_* variables, those before the configuration file. Raises ConfigError."""
    flags = {"policies": str(policies) if policies else None, "ledger": ledger}
    config = load_config(path, os.environ, flags)
    return Source(config.ledger, open_experiments(config.ledger), open_policies(config).current)


def no_such(name: str, census: Census) -> click.ClickException:
    """There is no experiment of that name; these there are."""
    names = list(dict.fromkeys(known.name for known in census.experiments))
    none = "; no policy has one: give it an `experiment`, or name the policy file"
    hint = suggestion(name, names) or (f"; there are {', '.join(names)}" if names else none)
    return click.ClickException(f"there is no experiment {name!r}{hint}")

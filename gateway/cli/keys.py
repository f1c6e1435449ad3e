"""`pith keys create | list | revoke`: virtual keys in the key store. A gateway knows within two seconds."""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.access.keys import VirtualKey, hash_of, make_key
from gateway.access.store import KeyStore, StoredKey
from gateway.config import load as load_config
from gateway.settings import Config
from policies.errors import PolicyError
from policies.parse import Document
from policies.validate import validate

_UNITS: Final = {"h": "hours", "d": "days", "w": "weeks"}
_BUDGET: Final = re.compile(r"(\d+(?:\.\d+)?)/(day|month)")
_WIDTH: Final = 500
"""Columns a table may take: an id that is cut short cannot be revoked."""

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def _common(command: Decorated) -> Decorated:
    """Options of every command here."""
    for option in (
        click.option("--config", "path", type=click.Path(path_type=Path), help="Configuration file (YAML)."),
        click.option(
            "--key-store", metavar="URL", help="Where keys are, if not where the configuration says."
        ),
        click.option("--json", "is_json", is_flag=True, help="Machine output."),
    ):
        command = option(command)
    return command


class Expiry(click.ParamType[datetime]):
    """A duration from now, or a UTC date or time."""

    name = "expiry"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if match := re.fullmatch(r"(\d{1,5})([hdw])", value):
            return datetime.now(UTC).replace(microsecond=0) + timedelta(**{_UNITS[match[2]]: int(match[1])})
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither like 90d (h, d, w) nor like 2027-01-31", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Budget(click.ParamType[tuple[str, float]]):
    """Dollars a day or month, as the name of a key's field and its value."""

    name = "budget"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        if (match := _BUDGET.fullmatch(value)) is None or not float(match[1]):
            self.fail(f"{value!r} is not like 20/day or 300/month, in USD", param, ctx)
        return f"usd_per_{match[2]}", float(match[1])


@click.group()
def keys() -> None:
    """Make, list and revoke virtual keys."""


@keys.command("create")
@click.option("--id", "key_id", help="Public name, in the ledger and in policies; drawn where not given.")
@click.option("--team", help="Whose key it is: a team shares recorded scores.")
@click.option("--models", multiple=True, metavar="GLOB", help="Models it may use. Repeatable.")
@click.option("--paths", multiple=True, metavar="GLOB", help="Paths it may use. Repeatable.")
@click.option("--policies", multiple=True, metavar="GLOB", help="Policies it may name. Repeatable.")
@click.option("--no-overrides", is_flag=True, help="Its x-pith-policy, -mode and -rate are ignored.")
@click.option("--expires", type=Expiry(), metavar="90d|2027-01-31", help="When it ends (UTC).")
@click.option("--requests-per-minute", type=click.IntRange(min=1), help="Most requests in a minute.")
@click.option("--tokens-per-minute", type=click.IntRange(min=1), help="Most tokens in a minute.")
@click.option(
    "--budget", "budgets", type=Budget(), multiple=True, metavar="20/day|300/month", help="Most USD."
)
@click.option("--no-store", is_flag=True, help="Store nothing: for `keys` in a configuration file.")
@_common
def create(
    path: Path | None,
    key_store: str | None,
    is_json: bool,
    key_id: str | None,
    no_overrides: bool,
    budgets: tuple[tuple[str, float], ...],
    no_store: bool,
    **scopes: Any,
) -> None:
    """Make a key and print it, this once: only its hash is kept."""
    key_id = key_id or f"k{secrets.token_hex(5)}"
    given = {name: list(value) if isinstance(value, tuple) else value for name, value in scopes.items()}
    grants = {"id": key_id, "overrides": not no_overrides, **given, **dict(budgets)}
    text = make_key(key_id)
    key = _checked({name: value for name, value in grants.items() if value not in (None, [])}, text)
    if not no_store:
        config = _config(path, key_store)
        if any(known.id == key_id for known in config.keys):
            raise click.ClickException(f"key {key_id!r} is in the configuration: choose another --id")
        with closing(_open(config)) as store:
            store.add(key)
    if is_json:
        click.echo(orjson.dumps({"key": text, **_plain(key), "hash": key.hash}, option=orjson.OPT_INDENT_2))
        return
    click.echo(text)
    if no_store:
        click.echo(f"- {json.dumps({**_plain(key), 'hash': key.hash})}")
    else:
        click.echo("It is not shown again; gateways know it within 2 s.", err=True)


@keys.command("list")
@_common
def list_keys(path: Path | None, key_store: str | None, is_json: bool) -> None:
    """Keys of the store, and what they may do. Those in a configuration file are not among them."""
    with closing(_open(_config(path, key_store))) as store:
        rows = store.rows()
    if is_json:
        records = [{**_plain(row.key), "state": _state(row), **_moments(row)} for row in rows]
        click.echo(orjson.dumps(records, option=orjson.OPT_INDENT_2))
    elif not rows:
        click.echo("There are no keys.")
    else:
        console = Console(width=_WIDTH)
        console.print(_table(rows))


@keys.command("revoke")
@click.argument("key_id")
@_common
def revoke(path: Path | None, key_store: str | None, is_json: bool, key_id: str) -> None:
    """End the key called KEY_ID. It cannot be taken back."""
    config = _config(path, key_store)
    with closing(_open(config)) as store:
        is_ended = store.revoke(key_id)
    if not is_ended:
        known = any(key.id == key_id for key in config.keys)
        hint = "it is in the configuration: remove it there and restart" if known else "see `pith keys list`"
        raise click.ClickException(f"the store has no key {key_id!r} in force; {hint}")
    click.echo(
        orjson.dumps({"id": key_id, "state": "revoked"})
        if is_json
        else f"{key_id} is revoked; gateways refuse it within 2 s."
    )


def _config(path: Path | None, key_store: str | None) -> Config:
    return load_config(path, os.environ, {"key_store": key_store})


def _open(config: Config) -> KeyStore:
    return KeyStore(config.key_store_url, config.ledger)


def _checked(grants: dict[str, object], text: str) -> VirtualKey:
    try:
        return validate(VirtualKey, Document({**grants, "hash": hash_of(text)}, "command line", {}))
    except PolicyError as error:
        raise click.UsageError(str(error)) from error


def _plain(key: VirtualKey) -> dict[str, object]:
    """What a key may do, as `keys:` in a configuration file says it."""
    return key.model_dump(mode="json", exclude_defaults=True, exclude={"hash"})


def _state(row: StoredKey) -> str:
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.key.is_expired(datetime.now(UTC)) else "active"


def _moments(row: StoredKey) -> dict[str, str | None]:
    return {"created_at": _moment(row.created_at), "revoked_at": _moment(row.revoked_at)}


def _moment(at: float | None) -> str | None:
    return None if at is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def _table(rows: list[StoredKey]) -> Table:
    table = Table()
    for heading in ("id", "team", "state", "created", "scopes and limits"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        scopes = {name: value for name, value in _plain(row.key).items() if name not in ("id", "team")}
        cells = (row.key.id, row.key.team or "", _state(row), _moment(row.created_at) or "", _said(scopes))
        table.add_row(*map(Text, cells))
    return table


def _said(scopes: dict[str, object]) -> str:
    return ", ".join(
        f"{name} {' '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in scopes.items()
    )

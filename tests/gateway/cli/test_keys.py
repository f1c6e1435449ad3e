"""`pith keys`: made once, listed without a secret, ended for good."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.access.keys import VirtualKey, hash_of
from gateway.cli import main
from gateway.config import load as load_config


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pith(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["keys", *arguments])


def listed() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads(pith("list", "--json").stdout)
    return rows


def test_a_key_is_shown_once(folder: Path) -> None:
    made = pith("create", "--id", "search-prod", "--team", "search")
    assert made.exit_code == 0
    text = made.stdout.strip()
    assert text.startswith("pith-search-prod-")
    said = pith("list").output + pith("list", "--json").output
    assert "search-prod" in said
    secret = text.rpartition("-")[2]
    assert secret not in said
    assert hash_of(text) not in said
    assert not any(secret.encode() in file.read_bytes() for file in folder.iterdir())


def test_every_scope_and_limit_can_be_given(folder: Path) -> None:
    options = "--models gpt-* --models o* --paths /v1/* --policies rag --no-overrides --expires 90d"
    limits = "--requests-per-minute 10 --tokens-per-minute 20 --budget 2.5/day --budget 30/month"
    made = pith("create", "--json", *options.split(), *limits.split())
    key = json.loads(made.stdout)
    [row] = listed()
    expires = datetime.fromisoformat(str(row.pop("expires")))
    assert abs(expires - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=5)
    assert row == {
        "id": key["id"],
        "models": ["gpt-*", "o*"],
        "paths": ["/v1/*"],
        "policies": ["rag"],
        "overrides": False,
        "requests_per_minute": 10,
        "tokens_per_minute": 20,
        "usd_per_day": 2.5,
        "usd_per_month": 30.0,
        "state": "active",
        "created_at": row["created_at"],
        "revoked_at": None,
    }
    assert key["key"].startswith(f"pith-{key['id']}-")
    assert "requests_per_minute 10" in pith("list").output


def test_a_key_ends_once(folder: Path) -> None:
    pith("create", "--id", "a")
    assert "a is revoked" in pith("revoke", "a").stdout
    assert listed()[0]["state"] == "revoked"
    again = pith("revoke", "a")
    assert again.exit_code == 1
    assert "the store has no key 'a' in force" in again.stderr
    assert "there is a key 'a' already" in pith("create", "--id", "a").stderr


def test_an_expired_key_is_listed_as_such(folder: Path) -> None:
    assert pith("create", "--id", "a", "--expires", "2020-01-01").exit_code == 0
    assert listed()[0]["state"] == "expired"


def test_an_empty_store(folder: Path) -> None:
    assert pith("list").output == "There are no keys.\n"
    assert listed() == []


def test_an_entry_for_the_configuration_can_be_pasted(folder: Path) -> None:
    made = pith(
        "create", "--no-store", "--id", "a", "--team", "t", "--budget", "5/day", "--expires", "2030-01-01"
    )
    text, entry = made.stdout.strip().split("\n")
    config = folder / "pith.yaml"
    config.write_text(f"upstreams: {{openai: {{url: http://h, key: none}}}}\nkeys:\n  {entry}\n")
    assert load_config(config, {}, {}).keys == (
        VirtualKey(
            id="a", team="t", hash=hash_of(text), usd_per_day=5, expires=datetime(2030, 1, 1, tzinfo=UTC)
        ),
    )
    assert not (folder / "pith.db").exists()
    clash = pith("create", "--config", str(config), "--id", "a")
    assert "key 'a' is in the configuration" in clash.stderr
    assert "remove it there" in pith("revoke", "--config", str(config), "a").stderr


def test_another_store_can_be_named(folder: Path) -> None:
    url = f"sqlite:///{folder / 'keys.db'}"
    assert pith("create", "--key-store", url, "--id", "a").exit_code == 0
    assert listed() == []
    assert len(json.loads(pith("list", "--json", "--key-store", url).stdout)) == 1


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--id", "a b"], 2, "use up to 64 letters"),
        (["--budget", "5"], 2, "'5' is not like 20/day"),
        (["--budget", "0/day"], 2, "is not like"),
        (["--expires", "soon"], 2, "is neither like 90d"),
        (["--requests-per-minute", "0"], 2, "0 is not in the range"),
        (["--key-store", "mysql://u:hunter2@h/d"], 1, "must be postgresql://"),
        (["--key-store", "postgresql://u:hunter2@127.0.0.1:9/d"], 1, "key store: "),
    ],
)
def test_what_is_wrong_is_said(folder: Path, options: list[str], code: int, said: str) -> None:
    result = pith("create", *options)
    assert result.exit_code == code
    assert said in result.stderr
    assert "hunter2" not in result.output

"""gateway.admin.settings: a listener that others reach has a token, and no message repeats it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.admin.settings import AdminConfig
from gateway.config import load
from gateway.errors import ConfigError

TOKEN = "canary-0123456789abcdef"


def admin(folder: Path, text: str, **env: str) -> AdminConfig:
    file = folder / "pith.yaml"
    file.write_text(text)
    return load(file, env, {}).admin


def test_by_default_it_is_on_loopback_without_a_token(tmp_path: Path) -> None:
    read = admin(tmp_path, "")
    assert str(read.address) == "127.0.0.1:8081"
    assert read.token is None


def test_the_variable_is_the_token_where_none_is_named(tmp_path: Path) -> None:
    read = admin(tmp_path, "", PITH_ADMIN_TOKEN=TOKEN)
    assert read.token is not None
    assert read.token.get_secret_value() == TOKEN
    assert TOKEN not in repr(read)


def test_a_named_variable_is_the_token_also_when_its_name_looks_like_ours(tmp_path: Path) -> None:
    text = 'admin: {listen: "0.0.0.0:9000", token: "env:PITH_ADMIN_TOKENS"}'
    read = admin(tmp_path, text, PITH_ADMIN_TOKENS=TOKEN)
    assert read.token is not None
    assert str(read.address) == "0.0.0.0:9000"


@pytest.mark.parametrize("text", ["admin: off", "admin: {listen: off}"])
def test_it_can_be_off(text: str, tmp_path: Path) -> None:
    assert admin(tmp_path, text).address is None


def test_a_variable_turns_it_off() -> None:
    assert load(None, {"PITH_ADMIN__LISTEN": "off"}, {}).admin.address is None


@pytest.mark.parametrize("listen", ["0.0.0.0:8081", "[::]:8081", "pith.example.com:8081", "10.0.0.1:0"])
def test_an_address_that_others_reach_wants_a_token(listen: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="which others reach, and there is no token: set PITH_ADMIN_TOKEN"):
        admin(tmp_path, f'admin: {{listen: "{listen}"}}')
    assert admin(tmp_path, f'admin: {{listen: "{listen}"}}', PITH_ADMIN_TOKEN=TOKEN).address is not None


@pytest.mark.parametrize(
    ("text", "env", "message"),
    [
        ("admin: {listen: 8081}", {}, "must be HOST:PORT"),
        ("admin: {listen: nowhere}", {}, "must be HOST:PORT"),
        ("admin: {token: canary-0123456789abcdef}", {}, "must be env:NAME; the token itself does not"),
        ('admin: {token: "env:T"}', {}, "environment variable T is not set"),
        ('admin: {token: "env:T"}', {"T": "canary"}, "environment variable T: use at least 16"),
        ("", {"PITH_ADMIN_TOKEN": "canary"}, "environment variable PITH_ADMIN_TOKEN: use at least 16"),
        ("admin: {lisen: off}", {}, "did you mean 'listen'"),
    ],
)
def test_what_is_wrong_is_said_and_no_token_with_it(
    text: str, env: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        admin(tmp_path, text, **env)
    assert "canary" not in str(raised.value)

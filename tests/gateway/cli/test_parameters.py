"""Kinds of values that options take."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner, Result

from gateway.accounting import Price
from gateway.cli.parameters import Fields, PriceType, address


@click.command()
@click.option("--price", type=PriceType())
@click.option("--body", type=Fields(), default="{}")
@click.option("--url", callback=address, default="http://a")
def show(price: Price | None, body: dict[str, object], url: str) -> None:
    click.echo(f"{price and (price.input, price.output)} {body} {url}")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(show, arguments)


def test_good_values() -> None:
    ran = run("--price", "0.15, 0.60", "--body", '{"seed": 1}', "--url", "https://h:81/v1")
    assert ran.output == "(1.5e-07, 6e-07) {'seed': 1} https://h:81/v1\n"
    assert run("--price", "0,0").output == "(0.0, 0.0) {} http://a\n"


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        *(
            ("--price", value, "is no price: write USD")
            for value in ("", "1", "1,2,3", "a,b", "-1,2", "nan,1")
        ),
        *(("--body", value, "is no JSON object") for value in ("", "[]", "{", "seed=1")),
        *(
            ("--url", value, "it is no address")
            for value in ("", "api.openai.com", "ftp://a", "http://", "http://a:x")
        ),
        *(("--url", value, "has no place here") for value in ("http://me:sk-1@a/v1", "http://a/v1?key=sk-1")),
    ],
)
def test_bad_values(option: str, value: str, said: str) -> None:
    ran = run(option, value)
    assert ran.exit_code == 2
    assert said in " ".join(ran.output.split())
    assert "sk-1" not in ran.output

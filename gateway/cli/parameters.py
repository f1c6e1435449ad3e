"""Kinds of values that options take: each says of a wrong one what it is and how to write it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import click
import orjson

from gateway.accounting import Price

_MILLION = 1e6


class PriceType(click.ParamType[Price]):
    """`INPUT,OUTPUT`, in USD a million tokens."""

    name = "input,output"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Price:
        if isinstance(value, Price):
            return value
        try:
            given, said = (float(part) / _MILLION for part in str(value).split(","))
        except ValueError:
            given = said = -1.0
        if not (0 <= given < 1 and 0 <= said < 1):
            self.fail(
                f"{value!r} is no price: write USD a million tokens, in and out, as 0.15,0.60", param, ctx
            )
        return Price(given, given, given, said)


class Fields(click.ParamType[dict[str, Any]]):
    """A JSON object."""

    name = "json"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        try:
            fields = orjson.loads(str(value))
        except orjson.JSONDecodeError:
            fields = None
        if not isinstance(fields, dict):
            self.fail(f'{value!r} is no JSON object, such as {{"temperature": 0}}', param, ctx)
        return fields


def address(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """A callback: an HTTP address, whose credentials stand elsewhere and are not repeated."""
    try:
        parts = urlsplit(value)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise click.BadParameter("it is no address such as https://api.openai.com/v1", ctx, param)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise click.BadParameter("a credential or query has no place here: name it by --key-env", ctx, param)
    return value

"""JSON that every reader reads alike (pure): no repeated key, no NaN, nothing but UTF-8."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any


class Ambiguous(ValueError):
    """Not JSON, or JSON that readers may understand differently."""


def decoder(number: Callable[[str], Any] | None = None) -> json.JSONDecoder:
    """Reads strictly; `number` makes something of a number's spelling, else it is an int or a float."""
    return json.JSONDecoder(
        object_pairs_hook=_unrepeated,
        parse_int=number or int,
        parse_float=number or float,
        parse_constant=_refuse_constant,
    )


def decode(body: bytes, using: json.JSONDecoder) -> Any:
    """The value. Raises Ambiguous."""
    try:
        return using.decode(body.decode())
    except RecursionError as error:
        raise Ambiguous("nested too deep") from error
    except Ambiguous:
        raise
    except ValueError as error:  # of the decoder, of bytes that are no UTF-8, of an endless number
        raise Ambiguous("not JSON") from error


def _unrepeated(members: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        raise Ambiguous("a repeated key")
    return found


def _refuse_constant(constant: str) -> None:
    raise Ambiguous(f"{constant} is no JSON")

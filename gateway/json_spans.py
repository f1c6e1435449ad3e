"""Where the values of a raw JSON document lie, in bytes, without changing or repairing one of them.

A `Document` is made from bytes that are strictly JSON (RFC 8259) and nested at most `MAX_DEPTH` deep;
anything else is `Unreadable`: byte order mark, trailing bytes, NaN, invalid UTF-8. An object that is
read with a repeated key is `Unreadable` too, because readers disagree on which value counts. Lone
surrogates (`"\\ud83d"`) and numbers of any size are JSON and accepted: they are never interpreted here.

How: one pass, vectorised when there are many, finds every bracket outside strings and the depth of each,
so a hostile depth is refused before any recursive parser runs. A real parser then judges the document as a
whole. Only after that are spans read, by walking the containers that are asked for; brackets are paired
beforehand, so a value nobody asks for is one step, whatever it holds. All of it is linear in the length of
the body.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray

from gateway.errors import GatewayError

ByteSpan: TypeAlias = tuple[int, int]
"""Half-open [start, end) in bytes of the document."""

MAX_DEPTH = 200
"""Arrays and objects inside one another, the outermost included."""
FEW = 1_000
"""Strings and brackets up to which they are paired one by one: for the 20 of a small request that takes 5 µs,
and the vectorised pass 20."""
MAX_ITEMS = 100_000
"""Members and elements read from one document; bounds the steps taken in Python (0.2 s at worst)."""


class Unreadable(GatewayError):
    """Not a JSON document that everyone reads alike."""

    skip: ClassVar[Literal["unparsable", "too_large"]] = "unparsable"


class TooManyItems(Unreadable):
    """More members and elements than `MAX_ITEMS`, or more messages than a dialect looks into."""

    skip: ClassVar[Literal["unparsable", "too_large"]] = "too_large"


class Document:
    """A JSON document and where its values are."""

    __slots__ = ("_close_of", "_items_left", "_masked", "body", "root")

    def __init__(self, body: bytes) -> None:
        """Raises Unreadable."""
        self.body = body
        self._masked = _mask_escapes(body)
        self._close_of = (_pair_few if _has_few(self._masked) else _pair_many)(self._masked)
        _check_json(body)
        self._items_left = MAX_ITEMS
        start = _end_of(_GAP, body, 0)
        self.root: ByteSpan = (start, self._end(start))

    def is_object(self, value: ByteSpan) -> bool:
        return self.body[value[0]] == _BRACE

    def is_array(self, value: ByteSpan) -> bool:
        return self.body[value[0]] == _BRACKET

    def is_string(self, value: ByteSpan) -> bool:
        return self.body[value[0]] == _QUOTE

    def raw(self, value: ByteSpan) -> bytes:
        return self.body[value[0] : value[1]]

    def members(self, value: ByteSpan) -> dict[str, ByteSpan]:
        """The values of an object by decoded key, in order. Raises Unreadable for a repeated key."""
        members: dict[str, ByteSpan] = {}
        at = value[0] + 1
        while match := _KEY.match(self._masked, at):
            key = _decode_key(self.body[match.start(1) : match.end(1)])
            if key in members:
                raise Unreadable(f"the object at byte {value[0]} repeats a key at byte {match.start(1)}")
            start, at = match.end(), self._end(match.end())
            members[key] = (start, at)
            self._count_item()
        return members

    def elements(self, value: ByteSpan) -> list[ByteSpan]:
        """The values of an array, in order."""
        elements: list[ByteSpan] = []
        start = _end_of(_GAP, self.body, value[0] + 1)
        while start < value[1] - 1:
            end = self._end(start)
            elements.append((start, end))
            start = _end_of(_GAP, self.body, end)
            self._count_item()
        return elements

    def _end(self, start: int) -> int:
        """One past the last byte of the value that starts there."""
        first = self.body[start]
        if first == _QUOTE:
            return self._masked.index(b'"', start + 1) + 1
        if first in (_BRACE, _BRACKET):
            return self._close_of(start) + 1
        return _end_of(_SCALAR, self.body, start)

    def _count_item(self) -> None:
        self._items_left -= 1
        if self._items_left < 0:
            raise TooManyItems(f"more than {MAX_ITEMS} members and elements")


_QUOTE, _BRACE, _BRACKET = b'"{['

# Between two values of a container; the document is known to be valid, so a comma is where it should be.
_GAP = re.compile(rb"[ \t\n\r,]*+")
_SCALAR = re.compile(rb"[^ \t\n\r,\]}]++")
# For the masked body, where every quote is the start or the end of a string.
_KEY = re.compile(rb'[ \t\n\r,]*+("[^"]*+")[ \t\n\r]*+:[ \t\n\r]*+')

CloseOf: TypeAlias = Callable[[int], int]
"""From where a bracket opens to where it closes."""

_MARK = re.compile(rb'["\[\]{}]')
_STRING_EDGE = 2
_SIGNS = bytes(
    {ord("{"): 1, ord("["): 1, ord("}"): 255, ord("]"): 255, _QUOTE: _STRING_EDGE}.get(byte, 0)
    for byte in range(256)
)
"""Every byte to +1 (opens), -1 (closes, as a signed byte), `_STRING_EDGE` or 0."""


def _end_of(pattern: re.Pattern[bytes], body: bytes, start: int) -> int:
    match = pattern.match(body, start)
    return match.end() if match else start


def _mask_escapes(body: bytes) -> bytes:
    r"""The body, same length, with `\\` and `\"` blanked: the quotes left are the edges of strings.

    `replace` goes left to right, so of a run of backslashes the pairs go first and an odd last one stays
    to escape the quote after it.
    """
    return body.replace(rb"\\", b"\0\0").replace(rb"\"", b"\0\0")


def _has_few(masked: bytes) -> bool:
    return masked.count(b'"') // 2 + masked.count(b"[") + masked.count(b"{") <= FEW


def _pair_few(masked: bytes) -> CloseOf:
    """One by one. Raises Unreadable beyond `MAX_DEPTH`. Of what is no JSON, some pairs are missing."""
    closes: dict[int, int] = {}
    opens: list[int] = []
    at = 0
    while match := _MARK.search(masked, at):
        at = match.end()
        mark = masked[at - 1]
        if mark == _QUOTE:
            at = masked.find(b'"', at) + 1
            if not at:
                break
        elif mark in (_BRACE, _BRACKET):
            opens.append(at - 1)
            if len(opens) > MAX_DEPTH:
                raise Unreadable(f"nested deeper than {MAX_DEPTH}")
        elif opens:
            closes[opens.pop()] = at - 1
        else:
            break
    return closes.__getitem__


def _pair_many(masked: bytes) -> CloseOf:
    """All at once. Raises Unreadable beyond `MAX_DEPTH`. Of what is no JSON, the pairs are any.

    In a valid document the brackets of one level alternate, so sorting by level (stable, and by radix
    for single bytes) puts every pair side by side.
    """
    at, signs = _find_brackets(masked)
    order = np.argsort(_check_depth(signs), kind="stable")
    if order.size % 2:
        raise Unreadable("not JSON: a bracket has no partner")
    closes = np.empty_like(at)
    closes[order[0::2]] = at[order[1::2]]
    is_open = signs > 0
    opens, closes = at[is_open], closes[is_open]
    return lambda start: int(closes[opens.searchsorted(start)])


def _find_brackets(masked: bytes) -> tuple[NDArray[np.intp], NDArray[np.int8]]:
    """Positions of the brackets outside strings, and +1 or -1 for each."""
    marks = np.frombuffer(masked.translate(_SIGNS), np.int8)
    at = np.flatnonzero(marks != 0)  # three times as fast as on bytes
    signs = marks[at]
    is_edge = signs == _STRING_EDGE
    # The count of edges so far wraps at 256, which keeps it even or odd.
    is_inside = (np.cumsum(is_edge, dtype=np.uint8) & 1).view(np.bool_)
    is_bracket = ~(is_edge | is_inside)
    return at[is_bracket], signs[is_bracket]


def _check_depth(signs: NDArray[np.int8]) -> NDArray[np.uint8]:
    """The level of each bracket (1 for the outermost pair); Unreadable beyond `MAX_DEPTH`.

    Up to the first mistake in the document the levels are exact, so no parser that stops there nests
    deeper; what they say of the rest does not matter.
    """
    depths = np.cumsum(signs, dtype=np.int32)
    if depths.max(initial=0) > MAX_DEPTH:
        raise Unreadable(f"nested deeper than {MAX_DEPTH}")
    return (depths + (signs < 0)).astype(np.uint8)


def _check_json(body: bytes) -> None:
    """Raises Unreadable unless the whole body is one JSON value.

    orjson is the fast and strict judge. It also refuses two things that are JSON, lone surrogates and
    numbers beyond a double, so what it refuses is put to the standard library before it is given up.
    """
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            _LENIENT.decode(body.decode())
        except (
            ValueError
        ) as error:  # JSONDecodeError, UnicodeDecodeError and _refuse_constant are ValueErrors
            raise Unreadable("not JSON") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


# Numbers are not converted: Python's int refuses more than 4,300 digits, and nobody reads the result.
_LENIENT = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=_refuse_constant)


def _decode_key(literal: bytes) -> str:
    # Not orjson: a key may hold a lone surrogate, and still counts as a repetition.
    return str(json.loads(literal)) if b"\\" in literal else literal[1:-1].decode()

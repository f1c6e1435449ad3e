"""YAML text → plain data that remembers its lines.

YAML 1.2 core schema: `on`, `off` and `yes` are strings, and so are dates. What makes documents surprising
or dangerous is refused by name: duplicate keys, anchors and aliases (a few lines can expand to gigabytes),
tags, several documents, deep nesting. Pure: text in, `Document` out, `PolicyError` for anything else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
)

from policies.errors import Place, PolicyError, Problem

KeyPath: TypeAlias = tuple[str | int, ...]
"""Keys and list positions from the top of a document to a value."""

MAX_CHARS = 1 << 20
MAX_DEPTH = 40
_MAX_NUMBER_CHARS = 64  # int() refuses more than 4,300 digits; no setting needs more than a few


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data (mappings, lists, scalars), and where each value was written."""

    data: object
    source: str
    places: Mapping[KeyPath, Place]

    def place(self, path: KeyPath) -> Place:
        """Where `path` was written, else its nearest ancestor that was."""
        for length in range(len(path), -1, -1):
            if (place := self.places.get(path[:length])) is not None:
                return place
        return Place(self.source)


def decode(raw: bytes, source: str) -> str:
    """A file's bytes as text; UTF-8, with or without a byte order mark."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _refusal(source, line, "the file is not UTF-8 text; save it as UTF-8") from error


def parse(text: str, source: str) -> Document:
    """Read one YAML document. `source` names it in errors: a file name as the user would write it."""
    if len(text) > MAX_CHARS:
        raise _refusal(
            source, None, f"the file holds {len(text):,} characters; at most {MAX_CHARS:,} are read"
        )
    places: dict[KeyPath, Place] = {}
    builder = _Builder(iter(YAML(typ="safe", pure=True).parse(text)), source, places)
    try:
        return Document(builder.document(), source, places)
    except MarkedYAMLError as error:
        line = None if error.problem_mark is None else error.problem_mark.line + 1
        raise _refusal(source, line, f"not valid YAML: {error.problem or error.context}") from error
    except YAMLError as error:
        raise _refusal(source, None, f"not valid YAML: {str(error).splitlines()[0]}") from error


class _Builder:
    """Builds plain data straight from parser events, so that nothing is resolved behind our back."""

    def __init__(self, events: Iterator[Event], source: str, places: dict[KeyPath, Place]) -> None:
        self._events = events
        self._source = source
        self._places = places

    def document(self) -> object:
        next(self._events)  # the stream's start
        if not isinstance(event := next(self._events), DocumentStartEvent):
            return None
        if event.version not in (None, (1, 2)):
            raise self._refuse(event, "a %YAML directive other than 1.2; remove it")
        data = self._value(next(self._events), ())
        next(self._events)  # the document's end
        if isinstance(event := next(self._events), DocumentStartEvent):
            raise self._refuse(event, "a second YAML document begins here; keep one document a file")
        return data

    def _value(self, event: Event, path: KeyPath) -> object:
        self._places.setdefault(path, Place(self._source, event.start_mark.line + 1))
        self._check(event, path)
        if isinstance(event, ScalarEvent):
            return scalar(event.value) if event.implicit[0] else event.value
        return self._mapping(path) if isinstance(event, MappingStartEvent) else self._sequence(path)

    def _mapping(self, path: KeyPath) -> dict[str, object]:
        data: dict[str, object] = {}
        while isinstance(event := next(self._events), NodeEvent):
            key = self._key(event, path)
            if key in data:
                first = self._places[*path, key].line
                raise self._refuse(event, f"key {key!r} is already given on line {first}; keep one", path)
            self._places[*path, key] = Place(self._source, event.start_mark.line + 1)
            data[key] = self._value(next(self._events), (*path, key))
        return data

    def _key(self, event: NodeEvent, path: KeyPath) -> str:
        self._check(event, path)
        if not isinstance(event, ScalarEvent):
            raise self._refuse(event, "a key must be plain text, not a list or a mapping", path)
        return str(event.value)

    def _sequence(self, path: KeyPath) -> list[object]:
        data: list[object] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            data.append(self._value(event, (*path, len(data))))
        return data

    def _check(self, event: Event, path: KeyPath) -> None:
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None) is not None:
            raise self._refuse(event, "YAML anchors and aliases are not supported; write the value out", path)
        if getattr(event, "tag", None) is not None:
            raise self._refuse(event, "YAML tags (!…) are not supported; remove it", path)
        if isinstance(event, CollectionStartEvent) and len(path) >= MAX_DEPTH:
            raise self._refuse(event, f"nested more than {MAX_DEPTH} levels deep")

    def _refuse(self, event: Event, message: str, path: KeyPath = ()) -> PolicyError:
        return _refusal(self._source, event.start_mark.line + 1, message, dotted(path))


def dotted(path: KeyPath) -> str:
    """`("policies", 0, "params", "rate")` → `policies[0].params.rate`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def _refusal(source: str, line: int | None, message: str, path: str = "") -> PolicyError:
    return PolicyError([Problem(Place(source, line), message, path)])


# The YAML 1.2 core schema (section 10.3.2), in the order in which it is tried.
_SCALARS: tuple[tuple[re.Pattern[str], Callable[[str], object]], ...] = (
    (re.compile(r"(?:~|null|Null|NULL)?"), lambda _: None),
    (re.compile(r"true|True|TRUE"), lambda _: True),
    (re.compile(r"false|False|FALSE"), lambda _: False),
    (re.compile(r"[-+]?[0-9]+"), int),
    (re.compile(r"0o[0-7]+"), lambda text: int(text[2:], 8)),
    (re.compile(r"0x[0-9a-fA-F]+"), lambda text: int(text[2:], 16)),
    (re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"), lambda text: float(text.replace(".", ""))),
)


def scalar(text: str) -> object:
    """A plain (unquoted) scalar's value; text is what nothing else is."""
    if len(text) <= _MAX_NUMBER_CHARS:
        for pattern, read in _SCALARS:
            if pattern.fullmatch(text):
                return read(text)
    return text

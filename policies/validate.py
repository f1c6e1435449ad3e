"""A document → a model, or every problem it has: file, line, path, value, what is wrong, remedy.

Values of unknown keys are never repeated in a message: a misspelt key may hold a credential.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from policies.errors import PolicyError, Problem
from policies.parse import Document, KeyPath, dotted

M = TypeVar("M", bound=BaseModel)

_EXPECTED: tuple[tuple[str, str], ...] = (
    ("string", "must be text; put it in quotes"),
    ("int", "must be a whole number, e.g. 500"),
    ("float", "must be a number, e.g. 0.5"),
    ("bool", "must be true or false"),
    ("finite_number", "must be an ordinary number, e.g. 0.5"),
    ("model", "must be a mapping of keys to values"),
    ("dict", "must be a mapping of keys to values"),
    ("tuple", "must be a list"),
    ("path", "must be the path of a file, in quotes"),
)
"""How a pydantic error type begins, and what to say instead."""


def validate(model: type[M], document: Document, context: Mapping[str, object] | None = None) -> M:
    """The document as a `model`. Raises `PolicyError` with all problems, in the order of the document."""
    try:
        return model.model_validate({} if document.data is None else document.data, context=context)
    except ValidationError as error:
        problems = [_problem(model, document, details) for details in error.errors(include_url=False)]
        raise PolicyError(sorted(problems, key=lambda problem: problem.place.line or 0)) from error


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` where something known is close, else the list of what is known."""
    names = sorted(known)
    if close := difflib.get_close_matches(wrong[:64], names, n=1, cutoff=0.6):
        return f"; did you mean {close[0]!r}?"
    return f"; known here: {', '.join(names)}" if names else ""


def shown(value: object) -> str:
    """A value as a message shows it: short."""
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _problem(model: type[BaseModel], document: Document, details: ErrorDetails) -> Problem:
    path = _path(document.data, details)
    return Problem(document.place(path), _message(model, path, details), dotted(path))


def _message(model: type[BaseModel], path: KeyPath, details: ErrorDetails) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "missing":
        return "is missing; add it"
    if kind == "extra_forbidden":
        return f"unknown key{suggestion(str(path[-1]), _keys_at(model, path[:-1]))}"
    if kind == "value_error":  # ours: such a message names the value itself, or hides it
        return str(context["error"])
    value = shown(details["input"])
    if kind == "literal_error":
        return f"value {value}: must be {context['expected']}"
    for prefix, expected in _EXPECTED:
        if kind.startswith(prefix):
            return f"value {value}: {expected}"
    return f"value {value}: {details['msg'][0].lower()}{details['msg'][1:]}"


def _path(data: object, details: ErrorDetails) -> KeyPath:
    """pydantic's location without the parts that name a member of a union, which no user has written."""
    path: list[str | int] = []
    for part in details["loc"]:
        is_key = isinstance(data, Mapping) and part in data
        if is_key or (isinstance(data, list) and isinstance(part, int)):
            data = cast(Any, data)[part]
        elif not (details["type"] == "missing" and part == details["loc"][-1]):
            continue
        path.append(part)
    return tuple(path)


def _keys_at(model: type[BaseModel], path: KeyPath) -> set[str]:
    """The keys known in the mapping at `path`."""
    annotations: list[Any] = [model]
    for part in path:
        annotations = [inner for annotation in annotations for inner in _inside(annotation, part)]
    models = [member for annotation in annotations for member in _members(annotation) if _is_model(member)]
    return {field.alias or name for member in models for name, field in member.model_fields.items()}


def _inside(annotation: Any, part: str | int) -> Iterator[Any]:
    """What the annotation says of the value under `part`."""
    for member in _members(annotation):
        if _is_model(member):
            yield from (
                field.annotation
                for name, field in member.model_fields.items()
                if part == (field.alias or name)
            )
        elif get_origin(member) is dict:
            yield get_args(member)[1]
        elif get_origin(member) is tuple:
            yield get_args(member)[0]


def _members(annotation: Any) -> Iterator[Any]:
    """The annotation, with unions and `Annotated` taken apart."""
    if get_origin(annotation) is Annotated:
        yield from _members(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)

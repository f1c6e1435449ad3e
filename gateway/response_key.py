"""Which requests may be answered with a recorded answer, and under which name it is recorded (pure).

Laws: two requests have one name only if tenant, upstream, method, target, every header field that could
change an answer, all that was decided about the prompt, the scorer and the JSON of the body are the same. The
JSON is the same when only white space, escapes and the order of an object's members differ: the spelling of a
number is a difference. A body whose readers could disagree (a repeated key, NaN, bad UTF-8) has no name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from typing import Any, Final

from gateway.hashing import Secret
from gateway.headers import CREDENTIALS, request_headers
from gateway.strict_json import Ambiguous, decode, decoder
from gateway.types import RawHeaders

IN_THE_TENANT: Final = CREDENTIALS
"""What is keyed by the tenant is keyed by them, and a team's members share."""

WITHOUT_EFFECT: Final = frozenset(
    {
        b"baggage",
        b"b3",
        b"cache-control",  # obeyed here
        b"content-length",
        b"forwarded",
        b"idempotency-key",
        b"pragma",
        b"traceparent",
        b"tracestate",
        b"user-agent",
        b"via",
        b"x-client-request-id",
        b"x-forwarded-for",
        b"x-forwarded-port",
        b"x-forwarded-proto",
        b"x-real-ip",
        b"x-request-id",
    }
)
"""Forwarded fields that change no answer: how a request travelled, who traces it (docs/policies.md)."""

WITHOUT_EFFECT_PREFIXES: Final = (b"x-b3-", b"x-stainless-")

_CHAINING: Final = ("previous_response_id", "conversation", "background")
"""Members that tie a request to what the upstream keeps."""
_SEARCHING: Final = ("web_search_options", "audio")
"""Members whose answer is of the moment: the web's contents, or an id that expires."""


@dataclass(frozen=True, slots=True)
class Question:
    """All that an answer depends on."""

    tenant: str
    upstream: str
    method: str
    target: bytes
    """Path and query, as they arrived."""
    headers: RawHeaders
    """As the client sent them."""
    treatment: bytes
    """What was decided: policy, version, variant, mode and parameters."""
    engine: str
    """Fingerprint of what compresses."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Named:
    """A request that may be answered from the record."""

    key: bytes
    is_streamed: bool


@dataclass(frozen=True, slots=True)
class Wishes:
    """What `cache-control` of a request asks for."""

    reads: bool = True
    stores: bool = True


def wishes(headers: Mapping[str, str]) -> Wishes:
    """`no-store`: neither read nor store; `no-cache` and `max-age=0`: a new answer, which may be stored."""
    said = directives(headers.get("cache-control", ""))
    if "no-store" in said:
        return Wishes(reads=False, stores=False)
    is_fresh = bool(said & {"no-cache", "max-age=0"}) or "no-cache" in directives(headers.get("pragma", ""))
    return Wishes(reads=not is_fresh)


def directives(field: str) -> frozenset[str]:
    """The members of a comma-separated list, in lower case and without blanks."""
    return frozenset(item.strip().lower().replace(" ", "") for item in field.split(","))


def name(question: Question, secret: Secret) -> Named | None:
    """Where the answer is recorded; None when it must not be."""
    try:
        request, body = read(question.body)
    except Ambiguous:
        return None
    if not is_repeatable(request):
        return None
    fields = [part for field in telling(question.headers) for part in field]
    key = secret.keyed(
        b"response",
        question.tenant.encode(),
        question.upstream.encode(),
        question.method.encode(),
        question.target,
        question.treatment,
        question.engine.encode(),
        secret.keyed(*fields),
        body,
    )
    return Named(key, request.get("stream") is True)


def telling(headers: RawHeaders) -> RawHeaders:
    """The forwarded fields that could change an answer, by name; equal names keep their order."""
    fields = [(field.lower(), value) for field, value in request_headers(headers)]
    return sorted(
        (
            (field, value)
            for field, value in fields
            if field not in WITHOUT_EFFECT
            and field not in IN_THE_TENANT
            and not field.startswith(WITHOUT_EFFECT_PREFIXES)
        ),
        key=lambda field: field[0],
    )


def is_repeatable(request: Mapping[str, Any]) -> bool:
    """Whether asking again would do nothing but answer again, from this request alone.

    Tools that are functions are the client's to call. Any other the upstream calls, and it may do something.
    """
    if request.get("store") not in (None, False):
        return False
    if any(request.get(member) not in (None, False) for member in (*_CHAINING, *_SEARCHING)):
        return False
    tools = request.get("tools")
    return tools is None or (isinstance(tools, list) and all(map(_is_function, tools)))


def _is_function(tool: object) -> bool:
    return isinstance(tool, dict) and tool.get("type") == "function"


class _Number(str):
    """A number as it was spelled."""

    __slots__ = ()


def read(body: bytes) -> tuple[dict[str, Any], bytes]:
    """The object a body holds, and its canonical spelling. Raises Ambiguous."""
    value = decode(body, _DECODER)
    if not isinstance(value, dict):
        raise Ambiguous("no object")
    parts: list[str] = []
    try:
        _spell(value, parts)
    except RecursionError as error:
        raise Ambiguous("nested too deep") from error
    return value, "".join(parts).encode("ascii")


def _spell(value: object, parts: list[str]) -> None:
    match value:
        case dict():
            opening = "{"
            for key in sorted(value):
                parts += (opening, encode_basestring_ascii(key), ":")
                _spell(value[key], parts)
                opening = ","
            parts.append("}" if value else "{}")
        case list():
            opening = "["
            for item in value:
                parts.append(opening)
                _spell(item, parts)
                opening = ","
            parts.append("]" if value else "[]")
        case _Number():
            parts.append(value)
        case str():
            parts.append(encode_basestring_ascii(value))
        case _:
            parts.append(_WORDS[value])


_WORDS: Final[Mapping[object, str]] = {None: "null", True: "true", False: "false"}


_DECODER: Final = decoder(_Number)  # so that 1, 1.0 and 10e-1 differ

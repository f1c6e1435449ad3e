"""What counts as one HTTP/1.1 request. Pure: a head in, a Refusal or nothing out.

Law: a request is served only if every reader of its bytes agrees where it ends and what it asks for. What is
ambiguous is refused, never repaired; after a refusal nothing more of the connection is read.

The parser (httptools, llhttp in its strict mode) refuses what breaks the grammar: bare line feeds, folded
lines, blanks before a colon, control characters, a length that is no number or comes twice, a length beside
a transfer coding, a chunk size that is none. It accepts what is judged here: several Host fields or none,
codings before `chunked` or in HTTP/1.0, versions that are not HTTP/1, methods of other protocols, heads of
any size. Both halves are tested byte by byte in tests/e2e/test_framing.py.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import NamedTuple

import httptools

from gateway.refusal import Refusal
from gateway.types import RawHeaders

MAX_HEAD_BYTES = 64 * 1024
"""Request line and header fields, delimiters included."""
MAX_TARGET_BYTES = 16 * 1024
MAX_FIELDS = 200

OVERHEAD_BYTES = 64 * 1024
OVERHEAD_RATIO = 8
"""A chunked body may bring OVERHEAD_BYTES, and this many times its own length, in chunk sizes, extensions
and trailers: five bytes for each one of content are honest, a kilobyte is an attack."""

_HOST = re.compile(rb"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?]*)(/[^?]*)?(\?.*)?", re.DOTALL)
_LETTER = re.compile(rb"\s*[A-Za-z]")

TELLING = frozenset({b"host", b"content-length", b"transfer-encoding", b"upgrade", b"expect"})
"""Fields that say how a request is to be read; others are of no interest here."""
FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_OTHER_PROTOCOLS = frozenset(
    b"ANNOUNCE DESCRIBE FLUSH GET_PARAMETER PAUSE PLAY PRI RECORD REDIRECT "
    b"SET_PARAMETER SETUP SOURCE TEARDOWN".split()
)
"""Methods that the parser knows from RTSP, ICE and the preface of HTTP/2."""


class Head(NamedTuple):
    """Request line, and of the fields those that are `TELLING`, with names in lower case."""

    method: bytes
    target: bytes
    version: str
    telling: RawHeaders


def refusal_of(head: Head) -> Refusal | None:
    """Why this head is not served; None when it is."""
    if head.method == b"CONNECT" or head.method in _OTHER_PROTOCOLS:
        return not_a_method()
    fault = _fault_of_target(head.target) or _fault_of_fields(head)
    return None if fault is None else malformed(fault)


def refusal_of_size(fields: RawHeaders) -> Refusal | None:
    """Whether a head has too many fields, or too many bytes in them."""
    if len(fields) > MAX_FIELDS:
        return too_large(f"more than {MAX_FIELDS} header fields")
    if sum(map(len, chain.from_iterable(fields))) > MAX_HEAD_BYTES:
        return too_large(f"more than {MAX_HEAD_BYTES} bytes of header fields")
    return None


def origin_form(target: bytes) -> bytes:
    """Path and query of a target that was found well: a client may speak as to a proxy (`http://host/path`).

    What host it names is as little believed as the Host field.
    """
    if target.startswith(b"/"):
        return target
    match = _ABSOLUTE.fullmatch(target)
    assert match is not None
    return (match[2] or b"/") + (match[3] or b"")


def unparsed(error: httptools.HttpParserError, data: bytes) -> Refusal:
    """What to say when the parser gives up amid `data`: its reasons are constants, no client's bytes."""
    if isinstance(error, httptools.HttpParserInvalidMethodError) and _LETTER.match(data):
        return not_a_method()
    return malformed(str(error) or "it cannot be read")


def malformed(fault: str) -> Refusal:
    return _closing(400, code="malformed_request", message=f"not a valid HTTP/1.1 request: {fault}")


def too_large(what: str) -> Refusal:
    return _closing(431, code="headers_too_large", message=f"{what}; send fewer or shorter ones")


def target_too_long() -> Refusal:
    return _closing(
        414, code="target_too_long", message=f"the request target has more than {MAX_TARGET_BYTES} bytes"
    )


def not_a_method() -> Refusal:
    return _closing(
        501, code="unknown_method", message="methods are those registered for HTTP, CONNECT apart"
    )


def too_slow(what: str, limit_s: float) -> Refusal:
    return _closing(408, code="request_timeout", message=f"{what} was not received within {limit_s:g} s")


def _closing(status: int, *, code: str, message: str) -> Refusal:
    return Refusal(status, code=code, message=message, is_closing=True)


def _fault_of_target(target: bytes) -> str | None:
    if b"#" in target:
        return "the request target has a fragment"
    if target.startswith(b"/"):
        return None
    match = _ABSOLUTE.fullmatch(target)
    if match is None or not _HOST.fullmatch(match[1]):
        return "the request target is neither a path nor an http URL"
    return None


def _fault_of_fields(head: Head) -> str | None:
    """The parser judges most of this too; where a body ends is not left to one reader."""
    host: bytes | None = None
    framing: bytes | None = None
    for name, raw in head.telling:
        value = raw.rstrip(b" \t")  # blanks around a value are none of it
        if name == b"host":
            if host is not None:
                return "more than one Host field"
            host = value
        elif name in FRAMING:
            if framing is not None:
                return "more than one of Content-Length and Transfer-Encoding"
            framing = name
            if (
                fault := _fault_of_length(value)
                if name == b"content-length"
                else _fault_of_coding(value, head)
            ):
                return fault
    return _fault_of_host(host, head.version)


def _fault_of_length(length: bytes) -> str | None:
    return None if length.isdigit() else "Content-Length is not a number"


def _fault_of_coding(coding: bytes, head: Head) -> str | None:
    if head.version == "1.0":
        return "Transfer-Encoding in HTTP/1.0"
    return None if coding.lower() == b"chunked" else "Transfer-Encoding is not chunked"


def _fault_of_host(host: bytes | None, version: str) -> str | None:
    if version not in ("1.1", "1.0"):
        return "the version is neither HTTP/1.1 nor HTTP/1.0"
    if host is None:
        return "no Host field" if version == "1.1" else None
    return None if _HOST.fullmatch(host) else "the Host field names no host"

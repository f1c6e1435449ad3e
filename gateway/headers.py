"""Which header fields go on. Pure.

Order, duplicates, spelling and values of what is kept stay. Dropped are, by RFC 9110 sections 7.6.1 and 11.7,
fields that speak about one connection (`Connection` and every field it names among them) and fields between a
client and a proxy; on requests also `Host`, which the upstream's origin replaces, and our own `x-pith-*`.
`accept-encoding` may be narrowed, never widened: no client is sent what it did not ask for.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.types import RawHeaders

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
    }
)
AUTHORIZATION = b"authorization"
_OWN_FIELDS = (b"x-api-key", b"api-key", b"x-goog-api-key")
"""Anthropic's, Azure's and Gemini's, which take a key nowhere else."""
CREDENTIALS = frozenset({AUTHORIZATION, *_OWN_FIELDS})
"""Fields in which providers take keys."""

DIGESTS = frozenset({b"content-digest", b"content-md5", b"digest", b"repr-digest", b"x-amz-content-sha256"})
"""Fields by which an upstream finds out that a body is not as it was sent (RFC 9530 and older)."""

PROTOCOLS = b"sec-websocket-protocol"
PROTOCOL_KEY = b"openai-insecure-api-key."
"""Beginning of a subprotocol that is a key (OpenAI's Realtime API, for browsers)."""

OWN_PREFIX = b"x-pith-"


def request_headers(headers: RawHeaders, *, identity_only: bool = False) -> RawHeaders:
    """The fields of a client's request that go to the upstream.

    `identity_only` asks for an answer without content coding, for when the stream must be read.
    """
    dropped = HOP_BY_HOP | _named_by_connection(headers) | {b"host"}
    kept = [
        field
        for field in headers
        if (name := field[0].lower()) not in dropped and not name.startswith(OWN_PREFIX)
    ]
    return _identity_only(kept) if identity_only else kept


def response_headers(headers: RawHeaders) -> RawHeaders:
    """The fields of an upstream's answer that go to the client."""
    dropped = HOP_BY_HOP | _named_by_connection(headers)
    return [field for field in headers if field[0].lower() not in dropped]


def with_key(headers: RawHeaders, key: str) -> RawHeaders:
    """`headers` with the client's credentials replaced by `key`, once, where the client had put its own.

    A client that uses a provider's own field has it replaced there, any other as a bearer token. An empty key
    is none.
    """
    headers = _without_protocol_keys(headers)
    if not key:
        return without(headers, CREDENTIALS)
    used = {name.lower() for name, value in headers if value.strip()}
    name = next((own for own in _OWN_FIELDS if own in used), AUTHORIZATION)
    field = (name, b"Bearer " + key.encode() if name == AUTHORIZATION else key.encode())
    at = next((i for i, (found, _) in enumerate(headers) if found.lower() == name), len(headers))
    before, after = headers[:at], headers[at:]
    return [*without(before, CREDENTIALS), field, *without(after, CREDENTIALS)]


def _without_protocol_keys(headers: RawHeaders) -> RawHeaders:
    """A browser cannot set fields of a WebSocket's request: its key stands among the subprotocols offered."""
    if not values(headers, PROTOCOLS):
        return headers
    kept: RawHeaders = []
    for name, value in headers:
        if name.lower() != PROTOCOLS or PROTOCOL_KEY not in value:
            kept.append((name, value))
        elif offered := [one for one in value.split(b",") if not one.strip().startswith(PROTOCOL_KEY)]:
            kept.append((name, b",".join(offered).strip()))
    return kept


def without(headers: Iterable[tuple[bytes, bytes]], names: frozenset[bytes]) -> RawHeaders:
    """`headers` less the fields called one of the lower-case `names`."""
    return [field for field in headers if field[0].lower() not in names]


def values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    """The values of every field called the lower-case `name`, in order."""
    return [value for found, value in headers if found.lower() == name]


def _named_by_connection(headers: RawHeaders) -> frozenset[bytes]:
    return frozenset(
        name.strip().lower() for value in values(headers, b"connection") for name in value.split(b",")
    )


def _identity_only(headers: RawHeaders) -> RawHeaders:
    """A missing field allows every coding, so saying `identity` narrows; refusing identity has to stand."""
    if _refuses_identity(b",".join(values(headers, b"accept-encoding"))):
        return headers
    return [*without(headers, frozenset({b"accept-encoding"})), (b"accept-encoding", b"identity")]


def _refuses_identity(accept_encoding: bytes) -> bool:
    """RFC 9110 section 12.5.3: only `identity;q=0`, or `*;q=0` without any word on identity, refuses it."""
    weights: dict[bytes, bool] = {}
    for item in accept_encoding.lower().replace(b" ", b"").replace(b"\t", b"").split(b","):
        coding, _, weight = item.partition(b";q=")
        weights[coding] = weight != b"" and weight.strip(b"0") in {b"", b"."}
    return weights.get(b"identity", weights.get(b"*", False))

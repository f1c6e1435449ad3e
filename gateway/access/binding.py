"""A key bound to models: the body is read before the request goes anywhere, and says which models it uses.

What goes on afterwards is the same bytes. A request whose model cannot be read is refused: a body that is no
JSON (a multipart upload) or is said to be something else (a form's fields fit into a JSON string), one that
is compressed or over the limit, one without `model`. GET, HEAD, DELETE and OPTIONS without a body use no
model; a realtime session names its own in the query.
"""

from __future__ import annotations

from starlette.types import Message, Receive

from gateway.access.scopes import (
    BODILESS_METHODS,
    check_models,
    check_named_in_path,
    check_query,
    read_models,
    unchecked,
)
from gateway.client import read_body
from gateway.headers import values
from gateway.incoming import Incoming
from gateway.offload import Offload


async def bind_to_models(incoming: Incoming, receive: Receive, limit: int, offload: Offload) -> Receive:
    """What to read the request from. Raises Refusal (403), and ClientGone when the client leaves."""
    key = incoming.principal.key
    if key is None or key.models is None:
        return receive
    is_upgrade = incoming.take_over is not None
    check_query(key, incoming.target, is_required=is_upgrade)
    if is_upgrade:
        check_named_in_path(key, incoming.path)
        return receive
    body = await read_body(receive, limit)
    if not isinstance(body, bytes):
        raise unchecked(f"its body is longer than {limit} bytes")
    if body or incoming.method not in BODILESS_METHODS:
        if incoming.is_encoded:
            raise unchecked("its body is compressed")
        if not all(map(_is_json, values(incoming.raw_headers, b"content-type"))):
            raise unchecked("its content-type is not application/json")
        check_named_in_path(key, incoming.path)
        check_models(key, await offload(len(body), read_models, body))
    return _replayed(body, receive)


def _is_json(content_type: bytes) -> bool:
    media_type = content_type.partition(b";")[0].strip().lower()
    return media_type == b"application/json" or media_type.endswith(b"+json")


def _replayed(body: bytes, rest: Receive) -> Receive:
    """The body in one piece, then whatever the client does next."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else await rest()

    return receive

"""The ASGI scope of a request: how our server makes it, and what it says there that ASGI cannot.

Under another server the extension is missing, and what ASGI knows has to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import unquote

from starlette.types import Scope

from gateway.downstream.reader import Opened
from gateway.types import RawHeaders, TakeOver, TellLeaving

Peer: TypeAlias = tuple[str, int] | None

_NAME = "pith"


@dataclass(frozen=True, slots=True)
class Extension:
    """What our own server says of a request beyond ASGI."""

    target: bytes
    """Path and query as the client spelled them: ASGI cannot tell `/x?` from `/x`."""
    headers: RawHeaders
    """With names as spelled, which ASGI has in lower case. For what goes on; whoever looks for a field takes
    `scope["headers"]`."""
    is_draining: bool = False
    """The server is about to stop."""
    tell_leaving: TellLeaving | None = None
    """How the server tells that the client leaves; None where it does so by `receive` alone."""
    take_over: TakeOver | None = None
    """The way to the client's connection, where it asks to go on as a WebSocket."""


def extension_of(scope: Scope) -> Extension:
    """What our server says in a scope, or what can be said without it."""
    said = scope.get("extensions", {}).get(_NAME)
    if isinstance(said, Extension):
        return said
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return Extension(path + b"?" + query if query else path, scope["headers"])


def scope_of(
    request: Opened, extension: Extension, *, client: Peer, server: Peer, state: dict[str, Any]
) -> Scope:
    """The scope of a request whose head is here."""
    raw_path, _, query = extension.target.partition(b"?")
    path = raw_path.decode("ascii")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": request.head.version,
        "method": request.head.method.decode("ascii"),
        "scheme": "http",
        "path": unquote(path) if "%" in path else path,
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": request.lowered,
        "state": state,
        "extensions": {_NAME: extension},
        "client": client,
        "server": server,
    }

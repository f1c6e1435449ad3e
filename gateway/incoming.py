"""What a request says of itself before its body is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.types import Scope

from gateway.access.principal import Principal
from gateway.downstream.scope import extension_of
from gateway.hashing import Secret
from gateway.headers import CREDENTIALS, DIGESTS
from gateway.types import RawHeaders, TakeOver, TellLeaving
from policies.match import header_map


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request's head."""

    method: str
    path: str
    """As decisions see it: percent-decoded, from the request line alone, never from the Host field."""
    target: bytes
    """Path and query as they arrived, byte for byte."""
    raw_headers: RawHeaders = field(repr=False)
    """In order; names in lower case."""
    spelled: RawHeaders = field(repr=False)
    """The same with names as spelled: what goes on."""
    headers: Mapping[str, str] = field(repr=False)
    principal: Principal
    """Who asks: a caller with a key of its own until `Gate.admit` has looked."""
    tell_leaving: TellLeaving | None = field(default=None, repr=False)
    """How the server tells that the client leaves; None where it does so by `receive` alone."""
    take_over: TakeOver | None = field(default=None, repr=False)
    """The way to the client's connection, where it asks to go on as a WebSocket."""

    @classmethod
    def of(cls, scope: Scope, secret: Secret) -> Incoming:
        """Read an ASGI scope; that of a WebSocket begins with a GET."""
        raw_headers: RawHeaders = list(scope["headers"])
        own = extension_of(scope)
        return cls(
            method=scope.get("method", "GET"),
            path=scope["path"],
            target=own.target,
            raw_headers=raw_headers,
            spelled=own.headers,
            headers=header_map(raw_headers),
            principal=Principal.of_credentials(
                (value for name, value in raw_headers if name in CREDENTIALS), secret
            ),
            tell_leaving=own.tell_leaving,
            take_over=own.take_over,
        )

    @property
    def tenant(self) -> str:
        """Whose cache entries it may use."""
        return self.principal.tenant

    @property
    def has_digest(self) -> bool:
        """Whether a field vouches for the body's bytes: none of them may change then."""
        return any(name in DIGESTS for name, _ in self.raw_headers)

    @property
    def is_encoded(self) -> bool:
        """Whether the body is compressed (gzip, zstd): such a body is passed on unread."""
        return self.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity")

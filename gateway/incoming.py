"""What a request says of itself before its body is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.types import Scope

from gateway.client import raw_target
from gateway.hashing import Secret, tenant_of
from gateway.types import RawHeaders
from policies.match import header_map

_CREDENTIALS = (b"authorization", b"x-api-key")


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request's head."""

    method: str
    path: str
    """As decisions see it: percent-decoded, from the request line alone, never from the Host field."""
    target: bytes
    """Path and query as they arrived, byte for byte."""
    raw_headers: RawHeaders = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    tenant: str
    """Whose cache entries it may use: the keyed hash of its credential."""

    @classmethod
    def of(cls, scope: Scope, secret: Secret) -> Incoming:
        """Read an ASGI scope."""
        raw_headers: RawHeaders = list(scope["headers"])
        return cls(
            method=scope["method"],
            path=scope["path"],
            target=raw_target(scope),
            raw_headers=raw_headers,
            headers=header_map(raw_headers),
            tenant=tenant_of((value for name, value in raw_headers if name in _CREDENTIALS), secret),
        )

    @property
    def is_encoded(self) -> bool:
        """Whether the body is compressed (gzip, zstd): such a body is passed on unread."""
        return self.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity")

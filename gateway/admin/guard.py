"""Who may ask the admin listener, decided from a request's head alone (pure).

Without a token, being on the machine is what counts, and a browser on the machine speaks for any web page: so
the Host has to name this machine, which a page that rebinds its own name in the DNS cannot do.

A token comes as `Bearer`, or as the password of `Basic`, which a browser asks for, keeps while it runs, and
sends along whatever page has it ask. There are no cookies. So a write that a browser sends for another site's
page is refused in any case, and reads change nothing.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from gateway.refusal import Refusal
from gateway.types import RawHeaders

OPEN_PATHS: Final = frozenset({"/healthz", "/readyz"})
"""Answered without a token: probes have none, and the main port says the same to anybody."""

_READS: Final = frozenset({"GET", "HEAD"})
_THIS_MACHINE: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_OWN_PAGES: Final = frozenset({"same-origin", "none"})


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules of one listener."""

    token: SecretStr | None
    host: str
    """What it listens on, which is a name for it too."""

    def refuse(self, method: str, path: str, headers: RawHeaders) -> Refusal | None:
        """Why the request goes no further, or None."""
        hosts = _values(headers, b"host")
        if len(hosts) != 1:
            return Refusal(400, code="invalid_request", message="Host is missing or repeated: send it once")
        if self.token is None and not self._is_here(hosts[0]):
            return Refusal(
                403,
                code="host_not_allowed",
                message="without a token this listener answers to localhost, 127.0.0.1 and [::1] only: "
                "ask there, or set admin.token",
            )
        if method not in _READS and _is_cross_site(headers, hosts[0]):
            return Refusal(403, code="origin_not_allowed", message="another site's page may not write here")
        if path not in OPEN_PATHS and not self._has_token(headers):
            return Refusal(
                401,
                code="invalid_admin_token",
                message="token missing or wrong: send Authorization: Bearer and admin.token, "
                "or in a browser the token as the password",
            )
        return None

    def _is_here(self, host: str) -> bool:
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        return name.lower() in _THIS_MACHINE or name.strip("[]").lower() == self.host.lower()

    def _has_token(self, headers: RawHeaders) -> bool:
        if self.token is None:
            return True
        given = _values(headers, b"authorization")
        credential = _credential(given[0]) if len(given) == 1 else b""
        return hmac.compare_digest(credential, self.token.get_secret_value().encode())


def _credential(given: str) -> bytes:
    """The token as it is sent, by either scheme; empty, which no token is, for anything else."""
    scheme, _, credential = given.partition(" ")
    if scheme.lower() == "bearer":
        return credential.strip().encode()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credential.strip(), validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return b""
    return b""


def _is_cross_site(headers: RawHeaders, host: str) -> bool:
    """Whether a browser says that somebody else's page asks."""
    origins = _values(headers, b"origin")
    sites = _values(headers, b"sec-fetch-site")
    return any(origin not in (f"http://{host}", f"https://{host}") for origin in origins) or any(
        site not in _OWN_PAGES for site in sites
    )


def _values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[str]:
    return [value.decode("latin-1") for found, value in headers if found.lower() == name]

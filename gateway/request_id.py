"""The ids of requests, which tell whose they are to whoever holds the secret, and to nobody else (pure).

`pith-`, 24 hex digits at random, and 8 of their keyed hash with the tenant. So feedback on a request can be
told from a forgery on any replica, also while the ledger is down.
"""

from __future__ import annotations

import hmac
import re
import secrets
from typing import Final

from gateway.hashing import Secret

_HEAD: Final = "pith-"
_RANDOM_BYTES: Final = 12
_TAIL_BYTES: Final = 4
_ID: Final = re.compile(r"pith-([0-9a-f]{24})([0-9a-f]{8})", re.ASCII)


def issue(secret: Secret, tenant: str) -> str:
    """A new one."""
    random = secrets.token_hex(_RANDOM_BYTES)
    return f"{_HEAD}{random}{_tail(secret, tenant, random)}"


def is_issued(secret: Secret, tenant: str, request_id: str) -> bool:
    """Whether it was issued for this tenant; a guess is one in four billion."""
    found = _ID.fullmatch(request_id)
    return found is not None and hmac.compare_digest(_tail(secret, tenant, found[1]), found[2])


def _tail(secret: Secret, tenant: str, random: str) -> str:
    return secret.keyed(b"request", tenant.encode("utf-8", "surrogatepass"), random.encode())[
        :_TAIL_BYTES
    ].hex()

"""The credential of a request, found by one function for every field that may hold one. Pure.

Whatever begins like a virtual key is taken for one and never for a caller's own key: a slip in it must not
send the rest of it to an upstream. For the same reason a virtual key in any other place is refused.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from gateway.access.keys import PREFIX
from gateway.hashing import strip_scheme
from gateway.headers import CREDENTIALS
from gateway.refusal import Refusal
from gateway.types import RawHeaders

_PREFIX: Final = PREFIX.encode()
_KEY: Final = re.compile(rb"pith-[A-Za-z0-9][A-Za-z0-9._-]{0,63}-[A-Za-z0-9]{32,}")
"""A whole virtual key, anywhere in a text."""

CONFLICT: Final = "the credential fields of the request differ: send one key, in authorization or x-api-key"
MISPLACED: Final = (
    "a virtual key is in {place}, which goes on: send it as `Authorization: Bearer` or in x-api-key"
)


def find_virtual_key(headers: RawHeaders, target: bytes) -> bytes | None:
    """The virtual key that a request presents, or None. Raises Refusal (401) where it is not clear."""
    given = {strip_scheme(value) for name, value in headers if name in CREDENTIALS} - {b""}
    ours = [credential for credential in given if credential.startswith(_PREFIX)]
    if ours and len(given) > 1:
        raise Refusal(401, code="invalid_api_key", message=CONFLICT)
    _check_places(headers, target)
    return ours[0] if ours else None


def callers_own(headers: RawHeaders) -> RawHeaders:
    """`headers` less a virtual key: the last place that sees to it that none goes to an upstream."""
    return [
        (name, value)
        for name, value in headers
        if name.lower() not in CREDENTIALS or not strip_scheme(value).startswith(_PREFIX)
    ]


def has_conflict(headers: RawHeaders) -> bool:
    """Whether two credential fields hold different keys."""
    return len({strip_scheme(value) for name, value in headers if name in CREDENTIALS} - {b""}) > 1


def _check_places(headers: RawHeaders, target: bytes) -> None:
    for name, value in headers:
        if _PREFIX in value and _KEY.search(value):
            is_credential = name in CREDENTIALS and strip_scheme(value).startswith(_PREFIX)
            if not is_credential:
                raise _misplaced(f"header {name.decode('latin-1')}")
    if _KEY.search(unquote_to_bytes(target) if b"%" in target else target):
        raise _misplaced("the URL")


def _misplaced(place: str) -> Refusal:
    return Refusal(401, code="invalid_api_key", message=MISPLACED.format(place=place))

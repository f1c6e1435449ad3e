"""A virtual key: what it is called, whose it is, what it may do. Pure.

A key is `pith-<id>-<secret>`. The id is public: it is in the ledger, in policies and in `pith keys list`. Of
the whole key only a SHA-256 is kept anywhere; the secret part has 192 random bits, so the hash needs no salt
and cannot be guessed back. Fields here are the keys of `keys:` in the configuration.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

from policies.params import Count, Frozen, Number
from policies.schema import check_name, check_unique

PREFIX: Final = "pith-"
SECRET_BYTES: Final = 24

_HASH = re.compile(r"sha256:[0-9a-f]{64}")


def _read_hash(value: object) -> object:
    """Not quoted when wrong: it may be the key itself."""
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise ValueError("must be sha256: and 64 hex digits, as `pith keys create --no-store` prints it")
    return value


def _read_moment(value: object) -> object:
    """A date or a time, UTC where it does not say otherwise."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"value {value!r}: must be a date or time, e.g. 2027-01-31") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _not_empty(globs: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if globs == ():
        raise ValueError("an empty list would allow nothing; name some, or leave it out to allow all")
    if globs is not None and not all(globs):
        raise ValueError("an empty glob would allow nothing; name one, or leave it out")
    return globs


def _above_zero(usd: float) -> float:
    if usd <= 0:
        raise ValueError(f"value {usd!r}: must be above 0")
    return usd


Globs: TypeAlias = Annotated[tuple[str, ...] | None, AfterValidator(_not_empty)]
Limit: TypeAlias = Annotated[Count, Field(ge=1)]
Usd: TypeAlias = Annotated[Number, AfterValidator(_above_zero)]


class VirtualKey(Frozen):
    """A key we issued, and its scopes; whatever is None is not limited."""

    id: Annotated[str, AfterValidator(check_name)]
    team: Annotated[str, AfterValidator(check_name)] | None = None
    """Whose cache entries it shares; None: a tenant of its own."""
    hash: Annotated[str, BeforeValidator(_read_hash)] = Field(repr=False)
    """`sha256:` and the hex digest of the whole key."""
    models: Globs = None
    """Globs on the models it may use."""
    paths: Globs = None
    """Globs on the request paths it may use."""
    policies: Globs = None
    """Globs on the policies it may ask for by `x-pith-policy`."""
    overrides: bool = True
    """Whether its `x-pith-policy`, `-mode` and `-rate` are honoured."""
    expires: Annotated[
        datetime | None, BeforeValidator(lambda at: None if at is None else _read_moment(at))
    ] = None
    requests_per_minute: Limit | None = None
    tokens_per_minute: Limit | None = None
    """By the upstream's usage, counted when an answer has ended."""
    usd_per_day: Usd | None = None
    """By the ledger's cost, per UTC day."""
    usd_per_month: Usd | None = None

    @cached_property
    def digest(self) -> bytes:
        """The SHA-256 of the whole key."""
        return bytes.fromhex(self.hash.removeprefix("sha256:"))

    @property
    def tenant(self) -> str:
        """Whose cache entries it may use. The prefix keeps teams apart from every other kind of tenant."""
        return f"team:{self.team}" if self.team else f"key:{self.id}"

    @property
    def has_budget(self) -> bool:
        return self.usd_per_day is not None or self.usd_per_month is not None

    def is_expired(self, now: datetime) -> bool:
        return self.expires is not None and self.expires <= now


def _unique(keys: tuple[VirtualKey, ...]) -> tuple[VirtualKey, ...]:
    check_unique("key", (key.id for key in keys))
    return keys


VirtualKeys: TypeAlias = Annotated[tuple[VirtualKey, ...], AfterValidator(_unique)]
"""Ids differ."""


def make_key(key_id: str) -> str:
    """A new key with this id. It is shown once; nothing keeps it."""
    return f"{PREFIX}{key_id}-{secrets.token_hex(SECRET_BYTES)}"


def digest_of(key: bytes) -> bytes:
    """What is compared."""
    return hashlib.sha256(key).digest()


def hash_of(key: str) -> str:
    """What is kept of a key."""
    return f"sha256:{digest_of(key.encode()).hex()}"


def id_of(key: bytes) -> str:
    """The public id in a key; of anything else some text that is no key's id."""
    return key.removeprefix(PREFIX.encode()).rpartition(b"-")[0].decode("ascii", "replace")

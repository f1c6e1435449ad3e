"""Whom a request comes from, as far as access has decided it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.access.keys import VirtualKey
from gateway.hashing import Secret, tenant_of


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. What a virtual key may do is in `key`; None for callers with keys of their own."""

    tenant: str
    """Whose cache entries it may use: a team's, else those of the one credential."""
    key_id: str
    """The virtual key's id, else the keyed hash of the credential."""
    team: str | None = None
    key: VirtualKey | None = None

    @classmethod
    def of_credentials(cls, credentials: Iterable[bytes], secret: Secret) -> Principal:
        """A caller with a key of its own, or with none."""
        tenant = tenant_of(credentials, secret)
        return cls(tenant, tenant)

    @classmethod
    def of_key(cls, key: VirtualKey) -> Principal:
        """The holder of a virtual key."""
        return cls(key.tenant, key.id, key.team, key)

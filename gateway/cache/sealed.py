"""What leaves the process is encrypted and authenticated: AES-256-GCM under keys derived from `PITH_SECRET`.

    version (1 byte) | written at (4) | lives for (8) | nonce (12) | ciphertext and tag

Who can read or write the store learns sizes and times, and can lose entries, nothing else: no value can be
read, made up, changed, or moved to another key. What does not open is a miss, is counted, and is replaced by
the next value put. Nothing is ever executed or unpickled.
"""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.cache.store import Held, Store
from gateway.errors import CacheRefused
from gateway.hashing import Secret

MAX_VALUE_BYTES: Final = 4 << 20
"""Scores of a text of some 10 million characters; whatever is larger stays in the process."""

_VERSION: Final = 1
_HEAD: Final = Struct(">BId")
_NONCE_BYTES, _TAG_BYTES = 12, 16
_MAX_U32: Final = 2**32 - 1
_SALT: Final = b"pith cache"
_PURPOSE: Final = b"pith cache value 1"


class Seal:
    """Seals and opens values. Pure but for the random nonces."""

    def __init__(self, secret: Secret) -> None:
        # HKDF (RFC 5869): extracted once, expanded for each key of the cache. A key of its own for each entry
        # lets random nonces be random: under one key for all, 2**32 entries would be too many.
        self._extracted = hmac.digest(_SALT, secret.key, "sha256")

    def seal(self, key: bytes, held: Held) -> bytes:
        """The value as it may lie in the store under the key."""
        head = _HEAD.pack(_VERSION, _u32(held.written_at), held.ttl_s)
        nonce = os.urandom(_NONCE_BYTES)
        return head + nonce + self._cipher(key).encrypt(nonce, held.value, head + key)

    def open(self, key: bytes, sealed: bytes) -> Held | None:
        """What was sealed for this key; None for anything else."""
        if len(sealed) < _HEAD.size + _NONCE_BYTES + _TAG_BYTES or sealed[0] != _VERSION:
            return None
        head, body = sealed[: _HEAD.size], sealed[_HEAD.size :]
        try:
            value = self._cipher(key).decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], head + key)
        except InvalidTag:
            return None
        _, written_at, ttl_s = _HEAD.unpack(head)
        return Held(value, ttl_s, float(written_at))

    def _cipher(self, key: bytes) -> AESGCM:
        return AESGCM(hmac.digest(self._extracted, _PURPOSE + key + b"\x01", "sha256"))


class SealedStore:
    """A store of sealed values. Every method raises `CacheError` on trouble."""

    def __init__(self, store: Store, secret: Secret, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._seal = Seal(secret)
        self._now = now
        self.n_unopened = 0
        """Values that were not sealed by us for their key."""

    async def get_many(self, keys: Sequence[bytes]) -> list[Held | None]:
        """What is held under each key, in order."""
        found = await self._store.get_many(keys)
        return [self._open(key, value) for key, value in zip(keys, found, strict=True)]

    async def put_if_absent(self, key: bytes, value: bytes, ttl_s: float) -> Held:
        """Store unless there is a value that opens; what is held then."""
        if len(value) > MAX_VALUE_BYTES:
            raise CacheRefused(f"value of {len(value)} bytes: at most {MAX_VALUE_BYTES} leave the process")
        ours = Held(value, ttl_s, self._now())
        sealed = self._seal.seal(key, ours)
        stored = await self._store.put_if_absent(key, sealed, ttl_s)
        if stored != sealed and (held := self._open(key, stored)) is not None:
            return held
        if stored != sealed:
            stored = await self._store.replace(key, stored, sealed, ttl_s)
        if stored == sealed:
            return ours
        return self._open(key, stored) or ours

    async def renew(self, ttls: Mapping[bytes, float]) -> list[bytes]:
        """Let keys live so many seconds from now; those that are not there any more."""
        return await self._store.renew(ttls)

    def _open(self, key: bytes, sealed: bytes | None) -> Held | None:
        if sealed is None:
            return None
        held = self._seal.open(key, sealed)
        self.n_unopened += held is None
        return held


def _u32(seconds: float) -> int:
    return max(0, min(_MAX_U32, round(seconds)))

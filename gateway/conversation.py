"""Which conversation a request belongs to, and what was decided for it at first sight (pins).

What continues an answer that the upstream keeps belongs to its conversation (`chain.py`), whatever else the
request says, for of how that opened it holds nothing. Else a conversation has a name from its client
(`x-pith-unit`, else `prompt_cache_key`) and its opening messages, since a unit may be a user, and
applications send one cache key with all they ask. Else it is recognised: each request's messages are recorded
as a prefix, and a later request that begins with a recorded prefix belongs to the same conversation, the
longest one deciding.

Recognition compares raw bytes. A client that writes an old message differently on a later turn (other
spacing, key order or escapes, as some do with tool calls) starts a new conversation: its pins are lost
and the texts of that request are decided afresh, nothing else. Forks of a conversation share its name.

Cache keys are keyed hashes, values are such hashes or small JSON: never text. Everything lives 24 hours
after its last use. What is lost or unreadable counts as never recorded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import orjson

from gateway.hashing import Secret
from gateway.offload import Offload
from gateway.types import Cache

PIN_TTL_S = 24 * 3600.0
COMPRESSED = ""
"""In place of a reason to leave a text whole: it was judged, and is compressed."""

_NAME = re.compile(rb"[0-9a-f]{64}")


class Conversations:
    """Names the conversation of each request."""

    def __init__(self, cache: Cache, secret: Secret, offload: Offload) -> None:
        self._cache = cache
        self._secret = secret
        self._offload = offload

    async def identify(
        self,
        tenant: str,
        messages: Sequence[bytes],
        *,
        unit: str | None,
        prompt_cache_key: str | None,
        n_opening: int = 0,
        chain: str | None = None,
        chained: str | None = None,
    ) -> str:
        """The conversation's name: 64 hex digits that tell nothing of the client's own name for it.

        `n_opening` messages open it: they tell apart what a client calls by one name. `chain` is what the
        upstream calls what the request continues, `chained` the conversation that is known to be.
        """
        if chained is not None and _NAME.fullmatch(chained.encode()):
            return chained
        for kind, given in ((b"unit", unit), (b"prompt_cache_key", prompt_cache_key)):
            if given:
                opening = messages[:n_opening]
                parts = (b"conversation", kind, tenant.encode(), _encode(given), *opening)
                name = await self._offload(sum(map(len, opening)), self._secret.keyed, *parts)
                return name.hex()
        if chain is not None:
            return self._secret.keyed(b"conversation", b"chain", tenant.encode(), _encode(chain)).hex()
        return await self._recognise(tenant, messages)

    async def _recognise(self, tenant: str, messages: Sequence[bytes]) -> str:
        size = sum(map(len, messages))
        prefixes = await self._offload(size, self._hash_prefixes, tenant, messages)
        whole = prefixes[-1]
        names = [_read_name(value) for value in await self._cache.get_many(prefixes)]
        if names[-1]:
            return names[-1]  # seen before, e.g. a retry; looking it up has renewed it
        known = next((name for name in reversed(names) if name), None)
        name = known or self._secret.keyed(b"conversation", b"new", whole).hex()
        stored = await self._cache.put_if_absent(whole, name.encode(), PIN_TTL_S)
        return _read_name(stored) or name

    def _hash_prefixes(self, tenant: str, messages: Sequence[bytes]) -> list[bytes]:
        """A hash of each prefix of the messages, shortest first; of no messages, the one of nothing."""
        rolling = self._secret.keyed(b"prefix", tenant.encode())
        prefixes = []
        for message in messages:
            rolling = self._secret.keyed(rolling, message)
            prefixes.append(rolling)
        return prefixes or [rolling]


class Pins:
    """Decisions that depend on the moment, made once for a conversation and obeyed afterwards."""

    def __init__(self, cache: Cache, secret: Secret, offload: Offload) -> None:
        self._cache = cache
        self._secret = secret
        self._offload = offload
        self.n_unrecorded = 0
        """Requests that carry an earlier answer, and nothing is on record of what was decided for it: begun
        elsewhere, too long ago, or lost. They are decided afresh, which may rewrite what went before."""

    async def decide(
        self,
        tenant: str,
        conversation: str,
        decision: bytes,
        *,
        subject: bytes = b"",
        is_continued: bool = False,
    ) -> bytes:
        """Record a decision unless there is one; returns what is in force (a reader may find it garbage).

        `subject` is what a decision is about besides the conversation: another subject, another decision.
        `is_continued`: the conversation is not at its beginning, so there should be one.
        """
        key = self._key(b"decision", tenant, conversation, subject)
        if is_continued:
            [recorded] = await self._cache.get_many([key])
            if recorded is not None:
                return recorded
            self.n_unrecorded += 1
        return await self._cache.put_if_absent(key, decision, PIN_TTL_S)

    async def leave_whole(self, tenant: str, conversation: str, text_digest: bytes, reason: str) -> str:
        """Record that a text (by its keyed hash) is left whole in this conversation, or `COMPRESSED`, unless
        there is a record; returns what is in force."""
        key = self._key(b"whole", tenant, conversation, text_digest)
        stored = await self._cache.put_if_absent(key, orjson.dumps({"skip": reason}), PIN_TTL_S)
        in_force = _read_reason(stored)
        return reason if in_force is None else in_force

    async def left_whole(
        self, tenant: str, conversation: str, text_digests: Sequence[bytes]
    ) -> list[str | None]:
        """For each text the recorded reason to leave it whole, or `COMPRESSED`; None: nothing is recorded."""
        size = sum(map(len, text_digests))
        keys = await self._offload(size, self._whole_keys, tenant, conversation, text_digests)
        return [_read_reason(value) for value in await self._cache.get_many(keys)]

    def _whole_keys(self, tenant: str, conversation: str, text_digests: Sequence[bytes]) -> list[bytes]:
        return [self._key(b"whole", tenant, conversation, digest) for digest in text_digests]

    def _key(self, *parts: bytes | str) -> bytes:
        return self._secret.keyed(
            b"pin", *(part.encode() if isinstance(part, str) else part for part in parts)
        )


def _encode(given: str) -> bytes:
    return given.encode("utf-8", "surrogatepass")  # a header read leniently may hold anything


def _read_name(value: bytes | None) -> str | None:
    return value.decode() if value is not None and _NAME.fullmatch(value) else None


def _read_reason(value: bytes | None) -> str | None:
    try:
        read = orjson.loads(value) if value is not None else None
    except orjson.JSONDecodeError:
        return None
    reason = read.get("skip") if isinstance(read, dict) else None
    return reason if isinstance(reason, str) else None

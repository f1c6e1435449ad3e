"""Where the upstream keeps what a request continues: `previous_response_id`, or `conversation`.

An answer that is kept is known by its id. What is noted under it: which conversation it belongs to, so that a
later turn is decided as the ones before, and which upstream has it, since no other knows the id. Of an answer
that has not told its usage yet (`background`) it is the model, too, so that it is priced when it is fetched.
It is noted for as long as OpenAI keeps responses. A note that is lost costs the pins and that price, and the
routes say where to go.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import asdict, dataclass
from typing import Final

import orjson

from gateway.hashing import Secret
from gateway.types import Cache

LINK_TTL_S: Final = 30 * 24 * 3600.0
"""OpenAI keeps responses for 30 days."""

_BY_ID: Final = re.compile(r"(?:/openai)?(?:/v1)?/responses/([^/]+)(?:/.*)?")


@dataclass(frozen=True, slots=True)
class Link:
    """What is noted of a kept answer."""

    conversation: str | None
    upstream: str
    open_model: str | None = None
    """The model of an answer that has not told its usage; None once it has."""


class Chains:
    """Notes by the upstream's ids. For one event loop."""

    def __init__(self, cache: Cache, secret: Secret) -> None:
        self._cache = cache
        self._secret = secret
        self._background: set[asyncio.Task[bytes]] = set()

    async def find(self, tenant: str, name: str) -> Link | None:
        """What is known of a kept answer or conversation."""
        [value] = await self._cache.get_many([self._key(tenant, name)])
        return _read(value)

    def note(self, tenant: str, name: str, link: Link) -> None:
        """Keep in mind; the request does not wait for it."""
        value = orjson.dumps(asdict(link))
        task = asyncio.ensure_future(self._cache.put_if_absent(self._key(tenant, name), value, LINK_TTL_S))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _key(self, tenant: str, name: str) -> bytes:
        return self._secret.keyed(b"chain", tenant.encode(), name.encode("utf-8", "surrogatepass"))


PRICED: Final = "priced "
"""Before the id of an answer that was fetched and told its usage, as no id of an upstream's begins."""


def named_in_path(path: str) -> str | None:
    """The kept answer that a request reads, cancels or deletes."""
    match = _BY_ID.fullmatch(path)
    return match[1] if match else None


def _read(value: bytes | None) -> Link | None:
    try:
        read = orjson.loads(value) if value is not None else None
    except orjson.JSONDecodeError:
        return None
    if not isinstance(read, dict):
        return None
    conversation, upstream = read.get("conversation"), read.get("upstream")
    if not isinstance(upstream, str) or not isinstance(conversation, str | None):
        return None
    model = read.get("open_model")
    return Link(conversation, upstream, model if isinstance(model, str) else None)

"""Requests and questions that were there before: looked up while the upstream answers.

What is recorded are keyed hashes and the ids of requests, in the cache that replicas share. Nothing waits for
it but the closing of the account, and that not for long; what goes wrong counts as nothing heard (law 6).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from gateway.experiments.enrolling import Enrolled, question_of
from gateway.hashing import Secret
from gateway.incoming import Incoming
from gateway.offload import Offload
from gateway.plan import Plan
from gateway.types import Cache

RETRY_S: Final = 60.0
"""The same request again within this time is a retry."""
QUESTION_S: Final = 24 * 3600.0
PATIENCE_S: Final = 0.25
"""How long an answer that has ended waits for it."""
RETRY_HEADER: Final = "x-stainless-retry-count"
"""How often a client of OpenAI's or Anthropic's has sent the request before."""

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Echo:
    """What a request repeats."""

    is_retry: bool = False
    is_repeat: bool = False
    """The same question in the same unit; a retry is none."""


class Echoes:
    """Remembers what was asked, by keyed hashes."""

    def __init__(self, cache: Cache, secret: Secret, offload: Offload) -> None:
        self._cache = cache
        self._secret = secret
        self._offload = offload

    async def hear(self, request_id: str, incoming: Incoming, plan: Plan, enrolled: Enrolled) -> Echo:
        """What the request repeats; from now on it is known itself."""
        body = plan.treated.body if plan.treated is not None else plan.body
        if not isinstance(body, bytes) or plan.request is None:
            return Echo(_says_so(incoming))
        asker = (enrolled.unit.encode(), incoming.path.encode("utf-8", "surrogatepass"))
        same = await self._offload(len(body), self._secret.keyed, b"echo", b"request", *asker, body)
        is_retry = await self._was_there(same, request_id, RETRY_S) or _says_so(incoming)
        question = await self._offload(len(body), question_of, body, plan.request)
        if question is None:
            return Echo(is_retry)
        asked = self._secret.keyed(
            b"echo", b"question", enrolled.unit.encode(), question.encode("utf-8", "surrogatepass")
        )
        was_asked = await self._was_there(asked, request_id, QUESTION_S)
        return Echo(is_retry, was_asked and not is_retry)

    async def _was_there(self, key: bytes, request_id: str, ttl_s: float) -> bool:
        own = request_id.encode()
        return await self._cache.put_if_absent(key, own, ttl_s) != own


class Hearing:
    """The look-up for one request, on its way."""

    def __init__(self, echoes: Echoes | None, request_id: str, incoming: Incoming, plan: Plan) -> None:
        self._task: asyncio.Task[Echo] | None = None
        if echoes is not None and plan.enrolled is not None:
            work = echoes.hear(request_id, incoming, plan, plan.enrolled)
            self._task = asyncio.create_task(work, name="echo")

    async def outcome(self) -> Echo | None:
        """None outside experiments, and where it took too long. Never raises."""
        if self._task is None:
            return None
        await asyncio.wait({self._task}, timeout=PATIENCE_S)
        if not self._task.done():
            self._task.cancel()
            return None
        if self._task.cancelled():
            return None
        if (error := self._task.exception()) is not None:
            _log.error("an echo was not looked up: %s", type(error).__name__, exc_info=error)
            return None
        return self._task.result()


def _says_so(incoming: Incoming) -> bool:
    count = incoming.headers.get(RETRY_HEADER, "0")
    return count.isascii() and count.isdigit() and len(count) < 10 and int(count) > 0

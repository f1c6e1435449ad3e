"""The gate every request passes before anything is done for it: who asks, and may they.

Access control fails closed: what cannot be checked is refused. Callers with keys of their own are for the
upstream to check, unless `require_keys` is set. An unknown key, a wrong one, a revoked one and an expired one
get the same answer.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Literal

from gateway.access.counters import Counters
from gateway.access.credentials import CONFLICT, find_virtual_key, has_conflict
from gateway.access.principal import Principal
from gateway.access.ring import HOLD_S, KeyRing, StaleKeys
from gateway.access.scopes import check_path
from gateway.errors import ConfigError
from gateway.incoming import Incoming
from gateway.refusal import Refusal
from gateway.trouble import Trouble
from gateway.types import Entry, Ledger

INVALID: Final = (
    "no valid key: send one that `pith keys create` made, as `Authorization: Bearer` or in x-api-key"
)
STALE: Final = "virtual keys cannot be checked just now, since the key store does not answer: try again later"
STALE_RETRY_S: Final = 5

logger = logging.getLogger(__name__)


class Gate:
    """Says who asks, admits requests, and counts what they have used."""

    def __init__(self, ring: KeyRing, counters: Counters, *, requires_keys: bool) -> None:
        self._ring = ring
        self._counters = counters
        self._requires_keys = requires_keys
        self._counting: set[asyncio.Task[None]] = set()

    def identify(self, incoming: Incoming) -> Incoming:
        """The request, with who asks. Raises Refusal: 401, or 503 where nobody can know."""
        credential = find_virtual_key(incoming.raw_headers, incoming.target)
        if credential is None:
            if not self._requires_keys:
                return incoming
            conflicts = has_conflict(incoming.raw_headers)
            raise Refusal(401, code="invalid_api_key", message=CONFLICT if conflicts else INVALID)
        try:
            key = self._ring.find(credential)
        except StaleKeys as error:
            code = "key_store_unavailable"
            raise Refusal(503, code, STALE, retry_after_s=STALE_RETRY_S) from error
        if key is None:
            raise Refusal(401, code="invalid_api_key", message=INVALID)
        return replace(incoming, principal=Principal.of_key(key))

    async def admit(self, incoming: Incoming) -> None:
        """Let the request in, and count it. Raises Refusal: 403 or 429."""
        if (key := incoming.principal.key) is not None:
            check_path(key, incoming.path)
            await self._counters.admit(key)

    def settle(self, principal: Principal, entry: Entry) -> None:
        """Count what an answer has used, without waiting for it."""
        key, usage = principal.key, entry.usage
        if key is None or usage is None:
            return
        tokens = usage.prompt_tokens + usage.completion_tokens
        task = asyncio.create_task(self._counters.add(key, tokens, entry.cost_usd or 0.0), name="counting")
        self._counting.add(task)
        task.add_done_callback(self._counting.discard)

    @property
    def counters(self) -> Counters:
        """Where what is used up is counted, together with other replicas."""
        return self._counters

    @property
    def keys_degraded(self) -> str | None:
        """Why the store's keys are not up to date, or None."""
        return self._ring.degraded

    @property
    def limits_degraded(self) -> str | None:
        """Why replicas do not count together, or None."""
        return self._counters.degraded

    async def open(self, ledger: Ledger) -> None:
        """Copy the store, and begin the counts of this day and month with what the ledger holds.

        A store that does not answer stops no start; one that is not ours does. Raises ConfigError.
        """
        await asyncio.to_thread(self._ring.refresh)
        budgeted = {key.id: key for key in self._ring.keys if key.has_budget}
        if not budgeted:
            return
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        begins: dict[Literal["day", "month"], datetime] = {"day": midnight, "month": midnight.replace(day=1)}
        try:
            for unit, since in begins.items():
                for row in await ledger.report(group_by="key_id", since=since.timestamp()):
                    if (key := budgeted.get(row.group)) is not None:
                        await self._counters.recall(key, unit, row.cost_usd)
        except ConfigError as error:
            logger.error("budgets begin at nothing, the ledger cannot be read: %s", error)

    async def watch(self, poll_s: float) -> None:
        """Copy the store again and again, and see whether Redis is back; say in the log how the store is."""
        store = Trouble(
            logger, f"virtual keys hold for {HOLD_S:g} s as they are: %s", "the key store answers again"
        )
        while True:
            await asyncio.sleep(poll_s)
            with suppress(ConfigError):  # it says so in `degraded`, and stops a start only
                await asyncio.to_thread(self._ring.refresh)
            await self._counters.probe()
            store.see(self._ring.degraded)

    async def aclose(self) -> None:
        """Finish counting."""
        await asyncio.gather(*self._counting, return_exceptions=True)
        await self._counters.aclose()

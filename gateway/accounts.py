"""One request's bookkeeping: its id, its stopwatch, its way to the upstream and back, its ledger entry."""

from __future__ import annotations

import logging
import secrets
import time
from dataclasses import dataclass

from starlette.types import Receive, Send

from gateway.accounting import cost, saved
from gateway.headers import request_headers
from gateway.incoming import Incoming
from gateway.passthrough import Outcome, relay
from gateway.plan import Plan
from gateway.services import Services
from gateway.stopwatch import Stopwatch
from gateway.tap import UsageTap
from gateway.types import Entry, UpstreamRequest, Usage
from gateway.usage import estimated_usage

logger = logging.getLogger("gateway.requests")


@dataclass(frozen=True, slots=True)
class Account:
    """Opened when a request arrives; closed with exactly one entry, however the request ends."""

    id: str
    opened_at: float
    incoming: Incoming
    services: Services
    watch: Stopwatch

    @classmethod
    def open(cls, incoming: Incoming, services: Services) -> Account:
        """Begin to count."""
        return cls(
            f"pith-{secrets.token_hex(12)}", time.time(), incoming, services, Stopwatch(time.perf_counter)
        )

    async def answer(self, plan: Plan, receive: Receive, send: Send) -> None:
        """Send the plan's body on, answer the client, and close."""
        model = plan.request.model if plan.request else None
        upstream = self.services.upstream_for(self.incoming.path, model)
        headers = request_headers(self.incoming.raw_headers, identity_only=plan.hides_usage)
        tap = UsageTap(is_hiding=plan.hides_usage)
        outcome = Outcome()
        try:
            outcome = await relay(
                receive,
                send,
                upstream,
                UpstreamRequest(self.incoming.method, self.incoming.target, headers, plan.body),
                added=plan.headers(self.id, self.watch.header()),
                tap=tap if plan.reads_usage else None,
            )
        finally:
            self._close(plan, outcome, tap)

    def close_unanswered(self) -> None:
        """The client left before its request was read."""
        self._close(Plan(b""), Outcome(), UsageTap())

    def _close(self, plan: Plan, outcome: Outcome, tap: UsageTap) -> None:
        if outcome.first_byte_s is not None:
            self.watch.add("first_byte", outcome.first_byte_s)
        self.watch.add("upstream", outcome.total_s)
        self.watch.add("total", self.watch.elapsed_s)
        entry = self.entry(plan, outcome, tap.usage or _estimated(plan, tap))
        self.services.ledger.record(entry)
        logger.info("request", extra={"entry": entry})

    def entry(self, plan: Plan, outcome: Outcome, usage: Usage | None) -> Entry:
        decision, request = plan.decision, plan.request
        model = request.model if request else None
        price = self.services.prices.price(model)
        mode = decision.mode if decision else "off"
        return Entry(
            id=self.id,
            created_at=self.opened_at,
            path=self.incoming.path,
            status=outcome.status,
            key_id=self.incoming.tenant,
            conversation=plan.conversation,
            model=model,
            policy=decision.policy if decision else None,
            policy_version=decision.version if decision else None,
            variant=decision.variant if decision else None,
            mode=mode,
            is_streamed=bool(request and request.is_streamed),
            is_complete=outcome.is_complete,
            origin_tokens=plan.origin_tokens,
            compressed_tokens=plan.compressed_tokens,
            tokenizer=plan.tokenizer,
            skip=plan.skip,
            cache=plan.cache,
            usage=usage,
            cost_usd=cost(usage, price) if usage and price else None,
            saved_usd=saved(
                plan.origin_tokens, plan.compressed_tokens, usage, price, is_applied=mode == "on"
            ),
            timing_ms=dict(self.watch.ms),
        )


def _estimated(plan: Plan, tap: UsageTap) -> Usage | None:
    """What a streamed answer that broke off before its usage will have cost, marked as an estimate."""
    if not tap.output_characters or plan.compressed_tokens is None or plan.origin_tokens is None:
        return None
    is_applied = plan.decision is not None and plan.decision.mode == "on"
    prompt = plan.compressed_tokens if is_applied else plan.origin_tokens
    return estimated_usage(prompt, tap.output_characters)

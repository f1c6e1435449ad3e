"""One request's bookkeeping: its id, its stopwatch, its way to the upstream and back, its ledger entry."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace

from starlette.types import Receive, Send

from gateway.access.scopes import check_upstream
from gateway.accounting import Price, at_most, cost
from gateway.chain import PRICED, Link, named_in_path
from gateway.counterfactual import Prompt, Settlement, settle
from gateway.dialects.answers import CHAT_ANSWERS
from gateway.expecting import Destination, Expecting, unmodelled
from gateway.experiments.echoes import Echo, Hearing
from gateway.experiments.records import Exposure
from gateway.headers import request_headers
from gateway.incoming import Incoming
from gateway.logs import log_request
from gateway.metrics import NONE
from gateway.passthrough import Answer, Outcome, relay
from gateway.plan import Plan
from gateway.prospects import learn
from gateway.refusal import Refusal
from gateway.request_id import issue
from gateway.response_cache import Turn
from gateway.response_record import Replay
from gateway.services import Services
from gateway.stopwatch import Stopwatch
from gateway.tap import UsageTap
from gateway.tracing.spans import TRACE_CONTEXT, Traced
from gateway.tunnel import WEBSOCKET, Tunnel
from gateway.types import Entry, Upstream, UpstreamRequest, Usage
from gateway.usage import estimated_usage

_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Account:
    """Opened when a request arrives; closed with exactly one entry, however the request ends."""

    id: str
    opened_at: float
    incoming: Incoming
    services: Services
    watch: Stopwatch
    turn: Turn
    """At the cache of answers."""

    @classmethod
    def open(cls, incoming: Incoming, services: Services) -> Account:
        """Begin to count."""
        return cls(
            id=issue(services.secret, incoming.tenant),
            opened_at=time.time(),
            incoming=incoming,
            services=services,
            watch=Stopwatch(time.perf_counter),
            turn=services.responses.turn(),
        )

    async def answer(self, plan: Plan, receive: Receive, send: Send) -> None:
        """Send the plan's body on, answer the client, and close."""
        upstream = self._upstream(plan)
        headers = request_headers(self.incoming.spelled, identity_only=plan.hides_usage)
        tap = UsageTap(plan.answers or CHAT_ANSWERS, is_hiding=plan.hides_usage)
        take_over = self.incoming.take_over
        request = UpstreamRequest(
            self.incoming.method,
            self.incoming.target,
            headers,
            plan.body,
            upgrade=WEBSOCKET if take_over else None,
        )
        answer = Answer(
            send,
            added=lambda waited_s: plan.headers(self.id, self.watch.header(waited_s)),
            tap=self.turn.recording(tap) if plan.reads_usage and plan.answer is None else None,
            tunnel=Tunnel(take_over, self.services.config.timeouts.stream_idle_s) if take_over else None,
        )
        model = plan.request.model if plan.request else None
        destination = Destination(self.incoming.tenant, self._route(plan), model)
        expecting = Expecting(self.services, plan, destination)
        hearing = Hearing(self.services.echoes, self.id, self.incoming, plan)
        prompt, echo = unmodelled(plan), None
        self._expose(plan)
        began_s = self.watch.elapsed_s
        try:
            heard = expecting.heard_by(upstream)
            await relay(receive, answer, heard, request, self.incoming.tell_leaving)
        finally:
            self.watch.lap("upstream", began_s)
            try:
                prompt = await expecting.outcome()
                echo = await hearing.outcome()
            finally:
                self._close(plan, answer.outcome(), tap, prompt, echo)

    def _expose(self, plan: Plan) -> None:
        """That a unit meets its arm, before anything can come of it."""
        if plan.enrolled is not None and plan.size is not None and plan.size.is_eligible:
            met = plan.enrolled
            exposure = Exposure(
                met.experiment, met.version, met.unit, met.arm, self.opened_at, plan.size.n_tokens
            )
            self.services.ledger.note(exposure)

    def _upstream(self, plan: Plan) -> Upstream:
        """Where the request goes. Raises Refusal (403) where a virtual key would have to go with it."""
        if plan.answer:
            return Replay(plan.answer)
        name = self._route(plan)
        try:
            takes_callers_keys = self.services.config.upstreams[name].key is None
            check_upstream(self.incoming.principal.key, name, takes_callers_keys=takes_callers_keys)
        except Refusal as refusal:
            self._close(plan, Outcome(refusal.status, is_complete=True), UsageTap())
            raise
        return self.services.upstreams[name]

    def _route(self, plan: Plan) -> str:
        """The upstream's name: where what the request continues is kept, else as the routes say."""
        config = self.services.config
        if plan.upstream in config.upstreams:
            return plan.upstream
        return config.upstream_for(self.incoming.path, plan.request.model if plan.request else None)

    def close_unanswered(self) -> None:
        """The client left before its request was read."""
        self._close(Plan(b""), Outcome(), UsageTap())

    def close_refused(self, refusal: Refusal) -> None:
        """Nothing went on: what is answered is an error of ours."""
        self._close(Plan(b""), Outcome(refusal.status, is_complete=True), UsageTap())

    def _close(
        self,
        plan: Plan,
        outcome: Outcome,
        tap: UsageTap,
        prompt: Prompt | None = None,
        echo: Echo | None = None,
    ) -> None:
        if not plan.reads_usage:  # asking for a count saves nothing
            plan = replace(plan, origin_tokens=None, compressed_tokens=None)
        if outcome.first_byte_s is not None:
            self.watch.add("first_byte", outcome.first_byte_s)
        self.watch.add("upstream", outcome.total_s)
        self.watch.add("total", self.watch.elapsed_s)
        outcome = replace(outcome, is_complete=outcome.is_complete or tap.is_done)
        usage = tap.usage or _estimated(plan, tap)
        self.turn.close(is_complete=outcome.is_complete, usage=usage)
        device_s = self.services.device_s(plan.treated.scored_tokens) if plan.treated else 0.0
        entry = self.entry(plan, outcome, usage, self._money(plan, usage, prompt, device_s))
        problem = _usage_problem(plan, outcome, tap)
        entry = replace(entry, usage_problem=problem, device_ms=round(device_s * 1e3, 3))
        entry = observed(replace(entry, finish=tap.finish, is_broken=outcome.is_broken), plan, echo)
        self.services.ledger.record(entry)
        self.services.rollbacks.note(entry)
        self.services.access.settle(self.incoming.principal, self._charged(plan, entry))
        learn(self.services, plan, self._route(plan), tap.usage)
        upstream = None if plan.answer else self._route(plan)
        self._note(plan, tap)
        self.services.metrics.count(entry, upstream or NONE, "chat" if plan.reads_usage else "relay")
        log_request(entry, upstream)
        if self.services.tracer is not None:
            self.services.tracer.record(self._traced(entry, upstream, tap))

    def _traced(self, entry: Entry, upstream: str | None, tap: UsageTap) -> Traced:
        """What a trace tells of the request. What the client is in goes on to the upstream as it came."""
        incoming, config = self.incoming, self.services.config
        own = config.upstreams[upstream].provider if upstream is not None else None
        return Traced(
            entry,
            self.watch.laps,
            incoming.method,
            upstream,
            provider=own or self.services.prices.provider(entry.model),
            response_model=tap.model,
            response_id=tap.answer_id,
            parent={name: incoming.headers[name] for name in TRACE_CONTEXT if name in incoming.headers},
        )

    def _charged(self, plan: Plan, entry: Entry) -> Entry:
        """The row as budgets count it: where a price it needs is unknown, at most what it may have cost."""
        if entry.usage is None or entry.cost_usd is not None:
            return entry
        price = self._price(plan, entry.model, entry.usage.service_tier)
        return entry if price is None else replace(entry, cost_usd=at_most(entry.usage, price))

    def _note(self, plan: Plan, tap: UsageTap) -> None:
        """Where the answer is kept, for what continues it."""
        name = named_in_path(self.incoming.path) if plan.is_fetch else tap.answer_id
        if plan.request is None or name is None:
            return
        link, note = Link(plan.conversation, self._route(plan)), self.services.chains.note
        if plan.is_fetch:
            if tap.usage is not None:  # under the name it is fetched by, whatever it calls itself
                note(self.incoming.tenant, PRICED + name, link)
            return
        is_open = tap.usage is None and not tap.output_characters
        open_model = plan.request.model if is_open else None
        note(self.incoming.tenant, name, replace(link, open_model=open_model))
        if plan.request.chain is not None:
            note(self.incoming.tenant, plan.request.chain, link)

    def _money(self, plan: Plan, usage: Usage | None, prompt: Prompt | None, device_s: float) -> Settlement:
        model = plan.request.model if plan.request else None
        if plan.answer is None:
            compression_usd = device_s * self.services.config.compressor.usd_per_hour / _HOUR_S
            price = self._price(plan, model, usage.service_tier if usage else None)
            return settle(prompt, usage, price, compression_usd)
        # nothing was billed; saved is what the answer cost when it was made
        avoided = plan.answer.usage
        price = self._price(plan, model, avoided.service_tier if avoided else None)
        usd = cost(avoided, price) if avoided and price else None
        return Settlement(cost_usd=0.0, counterfactual_usd=usd, compression_usd=0.0, saved_usd=usd)

    def entry(self, plan: Plan, outcome: Outcome, usage: Usage | None, money: Settlement) -> Entry:
        """The row."""
        decision, request = plan.decision, plan.request
        return Entry(
            id=self.id,
            created_at=self.opened_at,
            path=self.incoming.path,
            status=outcome.status,
            key_id=self.incoming.principal.key_id,
            team=self.incoming.principal.team,
            conversation=plan.conversation,
            model=request.model if request else None,
            policy=decision.policy if decision else None,
            policy_version=decision.version if decision else None,
            variant=decision.variant if decision else None,
            mode=decision.mode if decision else "off",
            is_streamed=bool(request and request.is_streamed),
            is_complete=outcome.is_complete,
            origin_tokens=plan.origin_tokens,
            compressed_tokens=plan.compressed_tokens,
            tokenizer=plan.tokenizer,
            skip=plan.skip,
            cache="response" if plan.answer else plan.cache,
            usage=usage,
            **asdict(money),
            added_ms=self.watch.added_ms,
            timing_ms=dict(self.watch.ms),
        )

    def _price(self, plan: Plan, model: str | None, tier: str | None) -> Price | None:
        """What the model costs where the request went, on the day it came."""
        provider = self.services.config.upstreams[self._route(plan)].provider
        return self.services.prices.price(model, provider=provider, at=self.opened_at, tier=tier)


def observed(entry: Entry, plan: Plan, echo: Echo | None) -> Entry:
    """The row with what counts for an experiment, if it does for one."""
    if plan.enrolled is None:
        return entry
    first_byte_ms = entry.timing_ms.get("first_byte")
    waited_ms = None if first_byte_ms is None else (entry.added_ms or 0.0) + first_byte_ms
    return replace(
        entry,
        unit=plan.enrolled.unit,
        is_eligible=None if plan.size is None else plan.size.is_eligible,
        is_retry=None if echo is None else echo.is_retry,
        is_repeat=None if echo is None else echo.is_repeat,
        is_slow=None if waited_ms is None else waited_ms > plan.enrolled.slo_ms,
    )


def _usage_problem(plan: Plan, outcome: Outcome, tap: UsageTap) -> str | None:
    """Why there is no usage, or not the one that was told, where an answer should have one."""
    if tap.is_absurd:
        return "absurd"
    is_answered = outcome.is_complete and 200 <= outcome.status < 300
    expects = plan.reads_usage and plan.answer is None and plan.request is not None and not plan.is_fetch
    return "missing" if expects and is_answered and tap.usage is None else None


def _estimated(plan: Plan, tap: UsageTap) -> Usage | None:
    """What a streamed answer that broke off before its usage will have cost, marked as an estimate."""
    if not tap.output_characters or plan.compressed_tokens is None or plan.origin_tokens is None:
        return None
    is_applied = plan.decision is not None and plan.decision.mode == "on"
    prompt = plan.compressed_tokens if is_applied else plan.origin_tokens
    return estimated_usage(prompt, tap.output_characters)

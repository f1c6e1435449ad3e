"""The recipe for chat-like endpoints, from the client's bytes to the upstream's; the dialect is an argument.

    parse → decide (conversation, pins) → finish every text → splice → send → observe → account

Law 6 in one place: whatever goes wrong between reading the body and sending it, the original goes on and the
reason is recorded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from starlette.types import Receive, Send

from compressor import encoding_for
from gateway.access.scopes import permitted
from gateway.accounts import Account
from gateway.beside import answered
from gateway.cache.guard import request_waits
from gateway.chain import Link
from gateway.client import ClientWatch, read_body
from gateway.conversation import Pins
from gateway.dialects import ChatRequest, Dialect
from gateway.dialects.paths import deployment_of
from gateway.errors import ClientGone
from gateway.expecting import Destination
from gateway.experiments.enrolling import Enrolled, enrol
from gateway.incoming import Incoming
from gateway.plan import Plan, Treated
from gateway.prospects import benefit_of
from gateway.refusal import Refusal
from gateway.response_key import Question, wishes
from gateway.services import Services
from gateway.splice import Edit, splice
from gateway.stopwatch import Stopwatch
from gateway.treatment import cuts, described, measured, texts_of, unmark
from gateway.vocabularies import have_vocabulary
from policies.decide import Decision, decide, obey
from policies.match import RequestFacts
from policies.overrides import Overrides
from policies.rollback import withdrawn

logger = logging.getLogger(__name__)

T = TypeVar("T")

_HOLDING = ("parse", "decide")
"""Stages before the last one that may take their time."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request whose body was read by its dialect."""

    incoming: Incoming
    body: bytes
    dialect: Dialect
    request: ChatRequest
    link: Link | None
    """What is known of the turns before that the upstream keeps."""


async def handle(
    incoming: Incoming, receive: Receive, send: Send, services: Services, dialect: Dialect
) -> None:
    """Answer one request."""
    account = Account.open(incoming, services)
    try:
        with account.watch.stage("read"):
            body = await read_body(receive, services.config.max_body_bytes)
        if isinstance(body, bytes):
            # What is queued for a client that leaves is dropped.
            async with ClientWatch(receive, b"", incoming.tell_leaving):
                plan = await plan_or_original(account, body, dialect)
        else:
            plan = Plan(body, skip="too_large")
    except ClientGone:
        account.close_unanswered()
        return
    except Refusal as refusal:  # amid its body the client's bytes made no request, or none came
        account.close_refused(refusal)
        raise
    except asyncio.CancelledError:  # the server stops
        account.close_unanswered()
        raise
    await answered(account, replace(plan, answers=dialect.answers), dialect, receive, send)


async def plan_or_original(account: Account, body: bytes, dialect: Dialect) -> Plan:
    """Everything that is decided before a byte is sent; whatever fails, the body as it came."""
    incoming, services = account.incoming, account.services
    request: ChatRequest | str | None = None
    link: Link | None = None
    plan = Plan(body)
    try:
        request = await _parse(incoming, body, services, dialect, account.watch)
        if isinstance(request, str):
            return Plan(body, skip=request)
        named = request.model if request.model is not None else deployment_of(incoming.path)
        request = replace(request, model=services.config.model_of(named))
        with request_waits(services.cache_wait_s):
            if request.chain is not None:
                link = await services.chains.find(incoming.tenant, request.chain)
            asked = _Asked(incoming, body, dialect, request, link)
            plan = await _decided(asked, account)
            if plan.decision is not None:
                plan = await _carried_out(plan, plan.decision, asked, account)
    except Exception:  # the fail-open line: no fault of ours reaches the client (law 6)
        logger.exception("compression failed; the request goes on as it came")
        known = request if isinstance(request, ChatRequest) else None
        plan = replace(plan, skip="scorer_down", request=known)  # still in the arm it was dealt
    plan = measured(plan)
    return replace(plan, upstream=link.upstream) if link is not None else plan


async def _parse(
    incoming: Incoming, body: bytes, services: Services, dialect: Dialect, watch: Stopwatch
) -> ChatRequest | str:
    """What the body says, or why nobody looked. Where the model decides on the route, it is always read."""
    if not services.routes_by_model:
        if services.kill_mode == "off":
            return "off"
        if services.offload.is_behind(len(body), services.patience_s):  # it would take several turns there
            return "overloaded"
    if incoming.is_encoded:
        return "unparsable"
    with watch.stage("parse"):
        parsing = services.offload(len(body), dialect.parse, body)
        return (
            await parsing if services.routes_by_model else await _held(parsing, services, watch, "overloaded")
        )


async def _decided(asked: _Asked, account: Account) -> Plan:
    """The body as it came, and what is decided about it; no decision where nothing is to be done."""
    services, watch = account.services, account.watch
    if services.kill_mode == "off":
        return Plan(asked.body, skip="off", request=asked.request)
    if asked.incoming.has_digest:
        return Plan(asked.body, skip="unparsable", request=asked.request)
    with watch.stage("decide"):
        decided = await _held(_decide(asked, services), services, watch, None)
    if decided is None:
        return Plan(asked.body, skip="overloaded", request=asked.request)
    return Plan(
        asked.body,
        skip=decided.decision.skip,
        decision=decided.decision,
        request=asked.request,
        conversation=decided.conversation,
        enrolled=decided.enrolled,
    )


async def _carried_out(plan: Plan, decision: Decision, asked: _Asked, account: Account) -> Plan:
    """An answer on record, or what the decision does to the prompt."""
    services, watch = account.services, account.watch
    if decision.answer_ttl_s is not None and asked.dialect.is_replayable:
        with watch.stage("response_cache"):
            question = _question(asked, decision, services)
            answer = await account.turn.look_up(
                question, wishes(asked.incoming.headers), decision.answer_ttl_s
            )
        plan = replace(plan, answer=answer, response_cache=account.turn.state)
        if answer is not None:
            return plan
    late = replace(plan, skip="overloaded")
    return await _held(_treat(plan, asked, decision, account), services, watch, late)


async def _held(work: Coroutine[Any, Any, T], services: Services, watch: Stopwatch, late: T) -> T:
    """What the work comes to, or `late` once the request has been held for long enough: law 6.

    Threads that are busy with something large above all: whoever is first in their queue would wait that out.
    """
    limit = asyncio.timeout(services.hold_s - sum(watch.ms.get(stage, 0.0) for stage in _HOLDING) / 1e3)
    try:
        async with limit:
            return await work
    except TimeoutError:
        if limit.expired():
            return late
        raise


def _question(asked: _Asked, decision: Decision, services: Services) -> Question:
    incoming = asked.incoming
    return Question(
        tenant=incoming.tenant,
        upstream=services.config.upstream_for(incoming.path, asked.request.model),
        method=incoming.method,
        target=incoming.target,
        headers=incoming.raw_headers,
        treatment=decision.treatment,
        engine=services.engine.fingerprint,
        body=asked.body,
    )


async def _treat(plan: Plan, asked: _Asked, decision: Decision, account: Account) -> Plan:
    """What the decision does to the prompt, once it is the request's turn."""
    services, body = account.services, asked.body
    if decision.is_observed:
        async with services.admission.compress(services.patience_s, account.watch) as has_turn:
            if has_turn:
                return await _compress(plan, asked, decision, account)
        plan = replace(plan, skip=plan.skip or "overloaded")
    unmarked = await services.offload(len(body), unmark, body, asked.request, decision)
    return replace(plan, body=await _splice(services, body, unmarked))


async def _compress(plan: Plan, asked: _Asked, decision: Decision, account: Account) -> Plan:
    services, watch, conversation = account.services, account.watch, plan.conversation or ""
    incoming, body, request = asked.incoming, asked.body, asked.request
    with watch.stage("compress"):
        tokenizer, _ = encoding_for(request.model)
        await have_vocabulary(tokenizer)
        texts = await services.offload(len(body), texts_of, body, request, decision, tokenizer)
        left_s = services.deadline_s - watch.ms.get("queue", 0.0) / 1e3
        gate = benefit_of(services, decision, _destination(asked, services), account.opened_at)
        scope = decision.scope(incoming.tenant)
        finished = await services.texts.finish(scope, conversation, texts, left_s, gate)
    with watch.stage("splice"):
        plan = described(plan, texts, finished, tokenizer)
        is_applied = decision.mode == "on"
        plan = replace(plan, treated=Treated(body, request, finished, is_applied))
        edits = await services.offload(
            len(body),
            lambda: cuts(request.texts, finished) if is_applied else unmark(body, request, decision),
        )
        asks = services.asks_usage(incoming.path, request.model)
        usage = asked.dialect.ask_usage(body, request) if asks else None
        spliced = await _splice(services, body, [*edits, usage] if usage else edits)
    return replace(plan, body=spliced, hides_usage=usage is not None)


async def _splice(services: Services, body: bytes, edits: Sequence[Edit]) -> bytes:
    return await services.offload(len(body), splice, body, edits) if edits else body


def _destination(asked: _Asked, services: Services) -> Destination:
    """Whose prompt cache the request meets."""
    incoming, model = asked.incoming, asked.request.model
    known = asked.link.upstream if asked.link else None
    upstream = known if known in services.config.upstreams else None
    return Destination(incoming.tenant, upstream or services.config.upstream_for(incoming.path, model), model)


@dataclass(frozen=True, slots=True)
class _Decided:
    """The conversation, and the decision in force for it: the one made at its first sight, if any."""

    conversation: str
    decision: Decision
    enrolled: Enrolled | None


async def _decide(asked: _Asked, services: Services) -> _Decided:
    incoming, body, request = asked.incoming, asked.body, asked.request
    overrides = _overrides(incoming, services)
    conversation = await services.conversations.identify(
        incoming.tenant,
        [message.identity(body) for message in request.messages],
        unit=overrides.unit,
        prompt_cache_key=request.prompt_cache_key,
        n_opening=_n_opening(request),
        chain=request.chain,
        chained=asked.link.conversation if asked.link else None,
    )
    caller = incoming.principal
    facts = RequestFacts(
        incoming.path, request.model, caller.key_id, caller.team, incoming.headers, request.user
    )
    fresh = decide(services.policies.current, facts, overrides, conversation, services.kill_mode)
    decision = await _pinned(asked, facts, conversation, fresh, services.pins)
    decision = withdrawn(decision, services.policies.current, services.rollbacks.arms)
    if _is_anothers(decision, fresh):
        return _Decided(conversation, decision, None)
    enrolled = enrol(decision, facts, overrides, conversation, incoming.tenant, services.secret)
    return _Decided(conversation, decision, enrolled)


def _is_anothers(decision: Decision, fresh: Decision) -> bool:
    """Whether a user joins a conversation that is in another arm: counted, they would be in two."""
    return decision.version == fresh.version and fresh.variant not in (None, decision.variant)


def _overrides(incoming: Incoming, services: Services) -> Overrides:
    """What the request's headers ask for, as far as the configuration and its key allow."""
    key = incoming.principal.key
    is_allowed = services.config.allow_overrides and (key is None or key.overrides)
    return permitted(Overrides.from_headers(incoming.headers, is_allowed=is_allowed), key)


def _n_opening(request: ChatRequest) -> int:
    """How many messages open the conversation: up to the first of the user's, or all."""
    roles = [message.role for message in request.messages]
    return roles.index("user") + 1 if "user" in roles else len(roles)


async def _pinned(
    asked: _Asked, facts: RequestFacts, conversation: str, fresh: Decision, pins: Pins
) -> Decision:
    """The decision recorded for the conversation, obeyed whatever the policy file says by now.

    What the client asks of this one request is not recorded. Another model may be another policy's, and
    shares no prompt cache with the one before: its decision is its own. So is that of another key of the
    team, since policies match keys too.
    """
    if fresh.is_overridden or fresh.has_opted_out or fresh.apply == "now":
        return fresh
    subject = f"{facts.path} {facts.key_id} {facts.model}".encode()
    pin = fresh.to_pin().to_bytes()
    tenant, is_continued = asked.incoming.principal.tenant, asked.request.is_continued
    stored = await pins.decide(tenant, conversation, pin, subject=subject, is_continued=is_continued)
    return obey(Decision.from_bytes(stored), fresh)

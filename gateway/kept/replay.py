"""Kept requests under another policy: what it would have sent, and what that would have cost.

Each request is decided, compressed and counted as the gateway does it, in the order in which they came, with
a model of the provider's cache for what was sent and one for what would have been. Nothing is sent anywhere.

What cannot be known is taken as it was: answers are as long, conditions on header fields match nothing (no
field is kept), and requests come when they came.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from dataclasses import replace as changed
from time import monotonic
from typing import Final

from compressor import Scorer, encoding_for
from gateway.cache.analyses import Analyses
from gateway.cache.memory import MemoryCache
from gateway.cached import CachedCompressor
from gateway.compat import CompatCompressor
from gateway.conversation import Pins
from gateway.dialects import ChatRequest
from gateway.dialects.paths import DIALECTS, deployment_of
from gateway.expecting import Destination, rules_for
from gateway.hashing import Secret
from gateway.kept.record import Kept
from gateway.kept.tally import Money, Prompts, Replayed, priced
from gateway.ledger.usages import Used
from gateway.offload import Offload
from gateway.outlooks import Outlooks
from gateway.plan import Plan
from gateway.prices import PriceBook
from gateway.prompt_cache import Expected, expect
from gateway.prompt_history import PromptHistory
from gateway.prompt_shape import Shape, as_it_came, shape_of
from gateway.prospects import benefit_of
from gateway.scoring import open_scoring
from gateway.settings import Config
from gateway.texts import Finished, Text, Texts
from gateway.treatment import described, texts_of
from gateway.vocabularies import have_vocabulary
from policies.decide import Decision, decide
from policies.match import PolicySet, RequestFacts
from policies.overrides import Overrides

DEADLINE_S: Final = 600.0
"""For the scores of one request: nobody waits for an answer."""
_HISTORY_BYTES: Final = 64 << 20


@dataclass(slots=True)
class Moment:
    """When the request came that is replayed: the clock of what is remembered of providers' caches."""

    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Lab:
    """A gateway's parts without a gateway around them."""

    config: Config
    secret: Secret
    policies: PolicySet
    prices: PriceBook
    texts: Texts
    moment: Moment
    of_sent: PromptHistory
    of_would: PromptHistory
    outlooks: Outlooks = field(default_factory=Outlooks)


@asynccontextmanager
async def open_lab(
    config: Config, secret: Secret, policies: PolicySet, scorer: Scorer | None
) -> AsyncIterator[Lab]:
    """`scorer` is None where a remote one is configured."""
    async with AsyncExitStack() as stack:
        offload = Offload()
        stack.callback(offload.close)
        engine = await stack.enter_async_context(open_scoring(config.compressor, scorer, offload))
        half = config.cache_max_bytes // 2
        cache = MemoryCache(half, monotonic)
        native = CachedCompressor(engine, cache, Analyses(half), secret, offload)
        compressor = CompatCompressor(engine, native, cache, secret, offload)
        moment, prices = Moment(), PriceBook(own=config.prices)
        prices.load_or_say()
        yield Lab(
            config,
            secret,
            policies,
            prices,
            Texts(compressor, cache, Pins(cache, secret, offload), secret, offload),
            moment,
            _history(secret, moment),
            _history(secret, moment),
        )


def _history(secret: Secret, moment: Moment) -> PromptHistory:
    return PromptHistory(MemoryCache(_HISTORY_BYTES, lambda: moment.at), secret, lambda: moment.at)


async def replayed(lab: Lab, kept: Kept, used: Used | None) -> Replayed | None:
    """One request; None for one that cannot be read any more. In the order in which they came."""
    dialect = DIALECTS.get(kept.dialect)
    request = "unknown" if dialect is None else dialect.parse(kept.body)
    if isinstance(request, str):
        return None
    request = changed(request, model=request.model or kept.model or deployment_of(kept.path))
    lab.moment.at = max(lab.moment.at, kept.at)
    destination = _destination(lab, kept, request)
    decision = _decided(lab, kept, request)
    tokenizer, _ = encoding_for(request.model)
    await have_vocabulary(tokenizer)
    texts = texts_of(kept.body, request, decision, tokenizer)
    finished = await _finished(lab, kept, texts, decision, destination)
    plan = Plan(kept.body, skip=decision.skip, decision=decision, request=request)
    plan = described(plan, texts, finished, tokenizer)
    would = _shape(lab, kept, request, finished if decision.mode == "on" else None, finished)
    sent = _shape(lab, kept, request, kept.sent, finished)
    prompts = await _prompts(lab, request, destination, sent, would)
    _learn(lab, request, decision, destination, used)
    return Replayed(
        decision.policy,
        request.model,
        prompts.origin.tokens,
        prompts.sent.tokens,
        prompts.would.tokens,
        plan.skip,
        _money(lab, kept, destination, prompts, used),
    )


def _destination(lab: Lab, kept: Kept, request: ChatRequest) -> Destination:
    known = kept.upstream if kept.upstream in lab.config.upstreams else None
    upstream = known or lab.config.upstream_for(kept.path, request.model)
    return Destination(kept.tenant, upstream, request.model)


def _decided(lab: Lab, kept: Kept, request: ChatRequest) -> Decision:
    facts = RequestFacts(kept.path, request.model, kept.key_id, kept.team, {}, request.user)
    return decide(lab.policies, facts, Overrides(), kept.conversation or kept.id, "on")


async def _finished(
    lab: Lab, kept: Kept, texts: Sequence[Text], decision: Decision, destination: Destination
) -> list[Finished]:
    """What becomes of each text."""
    gate = benefit_of(lab, decision, destination, kept.at)
    scope = decision.scope(kept.tenant)
    return await lab.texts.finish(scope, kept.conversation or kept.id, texts, DEADLINE_S, gate)


def _shape(
    lab: Lab,
    kept: Kept,
    request: ChatRequest,
    went: Sequence[Finished] | None,
    counted: Sequence[Finished],
) -> Shape:
    """Of the prompt where its texts went on like this; None, or not as many: as it came."""
    _, is_exact = encoding_for(request.model)
    if went is None or len(went) != len(request.texts):
        return as_it_came(shape_of(kept.body, request, counted, lab.secret, is_exact))
    return shape_of(kept.body, request, went, lab.secret, is_exact)


async def _prompts(
    lab: Lab, request: ChatRequest, destination: Destination, sent: Shape, would: Shape
) -> Prompts:
    rules = rules_for(lab, destination)
    if rules is None or request.chain is not None:  # what the upstream keeps besides is not known
        return Prompts(
            Expected(would.origin_tokens[-1]),
            Expected(sent.sent_tokens[-1]),
            Expected(would.sent_tokens[-1]),
            would.is_exact,
            is_modelled=False,
        )
    seen = await lab.of_sent.look_up(destination.scope, sent, rules)
    would_see = await lab.of_would.look_up(destination.scope, would, rules)
    return Prompts(
        expect(rules, would.origin_tokens, seen.origin, would.mark),
        expect(rules, sent.sent_tokens, seen.sent, sent.mark),
        expect(rules, would.sent_tokens, would_see.sent, would.mark),
        would.is_exact,
        is_modelled=True,
    )


def _learn(
    lab: Lab, request: ChatRequest, decision: Decision, destination: Destination, used: Used | None
) -> None:
    """What the gateway would have learnt for the next request."""
    if used is not None and used.usage is not None and request.model is not None:
        lab.outlooks.observe((destination.upstream, request.model), used.usage)
    if decision.policy is not None:
        lab.outlooks.count(decision.policy, is_continued=request.is_continued)


def _money(
    lab: Lab, kept: Kept, destination: Destination, prompts: Prompts, used: Used | None
) -> Money | None:
    if used is None or used.usage is None:
        return None
    provider = lab.config.upstreams[destination.upstream].provider
    price = lab.prices.price(destination.model, provider=provider, at=kept.at, tier=used.usage.service_tier)
    return None if price is None else priced(prompts, used.usage, price)

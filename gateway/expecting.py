"""What a prompt is expected to find in the provider's cache: worked out while the upstream answers.

Nothing waits for it but the closing of the account, and that not for long; whatever goes wrong, the money of
the request is told in the mix the upstream reported (law 6).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final, Protocol

from compressor import encoding_for
from gateway.counterfactual import Prompt
from gateway.plan import Plan, Treated
from gateway.prices import PriceBook
from gateway.prompt_cache import RULES, CacheRules, Expected, expect
from gateway.prompt_shape import Shape, as_it_came, shape_of, with_calls
from gateway.services import Services
from gateway.settings import Config

PATIENCE_S: Final = 0.25
"""How long an answer that has ended waits for it."""

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Destination:
    """Whose prompt cache a request meets."""

    tenant: str
    upstream: str
    model: str | None

    @property
    def scope(self) -> bytes:
        """Prompts of one scope may be read from one cache."""
        return repr((self.tenant, self.upstream, self.model)).encode("utf-8", "surrogatepass")


class Expecting:
    """The expectation for one request, on its way."""

    def __init__(self, services: Services, plan: Plan, destination: Destination) -> None:
        self._plan = plan
        self._task: asyncio.Task[Prompt] | None = None
        if plan.treated is not None and plan.reads_usage:  # no provider keeps a prompt that it only counts
            work = _expect(services, plan.treated, destination)
            self._task = asyncio.create_task(work, name="expectation")

    async def outcome(self) -> Prompt | None:
        """What is expected; None where no text was looked at. Never raises."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=PATIENCE_S)
            if not self._task.done():
                self._task.cancel()
            elif not self._task.cancelled():
                error = self._task.exception()
                if error is None:
                    return self._task.result()
                _log.error("the prompt cache was not modelled: %s", type(error).__name__, exc_info=error)
        return unmodelled(self._plan)


def unmodelled(plan: Plan) -> Prompt | None:
    """What is known without looking anything up."""
    if plan.origin_tokens is None or plan.compressed_tokens is None or plan.treated is None:
        return None
    sent = plan.compressed_tokens if plan.treated.is_applied else plan.origin_tokens
    _, is_exact = encoding_for(plan.treated.request.model)
    return Prompt(Expected(plan.origin_tokens), Expected(sent), is_exact, is_modelled=False)


class Pricing(Protocol):
    """What says whose a model is."""

    @property
    def config(self) -> Config: ...

    @property
    def prices(self) -> PriceBook: ...


def rules_for(services: Pricing, destination: Destination) -> CacheRules | None:
    """How the provider caches, where that is known."""
    provider = services.config.upstreams[destination.upstream].provider
    return RULES.get(provider or services.prices.provider(destination.model) or "")


async def _expect(services: Services, treated: Treated, destination: Destination) -> Prompt:
    shape = await services.offload(len(treated.body), _shape, services, treated)
    rules = rules_for(services, destination)
    if rules is None or treated.request.chain is not None:  # what the upstream keeps besides is not known
        origin, sent = Expected(shape.origin_tokens[-1]), Expected(shape.sent_tokens[-1])
        return Prompt(origin, sent, shape.is_exact, is_modelled=False)
    seen = await services.history.look_up(destination.scope, shape, rules)
    return Prompt(
        expect(rules, shape.origin_tokens, seen.origin, shape.mark),
        expect(rules, shape.sent_tokens, seen.sent, shape.mark),
        shape.is_exact,
    )


def _shape(services: Services, treated: Treated) -> Shape:
    encoding, is_exact = encoding_for(treated.request.model)
    texts = shape_of(treated.body, treated.request, treated.finished, services.secret, is_exact)
    shape = with_calls(texts, services.call_tokens.count(encoding, treated.body, treated.request))
    return shape if treated.is_applied else as_it_came(shape)

"""What a prompt is expected to find in the provider's cache: worked out while the upstream answers.

Nothing waits for it but the closing of the account, and that not for long; whatever goes wrong, the money of
the request is told in the mix the upstream reported (law 6).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
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
from gateway.types import Upstream, UpstreamRequest, UpstreamResponse

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


@dataclass(frozen=True, slots=True)
class _Looked:
    """What is expected, and what to record once the provider has taken the prompt."""

    prompt: Prompt
    shape: Shape | None = None
    rules: CacheRules | None = None


class Expecting:
    """The expectation for one request, on its way."""

    def __init__(self, services: Services, plan: Plan, destination: Destination) -> None:
        self._plan = plan
        self._history, self._scope = services.history, destination.scope
        self._task: asyncio.Task[_Looked] | None = None
        if plan.treated is not None and plan.reads_usage:  # no provider keeps a prompt that it only counts
            work = _expect(services, plan.treated, destination)
            self._task = asyncio.create_task(work, name="expectation")

    def heard_by(self, upstream: Upstream) -> Upstream:
        """The same upstream, of whose answer's status this is told."""
        return upstream if self._task is None else _Heard(upstream, self._hear)

    def _hear(self, status: int) -> None:
        """A prompt that was refused (429, 5xx) is in no cache: when it is tried again it is as new."""
        if self._task is not None and status < 400:
            self._task.add_done_callback(self._record)

    def _record(self, task: asyncio.Task[_Looked]) -> None:
        if not task.cancelled() and task.exception() is None:
            looked = task.result()
            if looked.shape is not None and looked.rules is not None:
                self._history.record_soon(self._scope, looked.shape, looked.rules)

    async def outcome(self) -> Prompt | None:
        """What is expected; None where no text was looked at. Never raises."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=PATIENCE_S)
            if not self._task.done():
                self._task.cancel()
            elif not self._task.cancelled():
                error = self._task.exception()
                if error is None:
                    return self._task.result().prompt
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


class _Heard:
    """An upstream that somebody listens to."""

    def __init__(self, upstream: Upstream, hear: Callable[[int], None]) -> None:
        self._upstream = upstream
        self._hear = hear

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        response = await self._upstream.send(request)
        self._hear(response.status)
        return response

    async def aclose(self) -> None:
        await self._upstream.aclose()


async def _expect(services: Services, treated: Treated, destination: Destination) -> _Looked:
    shape = await services.offload(len(treated.body), _shape, services, treated)
    rules = rules_for(services, destination)
    if rules is None or treated.request.chain is not None:  # what the upstream keeps besides is not known
        origin, sent = Expected(shape.origin_tokens[-1]), Expected(shape.sent_tokens[-1])
        return _Looked(Prompt(origin, sent, shape.is_exact, is_modelled=False))
    seen = await services.history.look(destination.scope, shape, rules)
    prompt = Prompt(
        expect(rules, shape.origin_tokens, seen.origin, shape.mark),
        expect(rules, shape.sent_tokens, seen.sent, shape.mark),
        shape.is_exact,
    )
    return _Looked(prompt, shape, rules)


def _shape(services: Services, treated: Treated) -> Shape:
    encoding, is_exact = encoding_for(treated.request.model)
    texts = shape_of(treated.body, treated.request, treated.finished, services.secret, is_exact)
    shape = with_calls(texts, services.call_tokens.count(encoding, treated.body, treated.request))
    return shape if treated.is_applied else as_it_came(shape)

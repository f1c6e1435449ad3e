"""The benefit of compressing a request's texts: who is asked, and what is learnt from each answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from gateway.benefit import Outlook, Size, Verdict, judge
from gateway.expecting import Destination, Pricing, rules_for
from gateway.outlooks import Outlooks
from gateway.plan import Plan
from gateway.services import Services
from gateway.texts import Finished
from gateway.types import Usage
from policies.decide import Decision


@dataclass(frozen=True, slots=True)
class Benefit:
    """Judges the texts of one request; a `Gate`."""

    outlook: Outlook
    is_recorded: bool

    def judge(self, finished: Sequence[Finished], new: Sequence[int]) -> Verdict:
        """How many of the new texts, by their indices, are left whole."""
        sizes = [Size(one.origin_tokens, one.sent_tokens) for one in finished]
        among = set(new)
        decided = [size for i, size in enumerate(sizes) if i not in among]
        whole = Size(sum(one.origin_tokens for one in decided), sum(one.sent_tokens for one in decided))
        return judge(self.outlook, whole, [sizes[i] for i in new])


class Prospecting(Pricing, Protocol):
    """What is known of prices, and was observed."""

    @property
    def outlooks(self) -> Outlooks: ...


def benefit_of(
    services: Prospecting, decision: Decision, destination: Destination, at: float
) -> Benefit | None:
    """Who judges; None where the policy wants none of it, or no prices are known."""
    if decision.benefit == "off" or decision.policy is None or destination.model is None:
        return None
    provider = services.config.upstreams[destination.upstream].provider
    outlook = services.outlooks.outlook(
        (destination.upstream, destination.model),
        decision.policy,
        services.prices.price(destination.model, provider=provider, at=at),
        rules_for(services, destination),
        urlsplit(services.config.upstreams[destination.upstream].url).hostname,
    )
    return None if outlook is None else Benefit(outlook, is_recorded=decision.mode == "on")


def learn(services: Services, plan: Plan, upstream: str, usage: Usage | None) -> None:
    """What a request that was answered tells about those to come."""
    if plan.treated is None or plan.decision is None or usage is None:
        return
    request = plan.treated.request
    if request.model is not None:
        services.outlooks.observe((upstream, request.model), usage)
    if plan.decision.policy is not None:
        services.outlooks.count(plan.decision.policy, is_continued=request.is_continued)

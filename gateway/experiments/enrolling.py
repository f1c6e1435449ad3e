"""Whether a request counts for an experiment, for which unit, and what it is as it came (pure).

All of it is decided from the request alone, so alike in every arm: also where nothing was compressed, or
compressing failed or came too late for its texts to be counted. So whether a request is eligible goes by the
length of its texts in any case; how large it is, by their tokens where these were counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.dialects import ChatRequest, TextSite
from gateway.hashing import Secret
from gateway.splice import decode
from gateway.texts import Finished
from gateway.usage import CHARACTERS_PER_TOKEN
from policies.decide import Decision, unit_of
from policies.match import RequestFacts
from policies.overrides import Overrides

MAX_UNIT: Final = 1_024
"""Characters of a body's user that tell users apart."""
LEAST_QUESTION: Final = 20
"""Characters of a question; what is shorter ("go on", "yes") is said again without being asked again."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A request's place in an experiment."""

    experiment: str
    version: str
    unit: str
    """Keyed hash."""
    arm: str
    slo_ms: float
    reach: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Size:
    """Of a request as it came."""

    is_eligible: bool
    """Whether any arm would act on it, judged by length."""
    n_tokens: int


def enrol(
    decision: Decision,
    facts: RequestFacts,
    overrides: Overrides,
    conversation: str,
    tenant: str,
    secret: Secret,
) -> Enrolled | None:
    """None for a request that counts for no experiment."""
    enrolment = decision.enrolment
    if enrolment is None or not decision.is_enrolled:
        return None
    given = unit_of(enrolment.unit, facts, overrides, conversation)
    if given is None or decision.policy is None or decision.version is None or decision.variant is None:
        return None
    raw = given[:MAX_UNIT].encode("utf-8", "surrogatepass")
    unit = secret.keyed(b"unit", enrolment.unit.encode(), tenant.encode(), raw).hex()
    return Enrolled(
        decision.policy, decision.version, unit, decision.variant, enrolment.slo_ms, enrolment.reach
    )


def size_of(enrolled: Enrolled, request: ChatRequest, finished: Sequence[Finished] | None) -> Size:
    """`finished`: what became of the request's texts; None where nobody looked at them."""
    estimates = [_estimated(site) for site in request.texts]
    counts = estimates if finished is None else [result.origin_tokens for result in finished]
    reach = dict(enrolled.reach)
    is_eligible = any(
        site.role in reach and estimate >= reach[site.role]
        for site, estimate in zip(request.texts, estimates, strict=True)
    )
    return Size(is_eligible, sum(counts))


def question_of(body: bytes, request: ChatRequest) -> str | None:
    """What the user asks with the last message, however it is spaced; None where it asks nothing anew."""
    if not request.messages or request.messages[-1].role != "user":
        return None
    last = request.messages[-1]
    sites = [site for site in request.texts if last.start <= site.start and site.end <= last.end]
    if any(site.role != "user" for site in sites):  # the results of tools, in a message of the user's
        return None
    said = " ".join(" ".join(decode(body[site.start : site.end]) or "" for site in sites).split()).casefold()
    return said if len(said) >= LEAST_QUESTION else None


def _estimated(site: TextSite) -> int:
    return (site.end - site.start - 2) // CHARACTERS_PER_TOKEN

"""What a decision does to the texts of a request: what is asked for each, the edits that put the results in
place, and what is said of it all. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from compressor import CompressionParams, marks
from gateway.dialects import ChatRequest, TextSite
from gateway.experiments.enrolling import size_of
from gateway.plan import Plan
from gateway.prompt_shape import ANSWER_TOKENS, MESSAGE_TOKENS
from gateway.splice import Cut, Edit, Paste, decode, raw_spans
from gateway.texts import Finished, Text
from policies.decide import Decision

_TELLING = (
    "deadline",
    "overloaded",
    "scorer_down",
    "verify_failed",
    "compat_failed",
    "no_benefit",
    "no_gain",
    "structured",
    "short",
)
"""When nothing was compressed for several reasons, the first of these is the one reported."""


def texts_of(body: bytes, request: ChatRequest, decision: Decision, tokenizer: str) -> list[Text]:
    """The texts of the request, and what is asked for each role."""
    asked: dict[str, CompressionParams | None] = {}
    for role in {site.role for site in request.texts}:
        covered = decision.mode != "off" and decision.params.covers(role)
        asked[role] = decision.params.to_compression(tokenizer=tokenizer, role=role) if covered else None
    return [Text(body[site.start : site.end], tokenizer, asked[site.role]) for site in request.texts]


def cuts(sites: Sequence[TextSite], finished: Sequence[Finished]) -> list[Edit]:
    """The edits that put compressed texts in place."""
    edits: list[Edit] = []
    for site, result in zip(sites, finished, strict=True):
        if result.rewritten is not None:
            edits.append(Paste(site.start, site.end, result.rewritten))
        elif result.kept is not None:
            edits.append(Cut(site.start, site.end, result.kept))
    return edits


def unmark(body: bytes, request: ChatRequest, decision: Decision) -> list[Edit]:
    """The edits that take in-text marks out and change nothing else: marks go in every mode."""
    edits: list[Edit] = []
    for site in request.texts:
        literal = body[site.start : site.end]
        text = decode(literal) if decision.params.honours_marks(site.role) else None
        if text and (marked := marks.read(text)).text != text:
            edits.append(Cut(site.start, site.end, raw_spans(literal, marked.visible)))
    return edits


def described(plan: Plan, texts: Sequence[Text], finished: Sequence[Finished], tokenizer: str) -> Plan:
    """The plan with counts, the reason when nothing was compressed, and what the caches gave."""
    assert plan.request is not None
    overhead = MESSAGE_TOKENS * len(plan.request.messages) + ANSWER_TOKENS
    covered = [result for text, result in zip(texts, finished, strict=True) if text.params is not None]
    states = {result.cache for result in covered if result.cache is not None}
    reasons = {result.skip for result in covered}
    return replace(
        plan,
        tokenizer=tokenizer,
        origin_tokens=overhead + sum(result.origin_tokens for result in finished),
        compressed_tokens=overhead + sum(result.compressed_tokens for result in finished),
        skip=plan.skip or _skip(reasons),
        cache=None if not states else "partial" if len(states) > 1 else states.pop(),
    )


def measured(plan: Plan) -> Plan:
    """The plan with the size of a request that counts for an experiment."""
    if plan.enrolled is None or plan.request is None:
        return plan
    finished = plan.treated.finished if plan.treated is not None else None
    size = size_of(plan.enrolled, plan.request, finished)
    counted = size.n_tokens if plan.origin_tokens is None else plan.origin_tokens
    return replace(plan, size=replace(size, n_tokens=counted))


def _skip(reasons: set[str | None]) -> str | None:
    """One reason for the request; None when any text was compressed."""
    if None in reasons:
        return None
    return next((reason for reason in _TELLING if reason in reasons), "no_text")

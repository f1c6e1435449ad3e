"""A sample of an experiment's requests is sent once more as the other arm would, and a judge compares.

    sample → copy the answer as it goes by → say → ask as the other arm → judge, in both orders → record

Laws: the client's answer is neither delayed nor replaced nor different by a byte: it is looked at as it goes
by, and everything else begins when it has ended. Nothing of the mirrored request is recorded for the
conversation: no pin, no exposure, no saving, no prefix in the model of the provider's cache. What it costs is
on record. Whatever goes wrong is one more in `pith_mirror_total`, and nothing else.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from functools import partial
from typing import Final

from compressor import encoding_for
from gateway.accounting import Price
from gateway.errors import GatewayError
from gateway.expecting import Destination
from gateway.experiments.hearing import NO_HEAD, Heard, hear, judge_request
from gateway.experiments.judge import PROMPT, Case, Reply, agreed, asked, read_reply
from gateway.experiments.pairing import (
    carries_key,
    conversation_of,
    is_fit,
    mirrored_headers,
    unstreamed,
)
from gateway.experiments.records import JudgeVerdict
from gateway.experiments.said import said
from gateway.experiments.sample import Sample
from gateway.experiments.spending import Allowance, allowance, billed, is_priced
from gateway.metrics import MIRROR_USD, MIRRORED
from gateway.prospects import benefit_of
from gateway.refusal import Refusal
from gateway.services import Services
from gateway.splice import Edit, splice
from gateway.stopwatch import Stopwatch
from gateway.treatment import cuts, texts_of, unmark
from gateway.types import RawHeaders, UpstreamRequest
from gateway.vocabularies import have_vocabulary
from policies.design import Judge
from policies.outcomes import NO_WINNER, TIE

COMPRESS_S: Final = 5.0
"""Most a mirrored request waits for scores: nobody waits for it."""
_OF_THE_MOMENT: Final = frozenset({"deadline", "overloaded", "scorer_down"})
_OK: Final = 200
_TOO_MUCH: Final = frozenset({429, 503, 529})
_REFUSED: Final = {"budget_exceeded": "budget", "rate_limit_exceeded": "rate"}


class Dropped(Exception):
    """No comparison; says which outcome is counted."""


@dataclass(slots=True)
class _Spent:
    """By one mirrored request, as it goes along."""

    usd: float = 0.0


def begin(sample: Sample, services: Services) -> None:
    """The request has been answered: what follows nobody waits for."""
    assert services.mirror is not None
    ended = partial(_count, services, sample.experiment)
    if services.mirror.is_paused(sample.upstream):
        ended("paused")
        return
    n_bytes = len(sample.treated.body) + sample.copy.n_bytes
    if not services.mirror.jobs.begin(n_bytes, lambda: _mirror(sample, services), ended):
        ended("full")


def _count(services: Services, experiment: str, outcome: str) -> None:
    services.metrics.add(MIRRORED, (experiment, outcome))


async def _mirror(sample: Sample, services: Services) -> None:
    """All of it; what was spent is on record however it ends."""
    spent = _Spent()
    winner, reason, outcome = NO_WINNER, None, None
    try:
        winner, reason = await _compared(sample, services, spent)
        outcome = "judged"
    except Dropped as dropped:
        outcome = str(dropped)
    finally:
        if outcome == "judged" or spent.usd:
            pair = sample.pairing
            verdict = JudgeVerdict(
                id=sample.id,
                experiment=pair.experiment,
                version=pair.version,
                unit=sample.unit,
                at=sample.opened_at,
                arm=pair.arm,
                winner=winner,
                cost_usd=spent.usd,
                reason=reason if pair.mirror.keep_reasons else None,
            )
            services.ledger.note(verdict)
    if outcome is not None:
        _count(services, sample.experiment, outcome)


async def _compared(sample: Sample, services: Services, spent: _Spent) -> tuple[str, str | None]:
    """Who won, and why the judge thinks so. Raises Dropped."""
    pair, judge = sample.pairing, sample.pairing.mirror.judge
    prices = _prices(sample, services, judge)
    _check_key(sample, services)
    ours = await _own_answer(sample, services)
    body = await _other_body(sample, services)
    await _admit(sample, services)
    heard = await _ask_other(sample, services, body)
    await _pay(sample, services, spent, "mirror", _bill(heard, prices[0], len(body)))
    theirs = await _said(services, sample.dialect.name, heard.headers, heard.body)
    if heard.status != _OK or theirs is None:
        raise Dropped("failed")
    if judge is None:
        raise Dropped("unjudged")
    of_control, of_arm = (ours, theirs) if pair.is_control_sent else (theirs, ours)
    if of_control == of_arm:
        return TIE, None
    conversation = await services.offload(
        len(body), conversation_of, sample.treated.body, sample.treated.request
    )
    case = Case(conversation, (of_control, of_arm))
    asking = _Asking(sample, services, spent, judge, prices[1])
    return await asking.verdict(case, (pair.control, pair.arm))


async def _own_answer(sample: Sample, services: Services) -> str:
    """What the client was told."""
    body = sample.copy.body
    if sample.copy.status != _OK:
        raise Dropped("unanswered")
    text = None if body is None else await _said(services, sample.dialect.name, sample.copy.headers, body)
    if text is None:
        raise Dropped("unreadable")
    return text


async def _said(services: Services, dialect: str, headers: RawHeaders, body: bytes) -> str | None:
    return await services.offload(len(body), said, dialect, headers, body)


def _prices(sample: Sample, services: Services, judge: Judge | None) -> tuple[Price, Price]:
    """Of the mirrored request and of the judge. Where one is unknown, no cap could hold."""
    asked_of = [(sample.upstream, sample.treated.request.model)]
    if judge is not None:
        if judge.upstream not in services.upstreams:
            raise Dropped("judge_unknown")
        if services.config.upstreams[judge.upstream].key is None:
            raise Dropped("judge_without_key")
        asked_of.append((judge.upstream, judge.model))
    found = []
    for name, model in asked_of:
        provider = services.config.upstreams[name].provider
        price = services.prices.price(model, provider=provider, at=sample.opened_at)
        if price is None or not is_priced(price):
            raise Dropped("unpriced")
        found.append(price)
    return found[0], found[-1]


def _check_key(sample: Sample, services: Services) -> None:
    passes_keys = services.config.upstreams[sample.upstream].key is None
    if passes_keys and not sample.pairing.mirror.callers_keys and carries_key(sample.incoming.raw_headers):
        raise Dropped("callers_key")


async def _other_body(sample: Sample, services: Services) -> bytes:
    """What the other arm would send, as a plain request. Raises Dropped where that is what was sent."""
    body, treated = sample.treated.body, sample.treated
    if not await services.offload(len(body), is_fit, sample.dialect.name, body):
        raise Dropped("unfit")
    edits = await services.offload(len(body), unstreamed, body)
    was_cut = treated.is_applied and any(result.is_cut for result in treated.finished)
    if sample.pairing.other.mode == "on":
        compressed = await _compressed(sample, services)
        if not compressed and not was_cut:
            raise Dropped("alike")
        edits += compressed
    elif not was_cut:
        raise Dropped("alike")
    else:
        edits += await services.offload(len(body), unmark, body, treated.request, sample.pairing.other)
    return await services.offload(len(body), splice, body, edits)


async def _compressed(sample: Sample, services: Services) -> list[Edit]:
    """What the other arm takes out, found apart from all that is on record of the conversation."""
    assert services.mirror is not None
    body, request, decision = sample.treated.body, sample.treated.request, sample.pairing.other
    async with services.admission.compress(0.0, Stopwatch(lambda: 0.0)) as has_turn:
        if not has_turn:
            raise Dropped("busy")
        tokenizer, _ = encoding_for(request.model)
        await have_vocabulary(tokenizer)
        texts = await services.offload(len(body), texts_of, body, request, decision, tokenizer)
        destination = Destination(sample.incoming.tenant, sample.upstream, request.model)
        gate = benefit_of(services, decision, destination, sample.opened_at)
        scope = decision.scope(sample.incoming.tenant)
        finished = await services.mirror.texts.finish(scope, sample.id, texts, COMPRESS_S, gate)
    if any(result.skip in _OF_THE_MOMENT for result in finished):
        raise Dropped("not_compressed")
    return await services.offload(len(body), cuts, request.texts, finished)


def _allowance(sample: Sample, services: Services) -> Allowance:
    assert services.mirror is not None
    return allowance(sample.experiment, sample.pairing.mirror, services.mirror.n_sharing)


async def _admit(sample: Sample, services: Services) -> None:
    """Raises Dropped over the limits."""
    assert services.mirror is not None
    spending = _allowance(sample, services)
    await services.mirror.recall(sample.experiment, spending)
    try:
        await services.mirror.counters.admit(spending)
    except Refusal as refusal:
        raise Dropped(_REFUSED.get(refusal.code, "rate")) from refusal


async def _ask_other(sample: Sample, services: Services, body: bytes) -> Heard:
    incoming = sample.incoming
    headers = mirrored_headers(incoming.spelled)
    request = UpstreamRequest(incoming.method, incoming.target, headers, body)
    try:
        heard = await hear(services.upstreams[sample.upstream], request, sample.dialect.answers)
    except GatewayError as error:
        raise Dropped("failed") from error
    if heard.status in _TOO_MUCH and services.mirror is not None:
        services.mirror.pause(sample.upstream)
    return heard


def _bill(heard: Heard, price: Price, n_asked: int) -> float:
    """Errors are not billed, where they do not say otherwise; what broke off or never came is."""
    is_free = heard.status not in (_OK, NO_HEAD) and heard.usage is None
    return 0.0 if is_free else billed(heard.usage, price, n_asked, len(heard.body))


async def _pay(sample: Sample, services: Services, spent: _Spent, part: str, usd: float) -> None:
    spent.usd += usd
    services.metrics.add(MIRROR_USD, (sample.experiment, part), usd)
    assert services.mirror is not None
    await services.mirror.counters.add(_allowance(sample, services), 0, usd)


@dataclass(frozen=True, slots=True, eq=False)
class _Asking:
    """The judge, for one case."""

    sample: Sample
    services: Services
    spent: _Spent
    judge: Judge
    price: Price

    async def verdict(self, case: Case, arms: tuple[str, str]) -> tuple[str, str | None]:
        """Which of the arms wins, by what is said of both orders. Raises Dropped."""
        both = (case, case.swapped())
        replies = await asyncio.gather(*map(self._ask, both), return_exceptions=True)
        for reply in replies:
            if isinstance(reply, BaseException):
                raise reply
        first, swapped = (reply for reply in replies if isinstance(reply, Reply))
        better = agreed(first, swapped)
        return (TIE if better == 0 else arms[better - 1]), first.reason or None

    async def _ask(self, case: Case) -> Reply:
        prompt = asked(self.judge.prompt or PROMPT, case, secrets.token_hex(8))
        request = judge_request(self.judge.model, prompt)
        try:
            heard = await hear(self.services.upstreams[self.judge.upstream], request)
        except GatewayError as error:
            raise Dropped("judge_failed") from error
        usd = _bill(heard, self.price, len(prompt))
        await _pay(self.sample, self.services, self.spent, "judge", usd)
        text = await _said(self.services, "chat_completions", heard.headers, heard.body)
        if heard.status != _OK or text is None:
            raise Dropped("judge_failed")
        reply = read_reply(text)
        if reply is None:
            raise Dropped("judge_unreadable")
        return reply

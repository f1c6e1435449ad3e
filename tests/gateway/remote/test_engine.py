"""Scores from another instance: an instance in this process behind an `Upstream` that a test decides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

from compressor import (
    DeadlineExceeded,
    Engine,
    Overloaded,
    ParamsError,
    ScorerDown,
    ScoreRequest,
    ScoringError,
)
from compressor.types import Scores
from compressor.words import WORDS_VERSION, split
from gateway.errors import UpstreamBroken, UpstreamError
from gateway.offload import Offload
from gateway.remote import endpoint
from gateway.remote.engine import GROUP_CHARACTERS, GROUP_TEXTS, RemoteEngine
from gateway.remote.frames import MEDIA_TYPE, PATH, Answered, Asked, pack_answered, read_asked
from gateway.types import UpstreamRequest, UpstreamResponse
from tests.compressor.fake_scorers import GatedScorer, LengthScorer

PATIENCE_S = 30.0
SHORT_S = 0.05
"""A deadline that is meant to pass."""
TEXT = "a secret text of some words"


def asked(text: str) -> ScoreRequest:
    return ScoreRequest(text, split(text))


@dataclass
class Elsewhere:
    """The other instance, as an `Upstream`; `fault` takes the place of its answer."""

    engine: Engine
    offload: Offload
    status: int = 200
    fault: Callable[[], bytes] | None = None
    messages: list[Asked] = field(default_factory=list)
    n_cancelled: int = 0
    is_closed: bool = False

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        assert (request.method, request.target) == ("POST", PATH.encode())
        assert (b"content-type", MEDIA_TYPE.encode()) in request.headers
        assert isinstance(request.body, bytes)
        self.messages.append(read_asked(request.body))
        try:
            raw = (
                self.fault() if self.fault else await endpoint.answer(request.body, self.engine, self.offload)
            )
        except asyncio.CancelledError:
            self.n_cancelled += 1
            raise
        return UpstreamResponse(self.status, [], pieces(raw))

    async def aclose(self) -> None:
        self.is_closed = True

    @property
    def n_asked(self) -> int:
        """Messages with texts."""
        return sum(bool(message.texts) for message in self.messages)


async def pieces(raw: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(raw), 100):
        yield raw[at : at + 100]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def both(
    scorer: LengthScorer | None = None,
    *,
    fault: Callable[[], bytes] | None = None,
    clock: Clock | None = None,
    patience_s: float = PATIENCE_S,
) -> AsyncIterator[tuple[RemoteEngine, Elsewhere]]:
    scorer = scorer or LengthScorer()
    offload = Offload(threads=1)
    async with Engine(scorer) as engine:
        elsewhere = Elsewhere(engine, offload, fault=fault)
        remote = RemoteEngine(elsewhere, offload, clock=clock or Clock(), look_s=0.01, patience_s=patience_s)
        async with remote:
            yield remote, elsewhere
        if isinstance(scorer, GatedScorer):
            scorer.gate.set()
    offload.close()


REFUSED = "upstream 'scorer' cannot be reached: connection refused"


def refuse() -> bytes:
    raise UpstreamError(REFUSED)


def leave_alone() -> bytes:
    raise UpstreamError("the next attempt is in 3 s", retry_after_s=3)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is awaited has no event
            await asyncio.sleep(0.001)


def values(outcomes: Sequence[Scores | ScoringError]) -> list[object]:
    return [type(one) if isinstance(one, ScoringError) else one.tolist() for one in outcomes]


async def test_scores_are_those_of_the_other_instance() -> None:
    texts = [TEXT, "", "안녕 세계", "half a pair \ud800 of surrogates", TEXT * 2000, *[TEXT] * 100]
    requests = [asked(text) for text in texts]
    async with both() as (remote, elsewhere):
        assert remote.fingerprint == LengthScorer.fingerprint
        assert remote.degraded is None
        assert remote.vitals() == {}
        found = await remote.score(requests, deadline_s=PATIENCE_S)
        assert values(found) == values(await elsewhere.engine.score(requests))
        sizes = [len(message.texts) for message in elsewhere.messages if message.texts]
        assert sorted(sizes) == [5, 100 - GROUP_TEXTS, GROUP_TEXTS]
        assert len(TEXT * 2000) > GROUP_CHARACTERS
        assert {message.deadline_ms for message in elsewhere.messages if message.texts} == {30_000}
    assert elsewhere.is_closed


async def test_nothing_asked_is_nothing_answered() -> None:
    async with both() as (remote, _):
        assert await remote.score([]) == []


async def test_compat_is_not_for_remote_scorers() -> None:
    async with both() as (remote, _):
        with pytest.raises(ParamsError, match="compat"):
            _ = remote.vocabulary
        with pytest.raises(ScorerDown):
            await remote.score_rows([])


async def test_the_deadline_is_kept_and_scores_come_late() -> None:
    scorer = GatedScorer()
    late: dict[int, Scores] = {}
    async with both(scorer) as (remote, _):
        found = await remote.score([asked(TEXT)] * 2, deadline_s=SHORT_S, late=late.__setitem__)
        assert values(found) == [DeadlineExceeded] * 2
        scorer.gate.set()
        await until(lambda: len(late) == 2)
        expected = await remote.score([asked(TEXT)])
        assert values(list(late.values())) == values(expected) * 2
        assert remote.degraded is None


async def test_without_late_a_deadline_cancels_there_too() -> None:
    async with both(GatedScorer()) as (remote, elsewhere):
        [found] = await remote.score([asked(TEXT)], deadline_s=SHORT_S)
        assert isinstance(found, ScoringError)
        await until(lambda: elsewhere.n_cancelled == 1 or not isinstance(found, DeadlineExceeded))


async def test_cancelling_cancels_there() -> None:
    scorer = GatedScorer()
    async with both(scorer) as (remote, elsewhere):
        call = asyncio.create_task(remote.score([asked(TEXT)]))
        assert await asyncio.to_thread(scorer.entered.acquire, timeout=PATIENCE_S)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until(lambda: elsewhere.n_cancelled == 1)


async def test_nobody_there_is_said_and_noticed_when_it_comes() -> None:
    async with both(fault=refuse) as (remote, elsewhere):
        assert remote.degraded == f"the remote scorer gives no answer: {REFUSED}"
        assert remote.fingerprint.startswith("unknown-")
        assert values(await remote.score([asked(TEXT)])) == [ScorerDown]
        assert elsewhere.n_asked == 0
        elsewhere.fault = None
        await until(lambda: remote.degraded is None)
        assert remote.fingerprint == LengthScorer.fingerprint
        assert values(await remote.score([asked("a bb")])) == [[41, 82]]


async def test_that_it_is_left_alone_is_no_news() -> None:
    async with both(fault=refuse) as (remote, elsewhere):
        elsewhere.fault = leave_alone
        n_messages = len(elsewhere.messages)
        await until(lambda: len(elsewhere.messages) > n_messages + 1)
        assert remote.degraded == f"the remote scorer gives no answer: {REFUSED}"
    async with both(fault=leave_alone) as (remote, _):
        assert remote.degraded == "the remote scorer gives no answer"


async def test_one_that_fails_is_left_alone_for_a_while() -> None:
    clock = Clock()
    async with both(clock=clock) as (remote, elsewhere):
        elsewhere.fault = refuse
        found = [values(await remote.score([asked(TEXT)])) for _ in range(5)]
        assert found == [[ScorerDown]] * 5
        assert elsewhere.n_asked <= 3
        elsewhere.fault = None
        await until(lambda: remote.degraded is None)  # asked how it is, not for scores
        assert values(await remote.score([asked("a")])) == [[41]]


def garbage() -> bytes:
    return b"\0\1 no answer"


def endless() -> bytes:
    return b"x" * (2 << 20)


def of_other_texts() -> bytes:
    return pack_answered(Answered(LengthScorer.fingerprint, WORDS_VERSION, (np.zeros(1, np.uint16),)))


def of_nothing() -> bytes:
    return pack_answered(Answered(LengthScorer.fingerprint, WORDS_VERSION, ()))


def breaks() -> bytes:
    raise UpstreamBroken("upstream 'remote scorer' broke off its answer: connection reset")


@pytest.mark.parametrize("fault", [garbage, endless, of_other_texts, of_nothing, refuse, breaks])
async def test_what_is_no_answer_is_the_scorers_failure(fault: Callable[[], bytes]) -> None:
    async with both() as (remote, elsewhere):
        elsewhere.fault = fault
        [found] = await remote.score([asked(TEXT)])
        assert isinstance(found, ScorerDown)
        assert "secret" not in f"{found} {remote.degraded}"
        elsewhere.fault = None
        await until(lambda: remote.degraded is None)


@pytest.mark.parametrize(
    ("status", "kind", "what"),
    [
        (503, Overloaded, "as many requests as it can"),
        (401, ScorerDown, "correct compressor.remote_key"),
        (403, ScorerDown, "correct compressor.remote_key"),
        (404, ScorerDown, "older release"),
        (400, ScorerDown, "max_body_bytes"),
        (500, ScorerDown, "answered 500"),
    ],
)
async def test_refusals_are_told_apart(status: int, kind: type[ScoringError], what: str) -> None:
    async with both() as (remote, elsewhere):
        elsewhere.status, elsewhere.fault = status, lambda: b"{}"
        [found] = await remote.score([asked(TEXT)])
        assert type(found) is kind
        assert what in str(found)


@pytest.mark.parametrize("status", [400, 413])
async def test_a_message_that_is_refused_takes_nobody_elses_scores(status: int) -> None:
    """Else one client with a text too long would leave everybody's whole."""
    async with both(clock=Clock()) as (remote, elsewhere):
        elsewhere.status, elsewhere.fault = status, lambda: b"{}"
        for _ in range(9):
            [found] = await remote.score([asked(TEXT)])
            assert type(found) is ScorerDown
        assert remote.degraded is None
        elsewhere.status, elsewhere.fault = 200, None
        assert values(await remote.score([asked("a")])) == [[41]]


async def test_another_scorer_is_not_used() -> None:
    async with both() as (remote, elsewhere):
        elsewhere.fault = lambda: pack_answered(Answered("other", WORDS_VERSION, (np.zeros(6, np.uint16),)))
        assert values(await remote.score([asked(TEXT)])) == [ScorerDown]
        assert "another than at the start" in (remote.degraded or "")
        n_asked = elsewhere.n_asked
        assert values(await remote.score([asked(TEXT)])) == [ScorerDown]
        assert elsewhere.n_asked == n_asked
        assert remote.fingerprint == LengthScorer.fingerprint
        elsewhere.fault = None
        await until(lambda: remote.degraded is None)


async def test_words_of_another_release_are_of_no_use() -> None:
    other = lambda: pack_answered(Answered("length", "0", ()))  # noqa: E731 - one line
    async with both(fault=other) as (remote, _):
        assert "run the same release on both sides" in (remote.degraded or "")
        assert values(await remote.score([asked(TEXT)])) == [ScorerDown]


async def test_there_another_scorer_that_is_asked_for_gets_no_scores() -> None:
    async with both() as (_, elsewhere):
        remote = RemoteEngine(elsewhere, elsewhere.offload)
        remote._spoken.fingerprint = "expected"
        assert values(await remote.score([asked(TEXT)])) == [ScorerDown]
        assert elsewhere.messages[-1].fingerprint == "expected"


async def test_an_instance_that_hangs_is_given_up() -> None:
    async with both(GatedScorer(), patience_s=0.0) as (remote, elsewhere):
        [found] = await remote.score([asked(TEXT)])
        assert isinstance(found, ScorerDown)
        assert "gave no answer" in str(found)
        assert elsewhere.n_cancelled == 1

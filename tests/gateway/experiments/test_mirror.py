"""The mirror through the recipe: what is sent a second time, what is not, and that no client sees it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gateway.access.counters import Counters
from gateway.cache.memory import MemoryCache
from gateway.chat import handle
from gateway.config import load as load_config
from gateway.conversation import Pins
from gateway.dialects import Dialect
from gateway.dialects.anthropic_messages import MESSAGES
from gateway.dialects.chat_completions import CHAT_COMPLETIONS
from gateway.dialects.responses import RESPONSES
from gateway.errors import ConfigError, UpstreamBroken, UpstreamError, UpstreamTimeout
from gateway.experiments.backstage import Backstage
from gateway.experiments.jobs import MOST
from gateway.experiments.records import JudgeVerdict
from gateway.metrics import MIRROR_USD, MIRRORED
from gateway.offload import Offload
from gateway.settings import Config
from gateway.texts import Texts
from gateway.types import RawHeaders, Upstream, UpstreamRequest, UpstreamResponse
from tests.e2e.scripted_upstream import PATIENCE_S
from tests.gateway.pipeline import SECRET, Pipeline, PureCompressor, incoming, pipeline, policy_set
from tests.gateway.test_chat import PARAMS, TEXT, FakeClient, chat

JUDGE = {"upstream": "judge", "model": "gpt-4o"}
KEY: RawHeaders = [(b"idempotency-key", b"once"), (b"accept-encoding", b"gzip, br")]
USAGE = {"prompt_tokens": 1000, "completion_tokens": 100}
MIRRORED_USD = 1000 * 2.5e-6 + 100 * 1e-5

Say = Callable[[dict[str, Any]], str]


def answer(text: str) -> bytes:
    return json.dumps({"choices": [{"message": {"content": text}}], "usage": USAGE}).encode()


@dataclass
class Answering:
    """An upstream that says what it is told to of each request."""

    say: Say
    first_status: int = 200
    status: int = 200
    """Of what nobody streams on: mirrored requests, and the judge's."""
    error: Exception | None = None
    requests: list[UpstreamRequest] = field(default_factory=list)
    may_answer: asyncio.Event | None = None

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(request.body) for request in self.requests if isinstance(request.body, bytes)]

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        self.requests.append(request)
        is_behind = dict(request.headers).get(b"accept-encoding") == b"identity"
        if is_behind and self.error is not None:
            raise self.error
        status = self.status if is_behind else self.first_status
        assert isinstance(request.body, bytes)
        asked = json.loads(request.body)

        async def body() -> Any:
            if self.may_answer is not None and is_behind:
                await self.may_answer.wait()
            if asked.get("stream"):
                chunk = {"choices": [{"index": 0, "delta": {"content": self.say(asked)}}]}
                yield b"data: " + json.dumps(chunk).encode() + b"\n\ndata: [DONE]\n\n"
            else:
                yield answer(self.say(asked))

        media = b"text/event-stream" if asked.get("stream") else b"application/json"
        return UpstreamResponse(status, [(b"content-type", media)], body())

    async def aclose(self) -> None:
        pass


def length(asked: dict[str, Any]) -> str:
    """An answer by which one knows what was asked."""
    return f"asked {sum(len(message['content']) for message in asked['messages'])}"


def prefers(place: str) -> Answering:
    return Answering(lambda asked: json.dumps({"reason": "a reason", "winner": place}))


def prefers_the_longer_prompt() -> Answering:
    """A judge that finds the answer to the whole text better, wherever it stands."""

    def say(asked: dict[str, Any]) -> str:
        prompt = asked["messages"][0]["content"]
        lengths = [int(part.split()[0]) for part in prompt.split("\nasked ")[1:]]
        return json.dumps({"winner": str(1 + lengths.index(max(lengths)))})

    return Answering(say)


@dataclass
class Whole(Answering):
    """Answers with a JSON object of any shape."""

    say: Callable[[dict[str, Any]], Any]

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        self.requests.append(request)
        assert isinstance(request.body, bytes)
        said = json.dumps(self.say(json.loads(request.body))).encode()

        async def body() -> Any:
            yield said

        return UpstreamResponse(200, [(b"content-type", b"application/json")], body())


@dataclass
class Endless(Answering):
    """Goes on for ever where nobody streams on."""

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        response = await super().send(request)
        if dict(request.headers).get(b"accept-encoding") != b"identity":
            return response

        async def body() -> Any:
            while True:
                yield b" " * (1 << 20)

        return UpstreamResponse(200, response.headers, body())


@dataclass
class Running:
    """A gateway whose requests are all mirrored."""

    pipeline: Pipeline
    upstream: Answering
    judge: Answering
    backstage: Backstage

    async def ask(self, body: bytes, headers: RawHeaders | None = None) -> FakeClient:
        client = FakeClient(body)
        upstreams: dict[str, Upstream] = {"openai": self.upstream, "judge": self.judge}
        services = replace(self.pipeline.services, upstreams=upstreams, mirror=self.backstage)
        await handle(incoming(headers or []), client.receive, client.send, services, CHAT_COMPLETIONS)
        return client

    async def settled(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while self.backstage.jobs.n_under_way:  # noqa: ASYNC110 - as operators see it
                await asyncio.sleep(0.001)

    @property
    def outcomes(self) -> dict[str, float]:
        counted = self.pipeline.services.metrics.snapshot().counters
        return {labels[1]: n for (name, labels), n in counted.items() if name == MIRRORED.name}

    @property
    def usd(self) -> dict[str, float]:
        counted = self.pipeline.services.metrics.snapshot().counters
        return {labels[1]: n for (name, labels), n in counted.items() if name == MIRROR_USD.name}

    @property
    def verdicts(self) -> list[JudgeVerdict]:
        return [one for one in self.pipeline.ledger.notes if isinstance(one, JudgeVerdict)]

    @property
    def n_entries(self) -> int:
        return len(self.pipeline.ledger.entries)


def running(
    *,
    client_gets: str = "control",
    judge: Answering | None = None,
    upstream: Answering | None = None,
    mirror: Mapping[str, object] | None = None,
    upstream_key: str | None = "none",
    judge_key: str | None = "none",
    spent: float | None = 0.0,
) -> Running:
    weights = {"control": 1e-12, "half": 1e-12} | {client_gets: 1.0}
    variants = [
        {"name": "control", "weight": weights["control"], "mode": "off"},
        {"name": "half", "weight": weights["half"]},
    ]
    said = {"share": 1.0, "callers_keys": True, "judge": JUDGE, **(mirror or {})}
    experiment = {"salt": "s", "variants": variants, "mirror": said}
    policies = policy_set({"name": "rag", "benefit": "off", "params": PARAMS, "experiment": experiment})
    base = pipeline(policies, PureCompressor(), config=_config(upstream_key, judge_key))
    offload, own = Offload(threads=1), MemoryCache(1 << 20, lambda: 0.0)
    texts = Texts(PureCompressor(), own, Pins(own, SECRET, offload), SECRET, offload)

    async def spent_since(moment: float) -> dict[str, float]:
        if spent is None:
            raise ConfigError("the ledger is away")
        return {"rag": spent}

    backstage = Backstage(texts, Counters(SECRET), spent_since)
    return Running(base, upstream or Answering(length), judge or prefers("1"), backstage)


def _config(upstream_key: str | None, judge_key: str | None) -> Config:
    given = {
        "openai": {"url": "https://api.openai.com", "key": upstream_key},
        "judge": {"url": "https://judge.example", "key": judge_key},
    }
    named = {
        f"upstreams.{name}.{key}": value for name, one in given.items() for key, value in one.items() if value
    }
    return load_config(None, {}, {**named, "compressor.deadline_ms": 20_000})


def body_of(client: FakeClient) -> bytes:
    return b"".join(message.get("body", b"") for message in client.sent)


async def test_the_other_arm_is_asked_and_the_client_gets_its_own_answer() -> None:
    gateway = running()
    client = await gateway.ask(chat(TEXT), KEY)
    await gateway.settled()
    sent, mirrored = gateway.upstream.bodies
    assert sent["messages"][0]["content"] == TEXT
    assert 0 < len(mirrored["messages"][0]["content"]) < len(TEXT)
    assert body_of(client) == answer(length(sent))
    assert gateway.outcomes == {"judged": 1}


async def test_a_client_that_got_the_treatment_is_mirrored_with_the_original() -> None:
    gateway = running(client_gets="half", judge=prefers_the_longer_prompt())
    client = await gateway.ask(chat(TEXT))
    await gateway.settled()
    sent, mirrored = gateway.upstream.bodies
    assert len(sent["messages"][0]["content"]) < len(TEXT)
    assert mirrored["messages"][0]["content"] == TEXT
    assert body_of(client) == answer(length(sent))
    [verdict] = gateway.verdicts
    assert (verdict.winner, verdict.arm, verdict.experiment) == ("control", "half", "rag")
    [entry] = gateway.pipeline.ledger.entries
    assert (verdict.id, verdict.unit) == (entry.id, entry.unit)


async def test_a_verdict_of_both_orders_counts_whichever_arm_the_client_got() -> None:
    for arm in ("control", "half"):
        gateway = running(client_gets=arm, judge=prefers_the_longer_prompt())
        await gateway.ask(chat(TEXT))
        await gateway.settled()
        assert [verdict.winner for verdict in gateway.verdicts] == ["control"]


@pytest.mark.parametrize("place", ["1", "2", "tie"])
async def test_a_judge_that_looks_at_the_place_alone_finds_a_tie(place: str) -> None:
    gateway = running(judge=prefers(place))
    await gateway.ask(chat(TEXT))
    await gateway.settled()
    assert [verdict.winner for verdict in gateway.verdicts] == ["tie"]


async def test_the_judge_is_blind_and_asked_in_both_orders() -> None:
    gateway = running()
    await gateway.ask(chat(TEXT))
    await gateway.settled()
    prompts = [body["messages"][0]["content"] for body in gateway.judge.bodies]
    answers = [[line for line in prompt.splitlines() if line.startswith("asked ")] for prompt in prompts]
    assert len(answers) == 2
    assert answers[0] == answers[1][::-1]
    assert answers[0][0] != answers[0][1]
    for prompt in prompts:
        assert TEXT in prompt
        assert not any(word in prompt for word in ("control", "half", "rag"))


async def test_what_it_costs_is_on_record_and_nothing_else_of_it() -> None:
    gateway = running()
    await gateway.ask(chat(TEXT))
    await gateway.settled()
    [verdict] = gateway.verdicts
    assert verdict.cost_usd == pytest.approx(3 * MIRRORED_USD)
    assert gateway.usd == {"mirror": pytest.approx(MIRRORED_USD), "judge": pytest.approx(2 * MIRRORED_USD)}
    assert gateway.n_entries == 1
    assert verdict.reason is None


async def test_reasons_are_kept_where_the_policy_says_so() -> None:
    gateway = running(mirror={"keep_reasons": True})
    await gateway.ask(chat(TEXT))
    await gateway.settled()
    assert [verdict.reason for verdict in gateway.verdicts] == ["a reason"]


async def test_a_judges_prompt_may_be_ones_own() -> None:
    own = "Which? {conversation} A: {answer_1} B: {answer_2}"
    gateway = running(mirror={"judge": {**JUDGE, "prompt": own}})
    await gateway.ask(chat(TEXT))
    await gateway.settled()
    assert all(body["messages"][0]["content"].startswith("Which? ===") for body in gateway.judge.bodies)


async def test_the_mirrored_request_is_the_clients_but_for_what_holds_once() -> None:
    gateway = running()
    await gateway.ask(chat(TEXT, temperature=0.1), KEY)
    await gateway.settled()
    sent, mirrored = gateway.upstream.requests
    fields = dict(mirrored.headers)
    assert (mirrored.method, mirrored.target) == (sent.method, sent.target)
    assert fields[b"authorization"] == b"Bearer sk-test"
    assert fields[b"accept-encoding"] == b"identity"
    assert b"idempotency-key" not in fields
    assert dict(sent.headers)[b"idempotency-key"] == b"once"
    assert gateway.upstream.bodies[1]["temperature"] == 0.1


async def test_a_stream_is_mirrored_as_a_plain_request() -> None:
    gateway = running()
    options = {"include_usage": True}
    client = await gateway.ask(chat(TEXT, stream=True, stream_options=options))
    await gateway.settled()
    assert b"[DONE]" in body_of(client)
    mirrored = gateway.upstream.bodies[1]
    assert (mirrored["stream"], mirrored["stream_options"]) == (False, None)
    assert gateway.outcomes == {"judged": 1}


async def test_the_client_has_its_answer_before_anything_is_mirrored() -> None:
    upstream = Answering(length, may_answer=asyncio.Event())
    gateway = running(upstream=upstream)
    client = await gateway.ask(chat(TEXT))  # the mirrored request is not answered, and this returns
    assert body_of(client) == answer(length(upstream.bodies[0]))
    assert upstream.may_answer is not None
    upstream.may_answer.set()
    await gateway.settled()
    assert gateway.outcomes == {"judged": 1}


async def test_nothing_of_it_is_pinned_or_expected() -> None:
    """The client's next turn goes on as if there were no mirror: same bytes, same money."""
    turns = [chat(TEXT), chat(TEXT, TEXT[::-1])]
    entries = []
    for share in (0.0, 1.0):
        gateway = running(mirror={"share": share})
        for body in turns:
            await gateway.ask(body)
            await gateway.settled()
        entries.append(
            [
                (one.conversation, one.variant, one.origin_tokens, one.counterfactual_usd, one.saved_usd)
                for one in gateway.pipeline.ledger.entries
            ]
        )
        assert len(gateway.verdicts) == 2 * share
    assert entries[0] == entries[1]


@pytest.mark.parametrize(
    "more",
    [
        {"store": True},
        {"n": 2},
        {"tools": [{"type": "web_search"}]},
        {"web_search_options": {}},
        {"background": True},
        {"previous_response_id": "resp_1"},
    ],
)
async def test_what_would_do_more_than_answer_is_not_mirrored(more: dict[str, Any]) -> None:
    gateway = running()
    await gateway.ask(chat(TEXT, **more))
    await gateway.settled()
    assert len(gateway.upstream.requests) == 1
    assert gateway.outcomes == {"unfit": 1}


async def test_tools_that_the_client_calls_are_mirrored() -> None:
    gateway = running()
    await gateway.ask(chat(TEXT, tools=[{"type": "function", "function": {"name": "look"}}]))
    await gateway.settled()
    assert gateway.outcomes == {"judged": 1}


async def test_arms_that_would_send_the_same_are_not_mirrored() -> None:
    for arm in ("control", "half"):
        gateway = running(client_gets=arm)
        await gateway.ask(chat("Hi."))
        await gateway.settled()
        assert gateway.outcomes == {"alike": 1}


async def test_equal_answers_are_a_tie_that_costs_no_judge() -> None:
    gateway = running(upstream=Answering(lambda asked: "the same"))
    await gateway.ask(chat(TEXT))
    await gateway.settled()
    assert [verdict.winner for verdict in gateway.verdicts] == ["tie"]
    assert gateway.judge.requests == []


async def test_callers_keys_are_used_where_the_policy_says_so_and_else_not() -> None:
    for may, outcome in ((False, "callers_key"), (True, "judged")):
        gateway = running(upstream_key=None, mirror={"callers_keys": may})
        await gateway.ask(chat(TEXT))
        await gateway.settled()
        assert gateway.outcomes == {outcome: 1}
        assert len(gateway.upstream.requests) == 1 + may


async def test_an_upstreams_own_key_needs_nobodys_consent() -> None:
    gateway = running(mirror={"callers_keys": False})
    await gateway.ask(chat(TEXT))
    await gateway.settled()
    assert gateway.outcomes == {"judged": 1}


async def test_a_price_nobody_knows_is_not_spent() -> None:
    gateway = running()
    await gateway.ask(chat(TEXT).replace(b"gpt-4o", b"nobody-knows"))
    unknown = running(mirror={"judge": {**JUDGE, "model": "nobody-knows"}})
    await unknown.ask(chat(TEXT))
    for one in (gateway, unknown):
        await one.settled()
        assert one.outcomes == {"unpriced": 1}
        assert len(one.upstream.requests) == 1


async def test_the_day_has_its_cap() -> None:
    gateway = running(mirror={"max_usd_per_day": 3 * MIRRORED_USD * 1.5})
    for _ in range(4):
        await gateway.ask(chat(TEXT))
        await gateway.settled()
    assert gateway.outcomes == {"judged": 2, "budget": 2}


async def test_what_was_spent_before_a_restart_counts() -> None:
    gateway = running(mirror={"max_usd_per_day": 1.0}, spent=1.0)
    await gateway.ask(chat(TEXT))
    await gateway.settled()
    assert gateway.outcomes == {"budget": 1}


async def test_a_ledger_that_cannot_be_read_begins_the_day_at_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gateway = running(spent=None)
    await gateway.ask(chat(TEXT))
    await gateway.settled()
    assert gateway.outcomes == {"judged": 1}
    assert "begins at nothing" in caplog.text


async def test_the_minute_has_its_rate() -> None:
    gateway = running(mirror={"per_minute": 2})
    for _ in range(3):
        await gateway.ask(chat(TEXT))
        await gateway.settled()
    assert gateway.outcomes == {"judged": 2, "rate": 1}


async def test_a_mirrored_request_that_fails_is_counted_and_costs_nothing() -> None:
    gateway = running(upstream=Answering(length, error=UpstreamError("nobody there")))
    client = await gateway.ask(chat(TEXT))
    await gateway.settled()
    assert client.sent[0]["status"] == 200
    assert gateway.outcomes == {"failed": 1}
    assert gateway.verdicts == []


@pytest.mark.parametrize(
    "error", [UpstreamBroken("gone"), UpstreamTimeout("too late"), TimeoutError()], ids=repr
)
async def test_what_broke_off_or_came_too_late_may_be_billed_and_counts(error: Exception) -> None:
    gateway = running(upstream=Answering(length, error=error))
    await gateway.ask(chat(TEXT))
    await gateway.settled()
    assert gateway.outcomes == {"failed": 1}
    [verdict] = gateway.verdicts
    assert verdict.winner == "none"
    assert verdict.cost_usd >= len(TEXT) / 2 / 4 * 2.5e-6
    assert gateway.usd == {"mirror": pytest.approx(verdict.cost_usd)}


async def test_answers_that_are_too_long_do_not_get_past_the_cap() -> None:
    gateway = running(mirror={"max_usd_per_day": 1.0}, upstream=Endless(length))
    for _ in range(2):
        await gateway.ask(chat(TEXT))
        await gateway.settled()
    assert gateway.outcomes == {"failed": 1, "budget": 1}


@pytest.mark.parametrize("status", [429, 503, 529])
async def test_an_upstream_that_has_too_much_is_left_alone(status: int) -> None:
    gateway = running(upstream=Answering(length, status=status))
    for _ in range(3):
        await gateway.ask(chat(TEXT))
        await gateway.settled()
    assert gateway.outcomes == {"failed": 1, "paused": 2}
    assert len(gateway.upstream.requests) == 3 + 1


async def test_an_upstream_that_refuses_for_another_reason_is_asked_again() -> None:
    gateway = running(upstream=Answering(length, status=400))
    for _ in range(2):
        await gateway.ask(chat(TEXT))
        await gateway.settled()
    assert gateway.outcomes == {"failed": 2}


async def test_an_answer_that_breaks_every_expectation_is_counted() -> None:
    gateway = running(upstream=Answering(length, error=KeyError("ours")))
    await gateway.ask(chat(TEXT))
    await gateway.settled()
    assert gateway.outcomes == {"error": 1}


async def test_an_unanswered_request_is_not_mirrored() -> None:
    gateway = running(upstream=Answering(length, first_status=500))
    await gateway.ask(chat(TEXT))
    await gateway.settled()
    assert gateway.outcomes == {"unanswered": 1}


@pytest.mark.parametrize(
    ("judge", "outcome"),
    [
        (Answering(lambda asked: "I would rather not say."), "judge_unreadable"),
        (Answering(length, status=429), "judge_failed"),
        (Answering(length, error=UpstreamBroken("gone")), "judge_failed"),
    ],
)
async def test_a_judge_that_fails_leaves_the_money_on_record(judge: Answering, outcome: str) -> None:
    gateway = running(judge=judge)
    await gateway.ask(chat(TEXT))
    await gateway.settled()
    assert gateway.outcomes == {outcome: 1}
    [verdict] = gateway.verdicts
    assert verdict.winner == "none"
    assert verdict.cost_usd >= MIRRORED_USD


async def test_without_a_judge_the_money_is_known() -> None:
    gateway = running(mirror={"judge": None})
    await gateway.ask(chat(TEXT))
    await gateway.settled()
    assert gateway.outcomes == {"unjudged": 1}
    [verdict] = gateway.verdicts
    assert verdict.winner == "none"
    assert verdict.cost_usd == pytest.approx(MIRRORED_USD)


@pytest.mark.parametrize(
    ("mirror", "judge_key", "outcome"),
    [
        ({"judge": {**JUDGE, "upstream": "nowhere"}}, "none", "judge_unknown"),
        ({}, None, "judge_without_key"),
    ],
)
async def test_a_judge_that_cannot_be_asked_costs_nothing(
    mirror: dict[str, object], judge_key: str | None, outcome: str
) -> None:
    gateway = running(mirror=mirror, judge_key=judge_key)
    await gateway.ask(chat(TEXT))
    await gateway.settled()
    assert gateway.outcomes == {outcome: 1}
    assert len(gateway.upstream.requests) == 1


async def test_what_there_is_no_room_for_is_dropped() -> None:
    upstream = Answering(length, may_answer=asyncio.Event())
    gateway = running(upstream=upstream, mirror={"per_minute": 1000})
    for _ in range(MOST + 2):
        await gateway.ask(chat(TEXT))
    assert gateway.outcomes == {"full": 2}
    await gateway.backstage.aclose()
    assert gateway.outcomes == {"full": 2, "stopped": MOST}


async def test_stopping_drops_and_counts_and_keeps_what_was_spent() -> None:
    judge = prefers("1")
    judge.may_answer = asyncio.Event()
    gateway = running(judge=judge)
    await gateway.ask(chat(TEXT))
    async with asyncio.timeout(PATIENCE_S):
        while len(judge.requests) < 2:  # noqa: ASYNC110 - a fake upstream tells nobody
            await asyncio.sleep(0.001)
    await gateway.backstage.aclose()
    assert gateway.outcomes == {"stopped": 1}
    [verdict] = gateway.verdicts
    assert verdict.winner == "none"
    assert verdict.cost_usd == pytest.approx(MIRRORED_USD)
    await gateway.ask(chat(TEXT))
    assert gateway.outcomes == {"stopped": 1, "full": 1}


@pytest.mark.parametrize("field", [b"x-pith-mode", b"x-pith-rate"])
async def test_requests_that_choose_for_themselves_are_not_sampled(field: bytes) -> None:
    gateway = running()
    await gateway.ask(chat(TEXT), [(field, b"on" if field.endswith(b"mode") else b"0.4")])
    await gateway.settled()
    assert gateway.outcomes == {}
    assert len(gateway.upstream.requests) == 1


async def test_a_share_of_nothing_samples_nothing() -> None:
    gateway = running(mirror={"share": 0.0})
    await gateway.ask(chat(TEXT))
    await gateway.settled()
    assert gateway.outcomes == {}


@pytest.mark.parametrize(
    ("dialect", "body", "said"),
    [
        (
            MESSAGES,
            {"model": "gpt-4o", "max_tokens": 9, "messages": [{"role": "user", "content": TEXT}]},
            lambda text: {
                "type": "message",
                "content": [{"type": "text", "text": text}],
                "usage": {"input_tokens": 1000, "output_tokens": 100},
            },
        ),
        (
            RESPONSES,
            {"model": "gpt-4o", "input": TEXT, "store": False},
            lambda text: {
                "object": "response",
                "status": "completed",
                "output": [{"type": "message", "content": [{"type": "output_text", "text": text}]}],
                "usage": {"input_tokens": 1000, "output_tokens": 100},
            },
        ),
    ],
    ids=["messages", "responses"],
)
async def test_other_dialects_are_mirrored_too(
    dialect: Dialect, body: dict[str, Any], said: Callable[[str], dict[str, Any]]
) -> None:
    upstream = Whole(lambda asked: said(f"asked {len(json.dumps(asked))}"))
    gateway = running(upstream=upstream)
    client = FakeClient(json.dumps(body).encode())
    upstreams: dict[str, Upstream] = {"openai": upstream, "judge": gateway.judge}
    services = replace(gateway.pipeline.services, upstreams=upstreams, mirror=gateway.backstage)
    asked = replace(incoming([]), path=dialect.path, target=dialect.path.encode())
    await handle(asked, client.receive, client.send, services, dialect)
    await gateway.settled()
    assert gateway.outcomes == {"judged": 1}
    assert len(upstream.requests) == 2
    [verdict] = gateway.verdicts
    assert verdict.cost_usd == pytest.approx(3 * MIRRORED_USD)

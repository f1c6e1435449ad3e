"""gateway.chat: which reason is given when, who may be shed, and one entry however a request ends."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor import Compressed, CompressionParams
from compressor.flow import whole
from compressor.types import SkipReason
from gateway.accounts import Account
from gateway.admission import Admission
from gateway.chat import handle, plan_or_original
from gateway.dialects.chat_completions import CHAT_COMPLETIONS
from gateway.errors import UpstreamError
from gateway.offload import INLINE_BYTES, Offload
from gateway.settings import CompressorConfig, Config, LimitsConfig, Route, TimeoutsConfig
from gateway.stopwatch import Stopwatch
from gateway.types import RawHeaders, UpstreamRequest, UpstreamResponse
from gateway.upstreams.settings import UpstreamConfig
from policies.match import PolicySet
from tests.e2e.scripted_upstream import PATIENCE_S
from tests.gateway.pipeline import FastForward, Pipeline, PureCompressor, incoming, pipeline, policy_set

P = ParamSpec("P")
T = TypeVar("T")

PARAMS = {
    "rate": 0.5,
    "min_tokens": 4,
    "roles": ["user", "tool"],
    "protect": {"head_tokens": 0, "tail_tokens": 0},
}
HALF = policy_set({"name": "half", "params": PARAMS})
PROSE = "The committee of the city decided on the long agenda of the day, and it was fine with all of them. "
TEXT = PROSE * 6
FENCE = "```\n" + "x = 1\n" * 40 + "```"


def chat(*texts: str, role: str = "user", **more: object) -> bytes:
    messages = [{"role": role, "content": text} for text in texts]
    return json.dumps({"model": "gpt-4o", "messages": messages, **more}).encode()


class TestReasons:
    @pytest.mark.parametrize(
        ("body", "headers", "skip"),
        [
            (chat(TEXT), [], None),
            (chat(TEXT, "short"), [], None),
            (chat("short"), [], "short"),
            (chat(FENCE), [], "structured"),
            (chat(FENCE, "short"), [], "structured"),
            (chat(TEXT, role="system"), [], "no_text"),
            (chat(), [], "no_text"),
            (b"{}", [], "no_text"),
            (b"", [], "unparsable"),
            (chat(TEXT), [(b"content-encoding", b"gzip")], "unparsable"),
            (chat(TEXT), [(b"content-encoding", b"identity")], None),
            (chat(TEXT), [(b"content-digest", b"sha-256=:AAAA:")], "unparsable"),
            (chat(TEXT), [(b"content-md5", b"AAAA")], "unparsable"),
            (chat(TEXT), [(b"x-pith-mode", b"off")], "opted_out"),
            (chat(TEXT), [(b"x-pith-rate", b"nonsense")], None),
            (chat(TEXT), [(b"x-pith-policy", b"nobody")], None),
        ],
    )
    async def test_what_was_asked(self, body: bytes, headers: RawHeaders, skip: str | None) -> None:
        plan = await pipeline(HALF, PureCompressor()).plan(body, headers=headers)
        assert plan.skip == skip
        assert (plan.body == body) == (skip is not None)

    @pytest.mark.parametrize("reason", ["deadline", "overloaded", "scorer_down", "verify_failed", "no_gain"])
    async def test_what_went_wrong(self, reason: SkipReason) -> None:
        running = pipeline(HALF, PureCompressor(lambda text: whole(text, CompressionParams(), reason)))
        assert (await running.plan(chat(TEXT))).skip == reason

    async def test_the_most_telling_of_several(self) -> None:
        def trouble(text: str) -> Compressed | None:
            reason: SkipReason = "deadline" if "?" in text else "no_gain"
            return whole(text, CompressionParams(), reason)

        running = pipeline(HALF, PureCompressor(trouble))
        assert (await running.plan(chat(TEXT, TEXT + "?"))).skip == "deadline"

    async def test_a_control_arm_is_counted_and_left_alone(self) -> None:
        experiment = {"salt": "s", "variants": [{"name": "control", "weight": 1, "mode": "off"}]}
        running = pipeline(
            policy_set({"name": "p", "params": PARAMS, "experiment": experiment}), PureCompressor()
        )
        plan = await running.plan(chat(TEXT, stream=True))
        assert (plan.skip, plan.hides_usage) == ("off", True)
        assert plan.origin_tokens == plan.compressed_tokens
        assert isinstance(plan.body, bytes)
        assert json.loads(plan.body)["messages"] == json.loads(chat(TEXT))["messages"]

    async def test_counts_are_of_the_whole_prompt(self) -> None:
        running = pipeline(HALF, PureCompressor())
        alone = await running.plan(chat(TEXT))
        with_more = await running.plan(
            json.dumps(
                {
                    "model": "gpt-4o",
                    "messages": [
                        {"role": "system", "content": "one two three"},
                        {"role": "user", "content": TEXT},
                    ],
                }
            ).encode()
        )
        assert alone.origin_tokens is not None
        assert with_more.origin_tokens == alone.origin_tokens + 3 + 4
        assert with_more.compressed_tokens == (alone.compressed_tokens or 0) + 3 + 4


class BehindOffload(Offload):
    """Threads that have been busy for long."""

    def is_behind(self, size: int, limit_s: float) -> bool:
        return size > INLINE_BYTES and limit_s <= 0.125


class TestShedding:
    LARGE = chat(TEXT, x="y" * INLINE_BYTES)

    def behind(self, **settings: Any) -> Pipeline:
        config = Config(**settings)
        running = pipeline(HALF, PureCompressor(), config=config)
        return replace(running, services=replace(running.services, offload=BehindOffload(threads=1)))

    async def test_large_requests_go_on_unread(self) -> None:
        plan = await self.behind().plan(self.LARGE)
        assert (plan.body, plan.skip, plan.request) == (self.LARGE, "overloaded", None)

    async def test_small_ones_need_no_thread(self) -> None:
        assert (await self.behind().plan(chat(TEXT))).skip is None

    async def test_routes_by_model_have_to_be_read(self) -> None:
        upstreams = {"a": UpstreamConfig(url="http://a"), "b": UpstreamConfig(url="http://b")}
        routes = (Route(model="gpt-*", upstream="a"), Route(upstream="b"))
        plan = await self.behind(upstreams=upstreams, routes=routes).plan(self.LARGE)
        assert plan.request is not None
        assert plan.skip is None


class TestHolding:
    """A request goes on in time, also the one that is first in the queue for a busy thread."""

    CONFIG = Config(compressor=CompressorConfig(deadline_ms=200), timeouts=TimeoutsConfig(queue_s=0.3))

    @pytest.mark.parametrize("step", ["parse", "texts", "cuts", "splice"])
    async def test_whatever_waits_for_a_thread(self, step: str) -> None:
        offload = StuckOffload(["parse", "texts", "cuts", "splice"].index(step))
        running = self.running(offload, self.CONFIG)
        try:
            plan = await running.plan(TestShedding.LARGE)
        finally:
            offload.go_on.set()
        assert (plan.body, plan.skip) == (TestShedding.LARGE, "overloaded")
        assert (plan.decision is None) == (step == "parse")

    async def test_a_route_by_model_is_waited_for(self) -> None:
        upstreams = {"a": UpstreamConfig(url="http://a"), "b": UpstreamConfig(url="http://b")}
        routes = (Route(model="gpt-*", upstream="a"), Route(upstream="b"))
        config = self.CONFIG.model_copy(update={"upstreams": upstreams, "routes": routes})
        offload = StuckOffload(0)
        running = self.running(offload, config)
        async with asyncio.TaskGroup() as tasks:
            plan = tasks.create_task(running.plan(TestShedding.LARGE))
            asyncio.get_running_loop().call_later(0.2, offload.go_on.set)
        assert plan.result().request is not None

    def running(self, offload: Offload, config: Config) -> Pipeline:
        made = pipeline(HALF, PureCompressor(), config=config)
        return replace(made, services=replace(made.services, offload=offload))


class StuckOffload(Offload):
    """One thread, which after so many pieces of work is busy until told to go on."""

    def __init__(self, n_free: int) -> None:
        super().__init__(threads=1)
        self.go_on = threading.Event()
        self._n_left = n_free

    async def __call__(self, size: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._n_left -= size > INLINE_BYTES
        if self._n_left == -1:
            asyncio.get_running_loop().run_in_executor(self._pool, self.go_on.wait, PATIENCE_S)
        return await super().__call__(size, function, *args, **kwargs)


class Noting(PureCompressor):
    """Notes how long it may take."""

    def __init__(self) -> None:
        super().__init__()
        self.deadlines_s: list[float | None] = []

    async def compress(
        self,
        texts: Sequence[str],
        params: CompressionParams,
        *,
        tenant: str = "",
        deadline_s: float | None = None,
    ) -> list[Compressed]:
        self.deadlines_s.append(deadline_s)
        return await super().compress(texts, params)


class TestTurns:
    """One request at a time is compressed."""

    async def test_whoever_gets_no_turn_goes_on_whole(self) -> None:
        running = self.one_at_a_time()
        admission = running.services.admission
        async with admission.compress(0.0, Stopwatch(lambda: 0.0)):
            plan = await running.plan(chat(TEXT, stream=True))
        assert (plan.body, plan.skip, plan.origin_tokens) == (chat(TEXT, stream=True), "overloaded", None)
        assert (await running.plan(chat(TEXT))).skip is None, "the turn was given back"

    async def test_what_is_left_alone_needs_no_turn(self) -> None:
        running = self.one_at_a_time()
        async with running.services.admission.compress(0.0, Stopwatch(lambda: 0.0)):
            plan = await running.plan(chat(TEXT), headers=[(b"x-pith-mode", b"off")])
        assert plan.skip == "opted_out"

    async def test_marks_are_taken_out_without_a_turn(self) -> None:
        marked = policy_set({"name": "half", "params": {**PARAMS, "marks": ["user"]}})
        running = self.one_at_a_time(marked)
        async with running.services.admission.compress(0.0, Stopwatch(lambda: 0.0)):
            plan = await running.plan(chat(f"<pith keep>{TEXT}</pith>"))
        assert (plan.body, plan.skip) == (chat(TEXT), "overloaded")

    def test_waiting_counts_against_the_deadline(self) -> None:
        async def run() -> tuple[Noting, Account]:
            clock = asyncio.get_running_loop().time
            compressor = Noting()
            services = replace(
                pipeline(HALF, compressor).services, admission=Admission(LimitsConfig(max_compressing=1))
            )

            async def hold() -> None:
                async with services.admission.compress(0.0, Stopwatch(clock)):
                    await asyncio.sleep(0.1)

            account = replace(Account.open(incoming([]), services), watch=Stopwatch(clock))
            async with asyncio.TaskGroup() as both:
                both.create_task(hold())
                both.create_task(plan_or_original(account, chat(TEXT), CHAT_COMPLETIONS))
            return compressor, account

        with asyncio.Runner(loop_factory=FastForward) as runner:
            compressor, account = runner.run(run())
        assert account.watch.ms["queue"] == pytest.approx(100)
        assert compressor.deadlines_s == [pytest.approx(0.4)]

    def one_at_a_time(self, policies: PolicySet = HALF) -> Pipeline:
        running = pipeline(policies, PureCompressor(), config=Config(timeouts=TimeoutsConfig(queue_s=0.001)))
        admission = Admission(LimitsConfig(max_compressing=1))
        return replace(running, services=replace(running.services, admission=admission))


class FakeClient:
    """ASGI's two callables: a body, then a client that stays until it leaves; and what was sent to it."""

    def __init__(self, body: bytes | None, *, leaves: bool = False) -> None:
        self._messages: list[Any] = []
        if body is not None:
            self._messages.append({"type": "http.request", "body": body, "more_body": False})
        if leaves:
            self._messages.append({"type": "http.disconnect"})
        self.sent: list[Any] = []
        self.is_waiting = asyncio.Event()

    async def receive(self) -> Any:
        if not self._messages:
            self.is_waiting.set()
            await asyncio.Event().wait()
        return self._messages.pop(0)

    async def send(self, message: Any) -> None:
        self.sent.append(message)


class FakeUpstream:
    """Answers with what it is told; remembers what it was sent."""

    def __init__(self, *answer: bytes | Exception) -> None:
        self._answer = answer
        self.requests: list[UpstreamRequest] = []

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        self.requests.append(request)
        if not self._answer:
            raise UpstreamError("nobody there")

        async def body() -> Any:
            for part in self._answer:
                if isinstance(part, Exception):
                    raise part
                yield part

        return UpstreamResponse(200, [(b"content-type", b"application/json")], body())

    async def aclose(self) -> None:
        pass


class WaitingCompressor:
    """Never comes to a result."""

    def __init__(self) -> None:
        self.is_asked = asyncio.Event()
        self.is_cancelled = False

    async def compress(
        self, texts: Sequence[str], params: CompressionParams, **options: Any
    ) -> list[Compressed]:
        self.is_asked.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.is_cancelled = True
            raise
        raise AssertionError


async def handled(running: Pipeline, client: FakeClient, upstream: FakeUpstream) -> None:
    services = replace(running.services, upstreams={"openai": upstream})
    await handle(incoming([]), client.receive, client.send, services, CHAT_COMPLETIONS)


class TestEntries:
    """Exactly one, however the request ends."""

    async def test_an_answer(self) -> None:
        running, client, upstream = (
            pipeline(HALF, PureCompressor()),
            FakeClient(chat(TEXT)),
            FakeUpstream(b"{}"),
        )
        await handled(running, client, upstream)
        [entry] = running.ledger.entries
        assert (entry.status, entry.is_complete, entry.policy, entry.skip) == (200, True, "half", None)
        assert client.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}

    async def test_no_upstream(self) -> None:
        running, client = pipeline(HALF, PureCompressor()), FakeClient(chat(TEXT))
        await handled(running, client, FakeUpstream())
        assert [entry.status for entry in running.ledger.entries] == [502]

    async def test_a_fault_of_ours_while_the_answer_passes(self) -> None:
        running, client = pipeline(HALF, PureCompressor()), FakeClient(chat(TEXT))
        with pytest.raises(ZeroDivisionError):
            await handled(running, client, FakeUpstream(b"{", ZeroDivisionError()))
        assert [entry.is_complete for entry in running.ledger.entries] == [False]

    async def test_a_client_that_leaves_while_its_texts_are_compressed(self) -> None:
        compressor, upstream = WaitingCompressor(), FakeUpstream(b"{}")
        running = pipeline(HALF, compressor)
        await handled(running, FakeClient(chat(TEXT), leaves=True), upstream)
        [entry] = running.ledger.entries
        assert (entry.status, entry.is_complete) == (499, False)
        assert (compressor.is_cancelled or not compressor.is_asked.is_set(), upstream.requests) == (True, [])

    async def test_a_server_that_stops_meanwhile(self) -> None:
        compressor = WaitingCompressor()
        running, client = pipeline(HALF, compressor), FakeClient(chat(TEXT))
        task = asyncio.create_task(handled(running, client, FakeUpstream(b"{}")))
        await compressor.is_asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert compressor.is_cancelled
        assert [entry.status for entry in running.ledger.entries] == [499]

    async def test_a_server_that_stops_while_a_request_is_read(self) -> None:
        running, client = pipeline(HALF, PureCompressor()), FakeClient(None)
        task = asyncio.create_task(handled(running, client, FakeUpstream(b"{}")))
        await client.is_waiting.wait()
        task.cancel()
        await asyncio.wait([task])
        assert [entry.status for entry in running.ledger.entries] == [499]

    @given(st.text(max_size=30), st.binary(max_size=60))
    def test_any_model_and_any_answer_has_its_entry(self, model: str, answer: bytes) -> None:
        async def holds() -> None:
            running = pipeline(HALF, PureCompressor())
            body = json.dumps({"model": model, "messages": [{"role": "user", "content": TEXT}]}).encode()
            client = FakeClient(body)
            await handled(running, client, FakeUpstream(answer))
            assert b"".join(message.get("body", b"") for message in client.sent) == answer
            [entry] = running.ledger.entries
            assert entry.status == 200

        asyncio.run(holds())

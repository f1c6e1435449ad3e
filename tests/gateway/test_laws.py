"""The laws at the gateway, for any conversation in any spelling: what goes on, byte for byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor import Compressed, CompressionParams, ScoreRequest, ScoringError
from compressor.engine import Late
from compressor.flow import whole
from compressor.types import Scores, SkipReason
from gateway.accounts import Account
from gateway.cache.analyses import Analyses
from gateway.cache.memory import MemoryCache
from gateway.cached import CachedCompressor
from gateway.counterfactual import Prompt, settle
from gateway.dialects.chat_completions import CHAT_COMPLETIONS
from gateway.offload import Offload
from gateway.passthrough import Outcome
from gateway.plan import Plan
from gateway.prompt_cache import Expected
from gateway.types import Cache, Usage
from policies.decide import Decision
from policies.match import PolicySet
from policies.schema import Mode
from tests.gateway.chat_bodies import Piece, Pieces, body, conversations, is_cut_of, request
from tests.gateway.pipeline import (
    CACHE_BYTES,
    SECRET,
    FastForward,
    Pipeline,
    PureCompressor,
    count,
    incoming,
    pipeline,
    policy_set,
    scored,
    with_mode,
)

PARAMS = {"rate": 0.5, "min_tokens": 4, "force_tokens": ["\n"], "roles": ["user", "tool"]}
PARAMS |= {"protect": {"head_tokens": 0, "tail_tokens": 0}, "structure_guard": False}
HALF = policy_set({"name": "half", "params": PARAMS})
THIRD = policy_set({"name": "third", "params": PARAMS | {"rate": 0.3}})
MARKED = policy_set({"name": "marked", "params": PARAMS | {"marks": ["user"]}})
OFF = policy_set({"name": "off", "mode": "off"})
PROSE = "The committee of the city decided on the long agenda of the day, and it was fine with all of them. "
LONG = PROSE * 6


def run(work: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=FastForward) as runner:
        return runner.run(work)


def chat(*messages: tuple[str, str], **more: object) -> bytes:
    asked = {"model": "gpt-4o", "messages": [{"role": role, "content": text} for role, text in messages]}
    return json.dumps(asked | more).encode()


def test_the_properties_below_are_about_something() -> None:
    sent = run(pipeline(HALF, PureCompressor()).forward(chat(("user", LONG))))
    assert 0.3 * len(LONG) < len(sent) < 0.8 * len(LONG)


# Law 3: same text and params, same bytes


@given(conversations, st.randoms(use_true_random=False))
def test_law_3_order_warmth_and_restarts_do_not_show(conversation: list[Pieces], random: Any) -> None:
    bodies = [body(request([message])) for message in conversation]
    shuffled = random.sample(bodies, len(bodies))

    async def holds() -> None:
        cold = {raw: await pipeline(HALF, PureCompressor()).forward(raw) for raw in bodies}
        warm = pipeline(HALF, PureCompressor())
        for raw in [*bodies, *shuffled]:
            assert await warm.forward(raw) == cold[raw]
        restarted = pipeline(HALF, PureCompressor(), cache=warm.cache)
        together = await asyncio.gather(*(restarted.forward(raw) for raw in shuffled * 2))
        assert together == [cold[raw] for raw in shuffled * 2]

    run(holds())


@given(conversations)
def test_law_3_a_text_is_cut_alike_wherever_it_stands(conversation: list[Pieces]) -> None:
    async def holds() -> None:
        together = await pipeline(HALF, PureCompressor()).messages(body(request(conversation)))
        for message, sent in zip(conversation, together, strict=True):
            assert await pipeline(HALF, PureCompressor()).messages(body(request([message]))) == [sent]

    run(holds())


@given(conversations)
def test_law_3_recorded_scores_and_fresh_ones_give_the_same(conversation: list[Pieces]) -> None:
    raw = body(request(conversation))

    async def holds() -> None:
        cache = MemoryCache(CACHE_BYTES, lambda: 0.0)
        sent = []
        for _ in range(2):
            offload = Offload(threads=1)
            scorer = Scores97()
            compressor = CachedCompressor(scorer, cache, Analyses(CACHE_BYTES), SECRET, offload)
            sent.append(await pipeline(HALF, compressor, cache=cache).forward(raw))
            offload.close()
        assert scorer.n_scored == 0, "the second time everything was recorded"
        assert sent[0] == sent[1] == await pipeline(HALF, PureCompressor()).forward(raw)

    run(holds())


# Law 4: what was forwarded once is forwarded again


async def grows(
    running: Pipeline, conversation: Sequence[Pieces], between: Callable[[int], Pipeline]
) -> None:
    """Send the conversation message by message; `between` may change the world before each turn."""
    before: list[bytes] = []
    for k in range(1, len(conversation) + 1):
        sent = await between(k).messages(body(request(conversation[:k])))
        assert sent[: len(before)] == before
        before = sent


@given(conversations)
def test_law_4_a_conversation_that_grows_keeps_its_prefix(conversation: list[Pieces]) -> None:
    running = pipeline(HALF, PureCompressor())
    run(grows(running, conversation, lambda k: running))


@given(conversations)
def test_law_4_also_when_every_record_is_lost(conversation: list[Pieces]) -> None:
    running = pipeline(HALF, PureCompressor())
    run(grows(running, conversation, lambda k: pipeline(HALF, PureCompressor())))


@given(conversations, st.lists(st.sampled_from([HALF, THIRD, OFF, MARKED]), min_size=5, max_size=5))
def test_law_4_also_when_policies_change(conversation: list[Pieces], sets: list[PolicySet]) -> None:
    running = pipeline(HALF, PureCompressor())

    def between(k: int) -> Pipeline:
        running.policies.current = sets[k - 1]
        return running

    run(grows(running, conversation, between))


MIXED = policy_set(
    {"name": "mini", "match": {"model": "*-mini"}, "mode": "off"}, {"name": "half", "params": PARAMS}
)


@pytest.mark.parametrize("name", ["prompt_cache_key", "x-pith-unit"])
def test_law_4_pins_one_conversation_not_all_of_an_application(name: str) -> None:
    """Applications give one cache key to all of their requests, and a unit may be a user."""
    compressor = PureCompressor()
    running = pipeline(MIXED, compressor)

    async def send(*texts: str, model: str = "gpt-4o") -> Plan:
        more = {"prompt_cache_key": "app"} if name == "prompt_cache_key" else {}
        raw = chat(("system", "Be brief."), *(("user", text) for text in texts), **more, model=model)
        return await running.plan(raw, headers=[] if more else [(b"x-pith-unit", b"app")])

    async def holds() -> None:
        assert (await send("hi", model="gpt-4o-mini")).skip == "off"
        assert (await send("hi", LONG)).skip is None, "the policy of this model is another"
        compressor.trouble = lambda text: whole(text, CompressionParams(), "deadline")
        assert (await send(LONG + "Again.")).skip == "deadline"
        compressor.trouble = lambda text: None
        assert (await send("Well?", LONG + "Again.")).skip is None, "it was left whole elsewhere"
        assert (await send(LONG + "Again.", "Well?")).skip == "deadline"
        running.policies.current = OFF
        assert (await send("hi", LONG, "And?")).skip is None, "pinned"
        assert (await send("ho", LONG)).skip == "off", "a new conversation is under the new policies"

    run(holds())


MOMENTARY: tuple[SkipReason, ...] = ("deadline", "overloaded", "scorer_down")
LASTING: tuple[SkipReason, ...] = ("short", "structured", "no_gain", "verify_failed")


@given(conversations, st.lists(st.sampled_from([*MOMENTARY, None]), min_size=5, max_size=5))
def test_law_4_also_when_scores_come_late_or_not_at_all(
    conversation: list[Pieces], reasons: list[SkipReason | None]
) -> None:
    compressor = PureCompressor()
    running = pipeline(MARKED, compressor)

    def between(k: int) -> Pipeline:
        why = reasons[k - 1]
        params = CompressionParams(marks=True)
        compressor.trouble = (lambda text: whole(text, params, why)) if why else (lambda text: None)
        return running

    run(grows(running, conversation, between))


CLAUDE = "claude-sonnet-4-5"
"""Its provider's minimum is documented nowhere for all models: what is observed of it counts."""


@pytest.mark.parametrize("n_sentences", [20, 38, 60])
def test_law_4_also_when_a_prompt_grows_past_the_providers_minimum(n_sentences: int) -> None:
    running = pipeline(HALF, PureCompressor())
    turns = [("user", PROSE * n_sentences), ("assistant", "Fine. " * 100), ("user", "And then?")]

    async def holds() -> None:
        before = await running.messages(chat(*turns[:1]))
        assert (await running.messages(chat(*turns)))[:1] == before

    run(holds())


def test_law_4_also_on_a_replica_that_has_observed_less_of_the_provider() -> None:
    one = pipeline(HALF, PureCompressor())
    other = pipeline(HALF, PureCompressor(), cache=one.cache)
    one.services.outlooks.observe(("openai", CLAUDE), Usage(9000, 1, cached_tokens=1024))
    turns = [("user", PROSE * 120), ("assistant", "Fine."), ("user", "And then?")]

    async def holds() -> None:
        assert (await other.plan(chat(("user", PROSE * 119), model=CLAUDE))).skip == "no_benefit"
        before = await one.messages(chat(*turns[:1], model=CLAUDE))
        assert len(before[0]) < len(turns[0][1]), "it is compressed there"
        assert (await other.messages(chat(*turns, model=CLAUDE)))[:1] == before

    run(holds())


TROUBLE = (MemoryError, RecursionError, ValueError, KeyError, AssertionError, OSError, ScoringError)


@given(conversations, st.lists(st.sampled_from([*TROUBLE, None]), min_size=5, max_size=5))
def test_law_4_also_when_the_compressor_breaks(
    conversation: list[Pieces], errors: list[type[Exception] | None]
) -> None:
    compressor = PureCompressor()
    running = pipeline(HALF, compressor)

    def between(k: int) -> Pipeline:
        compressor.trouble = raising(errors[k - 1])
        return running

    run(grows(running, conversation, between))


def raising(error: type[Exception] | None) -> Callable[[str], Compressed | None]:
    def trouble(text: str) -> Compressed | None:
        if error is not None:
            raise error("canary")
        return None

    return trouble


@pytest.mark.parametrize("reason", MOMENTARY)
def test_law_4_marks_are_cut_from_a_text_that_was_left_whole(reason: SkipReason) -> None:
    compressor = PureCompressor(lambda text: whole(text, CompressionParams(marks=True), reason))
    running = pipeline(MARKED, compressor)
    text = f"{PROSE}<pith keep>{PROSE}</pith>{PROSE}"

    async def holds() -> None:
        first = await running.messages(chat(("user", text)))
        again = await running.messages(chat(("user", text), ("assistant", "Fine.")))
        assert first == again[:1] == [json.dumps({"role": "user", "content": PROSE * 3}).encode()]

    run(holds())


# Law 5: nothing else changes


@given(conversations)
def test_law_5_only_texts_change_and_kept_characters_keep_their_spelling(conversation: list[Pieces]) -> None:
    pieces = request(conversation)
    assert is_cut_of(run(pipeline(HALF, PureCompressor()).forward(body(pieces))), pieces)


@given(
    conversations,
    st.sampled_from(
        [
            b'"stream_options":null',
            b'"stream_options":{}',
            b'"stream_options":{"include_usage":false}',
            b'"stream_options":{"include_usage":true}',
            b'"stream_options":{ "x" : [1.10] }',
            b'"other":1E2',
        ]
    ),
)
def test_law_5_a_stream_is_asked_for_its_usage_and_nothing_else(
    conversation: list[Pieces], options: bytes
) -> None:
    pieces = request(conversation, b', "stream":true ,' + options)
    sent = run(pipeline(HALF, PureCompressor()).forward(body(pieces)))
    cut_at = sent.rindex(b"]", 0, sent.rindex(b', "stream":true ,'))
    assert is_cut_of(sent[: cut_at + 1], [*pieces[:-1], Piece(b"]")])
    before, after = json.loads(body(pieces)), json.loads(sent)
    assert after.pop("stream_options") == {
        **(before.pop("stream_options", None) or {}),
        "include_usage": True,
    }
    assert {**before, "messages": 0} == {**after, "messages": 0}


@given(conversations, st.sampled_from(["off", "shadow"]), st.booleans())
def test_law_5_off_and_shadow_change_no_byte(
    conversation: list[Pieces], mode: str, is_by_policy: bool
) -> None:
    raw = body(request(conversation))
    by_policy = policy_set({"name": "weak", "mode": mode, "params": PARAMS})
    running = pipeline(by_policy, PureCompressor()) if is_by_policy else pipeline(HALF, PureCompressor())
    assert run((running if is_by_policy else with_mode(running, mode)).forward(raw)) == raw


@given(conversations)
def test_law_5_without_a_policy_nothing_differs(conversation: list[Pieces]) -> None:
    elsewhere = policy_set({"name": "other", "match": {"model": "claude-*"}, "params": PARAMS})
    raw = body(request(conversation, b',"stream":true'))
    plan = run(pipeline(elsewhere, PureCompressor()).plan(raw))
    assert (plan.body, plan.skip, plan.hides_usage) == (raw, "no_policy", False)


@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode), st.integers(0, 400))
def test_law_5_bodies_that_are_no_chat_requests_go_as_they_came(junk: bytes, at: int) -> None:
    raw = chat(("user", LONG))
    spoilt = raw[:at] + junk + raw[at + len(junk) :]
    plan = run(pipeline(HALF, PureCompressor()).plan(spoilt))
    if plan.request is None:
        assert plan.body == spoilt
    else:
        assert isinstance(plan.body, bytes)
        json.loads(plan.body)


# Law 6: no failure of ours reaches the client, and none costs time beyond the budget


class RaisingCache:
    """A cache that breaks its promise never to raise."""

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        raise ConnectionResetError("canary")

    async def put_if_absent(self, key: bytes, value: bytes, ttl_s: float) -> bytes:
        raise ConnectionResetError("canary")


class GarbageCache:
    """A cache in which somebody else wrote."""

    def __init__(self, garbage: bytes) -> None:
        self._garbage = garbage

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self._garbage for _ in keys]

    async def put_if_absent(self, key: bytes, value: bytes, ttl_s: float) -> bytes:
        return self._garbage


class Scores97:
    """A source of scores by rule; may hold them back for ever."""

    fingerprint = "97"

    def __init__(self) -> None:
        self.n_scored = 0
        self.news: asyncio.Queue[str] = asyncio.Queue()
        self.hold: asyncio.Event | None = None

    async def score(
        self, requests: Sequence[ScoreRequest], *, deadline_s: float | None = None, late: Late | None = None
    ) -> list[Scores | ScoringError]:
        if self.hold is not None:
            self.news.put_nowait("asked")
            try:
                await self.hold.wait()
            finally:
                self.news.put_nowait("left")
        self.n_scored += len(requests)
        return [scored(request.words) for request in requests]


@pytest.mark.parametrize("error", TROUBLE)
def test_law_6_whatever_the_compressor_raises_the_original_goes_on(error: type[Exception]) -> None:
    raw = chat(("user", LONG))
    plan = run(pipeline(HALF, PureCompressor(raising(error))).plan(raw))
    assert (plan.body, plan.skip) == (raw, "scorer_down")
    assert plan.request is not None, "routes by model still hold"


@pytest.mark.parametrize("is_memo", [False, True])
def test_law_6_a_cache_that_raises_costs_savings_only(is_memo: bool) -> None:
    caches: dict[str, Cache] = {"memo" if is_memo else "cache": RaisingCache()}
    raw = chat(("user", LONG))
    plan = run(pipeline(HALF, PureCompressor(), **caches).plan(raw))  # type: ignore[arg-type]  # either cache
    assert plan.body == raw
    assert plan.request is not None


@given(st.binary(max_size=80), st.booleans())
def test_law_6_garbage_in_a_cache_is_a_miss(garbage: bytes, is_memo: bool) -> None:
    pieces = request(
        [(Piece(b'{"role":"user","content":'), Piece(json.dumps(LONG).encode(), True), Piece(b"}"))]
    )
    caches: dict[str, Cache] = {"memo" if is_memo else "cache": GarbageCache(garbage)}
    running = pipeline(HALF, PureCompressor(), **caches)  # type: ignore[arg-type]  # either cache
    assert is_cut_of(run(running.forward(body(pieces))), pieces)


@given(st.binary(max_size=80) | st.sampled_from([b"1", b"a1" + bytes(40), b"1" + bytes(80)]))
def test_law_6_garbage_among_recorded_scores_is_a_miss(garbage: bytes) -> None:
    async def holds() -> None:
        offload = Offload(threads=1)
        compressor = CachedCompressor(
            Scores97(), GarbageCache(garbage), Analyses(CACHE_BYTES), SECRET, offload
        )
        sent = await pipeline(HALF, compressor).forward(chat(("user", LONG)))
        assert sent == await pipeline(HALF, PureCompressor()).forward(chat(("user", LONG)))
        offload.close()

    run(holds())


@pytest.mark.parametrize("policies", [HALF, MARKED])
def test_law_6_scores_that_never_come_cost_the_deadline_and_no_more(policies: PolicySet) -> None:
    """Also when the texts fall into several groups, as those of roles with and without marks do."""
    raw = chat(("user", LONG), ("tool", LONG), ("user", "short"))

    async def elapsed() -> tuple[float, Plan]:
        loop = asyncio.get_running_loop()
        scorer, offload = Scores97(), Offload(threads=1)
        scorer.hold = asyncio.Event()
        cache = MemoryCache(CACHE_BYTES, lambda: 0.0)
        running = pipeline(
            policies, CachedCompressor(scorer, cache, Analyses(CACHE_BYTES), SECRET, offload), cache=cache
        )
        began = loop.time()
        plan = await running.plan(raw)
        took = loop.time() - began
        scorer.hold.set()
        offload.close()
        return took, plan

    took, plan = run(elapsed())
    assert took == pytest.approx(0.5), "compressor.deadline_ms"
    assert (plan.body, plan.skip) == (raw, "deadline")


# Law 7: every waiter is answered


@given(st.lists(st.sampled_from([*TROUBLE, *MOMENTARY, None]), min_size=1, max_size=8), conversations)
def test_law_7_requests_at_one_time_are_all_answered(
    outcomes: list[type[Exception] | SkipReason | None], conversation: list[Pieces]
) -> None:
    """Whatever becomes of the others."""
    bodies = [body(request(conversation, b',"n":%d' % i)) for i in range(len(outcomes))]
    left = iter(outcomes)

    def trouble(text: str) -> Compressed | None:
        outcome = next(left, None)
        if isinstance(outcome, type):
            raise outcome("canary")
        return whole(text, CompressionParams(), outcome) if outcome else None

    async def holds() -> None:
        running = pipeline(HALF, PureCompressor(trouble))
        plans = await asyncio.gather(*(running.plan(raw) for raw in bodies))
        for i, plan in enumerate(plans):
            assert isinstance(plan.body, bytes)
            assert json.loads(plan.body)["n"] == i

    run(holds())


def test_law_7_a_client_that_leaves_takes_its_queued_work_along() -> None:
    async def holds() -> None:
        scorer, offload = Scores97(), Offload(threads=1)
        scorer.hold = asyncio.Event()
        cache = MemoryCache(CACHE_BYTES, lambda: 0.0)
        running = pipeline(
            HALF, CachedCompressor(scorer, cache, Analyses(CACHE_BYTES), SECRET, offload), cache=cache
        )
        leaving = asyncio.create_task(running.plan(chat(("user", LONG))))
        staying = asyncio.create_task(running.plan(chat(("user", LONG + "And?"))))
        assert [await scorer.news.get(), await scorer.news.get()] == ["asked", "asked"]
        leaving.cancel()
        assert await scorer.news.get() == "left"
        scorer.hold.set()
        plan = await staying
        assert (leaving.cancelled(), plan.skip, scorer.n_scored) == (True, None, 1)
        offload.close()

    run(holds())


# Law 8: savings are money, and may be negative

token_counts = st.integers(1, 5000)


@pytest.fixture(scope="module")
def priced() -> Pipeline:
    running = pipeline(HALF, PureCompressor())
    running.services.prices.load()
    return running


@given(token_counts, token_counts, st.integers(0, 5000), st.integers(0, 5000))
def test_law_8_a_prompt_that_grew_is_a_loss(
    priced: Pipeline, origin: int, compressed: int, prompt: int, cached: int
) -> None:
    saved_usd = saved(priced, origin, compressed, Usage(prompt, 10, cached_tokens=min(cached, prompt)), "on")
    if prompt == 0 or origin == compressed:
        assert saved_usd == 0
    elif prompt > compressed - origin:
        assert (saved_usd > 0) == (origin > compressed)
        assert (saved_usd < 0) == (origin < compressed)


@given(token_counts, token_counts, st.sampled_from(["shadow", "off"]))
def test_law_8_what_was_not_applied_saved_nothing(
    priced: Pipeline, origin: int, compressed: int, mode: Mode
) -> None:
    assert saved(priced, origin, compressed, Usage(origin, 10), mode) == 0


def saved(priced: Pipeline, origin: int, compressed: int, usage: Usage, mode: Mode) -> float:
    """What the ledger is told of such a request."""
    account = Account.open(incoming([]), priced.services)
    parsed = CHAT_COMPLETIONS.parse(chat(("user", "hi")))
    assert not isinstance(parsed, str)
    decision = Decision(policy="p", assigned=mode)
    plan = Plan(b"", decision=decision, request=parsed, origin_tokens=origin, compressed_tokens=compressed)
    sent = Expected(compressed if mode == "on" else origin)
    prompt = None if mode == "off" else Prompt(Expected(origin), sent, is_exact=True)
    money = settle(prompt, usage, priced.services.prices.price(parsed.model))
    entry = account.entry(plan, Outcome(200, True, 0.0, 0.0), usage, money)
    assert entry.saved_usd is not None
    return entry.saved_usd


# Law 9: never more tokens


@given(conversations)
def test_law_9_no_text_goes_on_longer_in_tokens(conversation: list[Pieces]) -> None:
    plan = run(pipeline(HALF, PureCompressor()).plan(body(request(conversation))))
    assert plan.compressed_tokens <= plan.origin_tokens
    assert isinstance(plan.body, bytes)
    before, after = (json.loads(raw)["messages"] for raw in (body(request(conversation)), plan.body))
    for old, new in zip(before, after, strict=True):
        assert sum(map(count, texts_of(new))) <= sum(map(count, texts_of(old)))


def texts_of(message: dict[str, Any]) -> list[str]:
    content = message["content"]
    return [content] if isinstance(content, str) else [part.get("text", "") for part in content]

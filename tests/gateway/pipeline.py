"""The recipe without sockets: real parts around a compressor of the test's own, and the bytes that go on.

Time is the event loop's, and `FastForward` makes that a counter: a timeout comes at once when nothing else is
left to run, so deadlines are tested exactly and without waiting.
"""

from __future__ import annotations

import asyncio
import json
import selectors
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from compressor import Compressed, CompressionParams, Compressor, Engine, counter
from compressor.flow import flow
from compressor.types import Scores, Words
from gateway.access.counters import Counters
from gateway.access.gate import Gate
from gateway.access.ring import KeyRing
from gateway.accounts import Account
from gateway.cache.analyses import Analyses
from gateway.cache.memory import MemoryCache
from gateway.cached import CachedCompressor
from gateway.chain import Chains
from gateway.chat import plan_or_original
from gateway.config import load as load_config
from gateway.conversation import Conversations, Pins
from gateway.dialects.chat_completions import CHAT_COMPLETIONS
from gateway.experiments.echoes import Echoes
from gateway.experiments.records import Note
from gateway.hashing import Secret
from gateway.incoming import Incoming
from gateway.offload import Offload
from gateway.overview import Overview, Selection
from gateway.plan import Plan
from gateway.prices import PriceBook
from gateway.prompt_history import PromptHistory
from gateway.response_cache import ResponseCache
from gateway.services import Services
from gateway.settings import Config
from gateway.switch import KillSwitch
from gateway.texts import Texts
from gateway.types import Cache, Entry, RawHeaders, ReportRow, Spooled
from policies.match import PolicySet
from policies.parse import parse
from policies.schema import PolicyDocument
from policies.validate import validate
from tests.fakes import LengthScorer

SECRET = Secret(b"s" * 32)
PATH = "/v1/chat/completions"
CACHE_BYTES = 8 << 20
PRICES = PriceBook()
"""Read once: 0.1 s, and the laws make hundreds of pipelines."""


THREAD_S = 1.0
"""How long a thread may take before the clock moves on without it."""


class FastForward(asyncio.SelectorEventLoop):
    """An event loop whose clock moves only while nothing can run, threads included, straight to the next
    timer."""

    def __init__(self) -> None:
        self.now = 0.0
        self.n_on_threads = 0
        super().__init__(_Skipping(self))

    def time(self) -> float:
        return self.now

    def run_in_executor(  # type: ignore[override]  # typeshed has type variables for the arguments
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        work: asyncio.Future[Any] = super().run_in_executor(executor, func, *args)
        self.n_on_threads += 1
        work.add_done_callback(self._returned)
        return work

    def _returned(self, work: asyncio.Future[Any]) -> None:
        self.n_on_threads -= 1


class _Skipping(selectors.DefaultSelector):
    """Waits for what threads report, but for no timer."""

    def __init__(self, loop: FastForward) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if not timeout:
            return super().select(timeout)
        ready = super().select(THREAD_S if self._loop.n_on_threads else 0)
        if not ready:
            self._loop.now += timeout
        return ready


@dataclass
class ChangingPolicies:
    """A `PolicySource` that a test sets."""

    current: PolicySet
    problem: str | None = None

    def reload(self) -> bool:
        return False


@dataclass
class ListLedger:
    """A `Ledger` that keeps what it is given."""

    entries: list[Entry] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    degraded: str | None = None
    waiting: int = 0
    dropped: int = 0
    repeated: int = 0
    spooled: Spooled = field(default_factory=Spooled)

    def record(self, entry: Entry) -> None:
        self.entries.append(entry)

    def note(self, note: Note) -> None:
        self.notes.append(note)

    async def report(self, *, group_by: str, since: float | None = None) -> list[ReportRow]:
        return []

    async def unpriced(self, *, since: float | None = None) -> list[str]:
        return []

    async def overview(self, dimension: str, selection: Selection) -> Overview:
        return Overview()

    async def find(self, request_id: str) -> dict[str, object] | None:
        return None

    async def aclose(self) -> None:
        pass


def policy_set(*policies: dict[str, Any]) -> PolicySet:
    """Policies as a file would say them."""
    read = validate(PolicyDocument, parse(json.dumps({"policies": policies}), "test"), {})
    return PolicySet(read.policies, "test")


def scored(words: Words) -> Scores:
    """A function of the words alone, ties among them."""
    return (words.hashes % np.uint64(97) * np.uint64(42)).astype(np.uint16)


class PureCompressor:
    """The real flow on scores by rule. Does what `trouble` does with each text first, which may raise."""

    def __init__(self, trouble: Callable[[str], Compressed | None] = lambda text: None) -> None:
        self.trouble = trouble

    async def compress(
        self,
        texts: Sequence[str],
        params: CompressionParams,
        *,
        tenant: str = "",
        deadline_s: float | None = None,
    ) -> list[Compressed]:
        return [self.trouble(text) or _compress(text, params) for text in texts]


def _compress(text: str, params: CompressionParams) -> Compressed:
    steps = flow(text, params)
    try:
        request = next(steps)
        steps.send(scored(request.words))
    except StopIteration as stop:
        result: Compressed = stop.value
        return result
    raise AssertionError("a flow asks once")


@dataclass
class Pipeline:
    """Services, and what a replica of them would share: the cache behind conversations, pins and scores."""

    services: Services
    cache: Cache
    policies: ChangingPolicies
    ledger: ListLedger

    async def plan(self, body: bytes, *, headers: RawHeaders | None = None) -> Plan:
        """What is decided for a request with this body."""
        asked = incoming(headers or [])
        account = Account.open(asked, self.services)
        return await plan_or_original(account, body, CHAT_COMPLETIONS)

    async def forward(self, body: bytes, *, headers: RawHeaders | None = None) -> bytes:
        """The bytes that go on."""
        sent = (await self.plan(body, headers=headers)).body
        assert isinstance(sent, bytes)
        return sent

    async def messages(self, body: bytes) -> list[bytes]:
        """The messages that go on, each as bytes."""
        sent = await self.forward(body)
        request = CHAT_COMPLETIONS.parse(sent)
        assert not isinstance(request, str), request
        return [sent[message.start : message.end] for message in request.messages]


def incoming(headers: RawHeaders) -> Incoming:
    scope = {
        "type": "http",
        "method": "POST",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "headers": [(b"authorization", b"Bearer sk-test"), *headers],
    }
    return Incoming.of(scope, SECRET)


def pipeline(
    policies: PolicySet,
    compressor: Compressor | None = None,
    *,
    cache: Cache | None = None,
    memo: Cache | None = None,
    config: Config | None = None,
) -> Pipeline:
    """A gateway's parts. Nothing is opened, so nothing needs to be closed: what is small runs inline."""
    config = config or load_config(None, {}, {})
    shared = MemoryCache(CACHE_BYTES, lambda: 0.0) if cache is None else cache  # an empty one is false
    offload = Offload(threads=1)
    engine = Engine(LengthScorer())
    pins = Pins(shared, SECRET, offload)
    source, ledger = ChangingPolicies(policies), ListLedger()
    cached = CachedCompressor(engine, shared, Analyses(CACHE_BYTES), SECRET, offload)
    memory = memo or MemoryCache(CACHE_BYTES, lambda: 0.0)
    services = Services(
        config=config,
        secret=SECRET,
        switch=KillSwitch(config.mode, lambda: config.mode),
        policies=source,
        upstreams={},
        engine=engine,
        compressor=cached,
        conversations=Conversations(shared, SECRET, offload),
        chains=Chains(shared, SECRET),
        pins=pins,
        texts=Texts(compressor or cached, memory, pins, SECRET, offload),
        responses=ResponseCache(shared, SECRET, offload, lambda: 0.0),
        access=open_to_all(),
        ledger=ledger,
        prices=PRICES,
        offload=offload,
        history=PromptHistory(shared, SECRET, lambda: 0.0),
        echoes=Echoes(shared, SECRET, offload),
    )
    return Pipeline(services, shared, source, ledger)


def with_mode(running: Pipeline, mode: str) -> Pipeline:
    """The same under another position of the kill switch."""
    switch = KillSwitch(mode, lambda: mode)  # type: ignore[arg-type, return-value]  # a Mode, from a test's list
    return replace(running, services=replace(running.services, switch=switch))


def open_to_all() -> Gate:
    """A gate for callers with keys of their own: there are no virtual keys."""
    return Gate(KeyRing((), list, lambda: 0.0), Counters(SECRET), requires_keys=False)


def count(text: str) -> int:
    """Tokens as the gateway counts them where it knows no better."""
    return counter("o200k_base").count(text)

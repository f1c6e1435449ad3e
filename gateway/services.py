"""Everything a request needs, opened and closed in one place."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from compressor import Compressor, ParamsError, Scorer, counter, lexicon
from compressor.compat_flow import vocabulary_of
from compressor.placement import close, place
from compressor.replicas import by_device
from compressor.tokens import DEFAULT_ENCODING
from gateway.access.gate import Gate
from gateway.access.opening import open_gate
from gateway.admission import Admission, patience_s
from gateway.cache.analyses import Analyses
from gateway.cache.guard import REQUEST_COMMANDS
from gateway.cache.memory import MemoryCache
from gateway.cache.tiered import TieredCache
from gateway.cached import CachedCompressor
from gateway.call_tokens import CallTokens
from gateway.chain import Chains
from gateway.collector import collect_between_requests
from gateway.compat import CompatCompressor
from gateway.config import open_policies
from gateway.conversation import Conversations, Pins
from gateway.errors import ConfigError
from gateway.experiments.backstage import Backstage
from gateway.experiments.echoes import Echoes
from gateway.experiments.watch import Rollbacks, Watch
from gateway.hashing import Secret, load_secret
from gateway.kept.keeper import Keeper
from gateway.kept.settings import kept_folder
from gateway.ledger.database import sqlite_path
from gateway.ledger.experiments import open_experiments
from gateway.ledger.postgres import is_postgres
from gateway.ledger.store import LedgerSettings, SqlLedger
from gateway.metrics import WATCH_ENDS, Metrics
from gateway.offload import Offload
from gateway.outlooks import Outlooks
from gateway.prices import PriceBook
from gateway.prompt_history import PromptHistory
from gateway.response_cache import ResponseCache
from gateway.scoring import Scoring, open_scoring
from gateway.settings import Config, LimitsConfig
from gateway.switch import KillSwitch
from gateway.texts import Texts
from gateway.tracing.tracer import Tracer
from gateway.types import Cache, Ledger, Upstream
from gateway.upstreams.dial import Limits
from gateway.upstreams.exchange import Timeouts
from gateway.upstreams.http import HttpUpstream
from gateway.upstreams.litellm import LitellmUpstream
from gateway.upstreams.litellm import load as load_litellm
from gateway.upstreams.providers import origin_of
from gateway.upstreams.settings import UpstreamConfig
from gateway.warming import Indifferent, warm_up
from policies.match import PolicySet
from policies.schema import Mode
from policies.watch import PolicySource, watch

logger = logging.getLogger(__name__)

POLL_S = 2.0
"""How often the policy file and the kill switch are looked at."""
MEMO_SHARE = 0.5
"""Of the in-process cache's bytes: finished texts and analyses, half each. The rest: scores and pins."""
MIRROR_BYTES = 4 << 20
"""Beside it: pins and finished texts of mirrored requests."""


@dataclass(frozen=True, slots=True)
class Services:
    """One process's parts, each behind its seam."""

    config: Config
    secret: Secret
    switch: KillSwitch
    policies: PolicySource
    upstreams: dict[str, Upstream]
    engine: Scoring
    compressor: Compressor
    conversations: Conversations
    chains: Chains
    pins: Pins
    texts: Texts
    responses: ResponseCache
    access: Gate
    ledger: Ledger
    prices: PriceBook
    offload: Offload
    history: PromptHistory
    shared: TieredCache | None = None
    """The cache that replicas share, where there is one; how it is."""
    admission: Admission = field(default_factory=lambda: Admission(LimitsConfig()))
    metrics: Metrics = field(default_factory=Metrics)
    outlooks: Outlooks = field(default_factory=Outlooks)
    call_tokens: CallTokens = field(default_factory=CallTokens)
    echoes: Echoes | None = None
    """What tells requests that were there before; None: nobody listens."""
    mirror: Backstage | None = None
    """Where requests are mirrored; None: nowhere."""
    rollbacks: Rollbacks = field(default_factory=lambda: Rollbacks(lambda: PolicySet((), "nowhere")))
    keeper: Keeper | None = None
    """Where requests are kept for `pith replay`."""
    tracer: Tracer | None = None
    """Where traces are configured."""

    @property
    def kill_mode(self) -> Mode:
        """No request is treated more strongly than this."""
        return self.switch.mode

    @property
    def deadline_s(self) -> float:
        """Most a request waits for scores."""
        return self.config.compressor.deadline_ms / 1e3

    @property
    def patience_s(self) -> float:
        """Most a request waits for its turn to be compressed."""
        return patience_s(self.config.timeouts.queue_s, self.deadline_s)

    @property
    def hold_s(self) -> float:
        """Most a request is held before it goes on as it came, whatever takes so long."""
        return self.deadline_s + self.config.timeouts.queue_s

    @property
    def cache_wait_s(self) -> float:
        """Most a request waits for all answers of a shared cache together."""
        return REQUEST_COMMANDS * self.config.cache_timeout_ms / 1e3

    @property
    def routes_by_model(self) -> bool:
        """Whether a request's body has to be read to know where it goes."""
        return any(route.model is not None for route in self.config.routes)

    def device_s(self, n_tokens: int) -> float:
        """What scoring that many tokens takes of a device: their share of all it has done so far."""
        if not n_tokens:
            return 0.0
        vitals = self.engine.vitals().values()
        n_scored = sum(one.n_scored for one in vitals)
        return n_tokens * sum(one.busy_s for one in vitals) / n_scored if n_scored else 0.0

    def asks_usage(self, path: str, model: str | None) -> bool:
        """Whether the upstream takes `stream_options`."""
        return self.config.upstreams[self.config.upstream_for(path, model)].ask_usage

    def degraded(self) -> list[str]:
        """What is down although requests pass, one line each; empty when all is well."""
        return [f"{name}: {trouble}" for name, trouble in self.troubles() if trouble]

    def troubles(self) -> tuple[tuple[str, str | None], ...]:
        """Every part that may be down, with what is wrong or None."""
        return (
            ("scorer", self.engine.degraded),
            ("ledger", self.ledger.degraded),
            ("cache", self.shared.degraded if self.shared else None),
            ("keys", self.access.keys_degraded),
            ("limits", self.access.limits_degraded),
            ("prices", self.prices.problem),
            ("policies", self.policies.problem),
            ("configuration", self.switch.problem),
        )


def prepare(config: Config) -> Scorer | None:
    """The configured scorer, as `load` gives it; None where a remote one is configured."""
    if config.compressor.remote is None:
        return load(config)
    _load_tables(config)
    warm_up(Indifferent())
    if open_policies(config).current.names_compat:
        raise ParamsError("a policy asks for fidelity compat, which compressor.remote cannot: use native")
    return None


def load(config: Config) -> Scorer:
    """The configured scorer, to be closed; and all that is slow the first time. Raises ModelError, or
    ParamsError where a policy asks what the scorer cannot do."""
    _load_tables(config)
    scorer = place(config.compressor.placement)
    try:
        for replica in by_device(scorer).values():
            warm_up(replica)
        if open_policies(config).current.names_compat:
            vocabulary_of(scorer)
    except BaseException:
        close(scorer)
        raise
    return scorer


def _load_tables(config: Config) -> None:
    """What is slow the first time, but for the scorer."""
    lexicon.load()  # first: what it takes for a moment, the vocabulary then fills
    counter(DEFAULT_ENCODING)
    if any(upstream.kind == "litellm" for upstream in config.upstreams.values()):
        load_litellm()


@asynccontextmanager
async def open_services(
    config: Config,
    scorer: Scorer | None,
    read_mode: Callable[[], Mode],
    *,
    poll_s: float = POLL_S,
    cache: Cache | None = None,
) -> AsyncIterator[Services]:
    """Open all parts; on leaving close them in reverse, the ledger last, so that nothing is lost.

    `cache` takes the place of the configured one.
    """
    async with AsyncExitStack() as stack:
        beside = None if is_postgres(config.ledger) else sqlite_path(config.ledger)
        secret = load_secret(os.environ, beside, is_shared=config.cache is not None)
        policies = open_policies(config)
        ledger = SqlLedger(config.ledger, LedgerSettings(retention_days=config.ledger_retention_days))
        ledger.start()
        stack.push_async_callback(ledger.aclose)
        tracer = _open_tracer(config)
        if tracer is not None:
            stack.push_async_callback(tracer.aclose)
        access = await stack.enter_async_context(open_gate(config, secret, ledger))
        prices = PriceBook(own=config.prices)
        prices.load_or_say()
        offload = Offload()
        stack.callback(offload.close)
        engine = await stack.enter_async_context(open_scoring(config.compressor, scorer, offload))
        upstreams = _open_upstreams(config)
        for upstream in upstreams.values():
            stack.push_async_callback(upstream.aclose)
        switch, metrics = KillSwitch(config.mode, read_mode), Metrics()
        memo_bytes = int(config.cache_max_bytes * MEMO_SHARE)
        local = MemoryCache(config.cache_max_bytes - memo_bytes, time.monotonic)
        shared = await _open_shared(stack, config, local, secret)
        admission, rollbacks = Admission(config.limits), Rollbacks(lambda: policies.current)
        watches = {
            "garbage": collect_between_requests(lambda: admission.in_flight == 0),
            "policies": watch(policies, poll_s, lambda: _say(policies)),
            "mode": _watch_mode(switch, poll_s),
            "scorer": _watch_scorer(engine, poll_s),
            "keys": access.watch(poll_s),
            "experiments": await _open_watch(rollbacks, config, poll_s),
        }
        if shared is not None:
            watches["cache"] = shared.keep_up()
        for name, work in watches.items():
            task = asyncio.create_task(work, name=f"watch of {name}")
            task.add_done_callback(partial(tell_end, metrics, name))
            stack.callback(task.cancel)
        if cache is None:  # an empty one is false
            cache = shared or local
        memo: Cache = MemoryCache(memo_bytes // 2, time.monotonic)
        native = CachedCompressor(engine, cache, Analyses(memo_bytes // 2), secret, offload)
        compressor = CompatCompressor(engine, native, cache, secret, offload)
        pins = Pins(cache, secret, offload)
        keeper = Keeper(kept_folder(config.kept_texts, beside), secret, config.kept_texts)
        keeper.start()
        stack.push_async_callback(keeper.aclose)
        mirror = _open_mirror(config, secret, access, compressor, offload)
        stack.push_async_callback(mirror.aclose)
        yield Services(
            config=config,
            secret=secret,
            switch=switch,
            policies=policies,
            upstreams=upstreams,
            engine=engine,
            compressor=compressor,
            conversations=Conversations(cache, secret, offload),
            chains=Chains(cache, secret),
            pins=pins,
            texts=Texts(compressor, memo, pins, secret, offload),
            responses=ResponseCache(cache, secret, offload, time.time),
            access=access,
            ledger=ledger,
            prices=prices,
            offload=offload,
            history=PromptHistory(cache, secret, time.time),
            admission=admission,
            metrics=metrics,
            shared=shared,
            echoes=Echoes(cache, secret, offload),
            mirror=mirror,
            keeper=keeper,
            rollbacks=rollbacks,
            tracer=tracer,
        )


async def _open_watch(rollbacks: Rollbacks, config: Config, poll_s: float) -> Coroutine[Any, Any, None]:
    """What holds is known before anything is served."""
    turn = os.getpid() % config.workers  # mostly they differ, and nothing is wrong where they do not
    books = open_experiments(config.ledger)
    experiments = Watch(rollbacks, books, n_sharing=config.workers, turn=turn)
    await experiments.read()
    return experiments.run(poll_s)


async def _open_shared(
    stack: AsyncExitStack, config: Config, local: MemoryCache, secret: Secret
) -> TieredCache | None:
    if config.cache is None:
        return None
    from gateway.cache.shared import open_shared

    return await stack.enter_async_context(
        open_shared(config.cache, local, secret, config.cache_timeout_ms / 1e3)
    )


def _open_mirror(
    config: Config, secret: Secret, access: Gate, compressor: Compressor, offload: Offload
) -> Backstage:
    """Pins and finished texts of mirrored requests are their own; scores are everybody's."""
    own = MemoryCache(MIRROR_BYTES, time.monotonic)
    texts = Texts(compressor, own, Pins(own, secret, offload), secret, offload)
    n_sharing = config.workers if config.cache is None else 1
    spent_since = open_experiments(config.ledger).mirror_usd
    return Backstage(texts, access.counters, spent_since, n_sharing=n_sharing)


def _open_tracer(config: Config) -> Tracer | None:
    """Raises ConfigError where traces are asked for and OpenTelemetry is not installed."""
    if config.tracing.endpoint is None:
        return None
    try:
        from gateway.tracing.exporting import open_tracing
    except ModuleNotFoundError as error:
        raise ConfigError(
            "tracing.endpoint: traces need OpenTelemetry: pip install 'pith-gateway[otel]', or leave it out"
        ) from error
    return open_tracing(config.tracing)


def _open_upstreams(config: Config) -> dict[str, Upstream]:
    given = config.timeouts
    timeouts = Timeouts(given.connect_s, given.first_byte_s, given.stream_idle_s, given.queue_s)
    return {name: _open_upstream(name, upstream, timeouts) for name, upstream in config.upstreams.items()}


def _open_upstream(name: str, config: UpstreamConfig, timeouts: Timeouts) -> Upstream:
    key = None if config.key is None else config.key.get_secret_value()
    limits = Limits(
        config.max_in_flight, config.retries.connect, config.retries.budget, config.allow_addresses
    )
    if config.provider is None:
        return HttpUpstream(config.url, key, name=name, timeouts=timeouts, limits=limits)
    origin = origin_of(config.provider, config.url or None)
    wire = HttpUpstream(origin, None, name=name, timeouts=timeouts, limits=limits)
    return LitellmUpstream(config.provider, key or "", wire, url=config.url or None, name=name)


def tell_end(metrics: Metrics, name: str, task: asyncio.Task[None]) -> None:
    """A watch ends when it is cancelled; any other end means that changes go unnoticed from here on."""
    if not task.cancelled() and (error := task.exception()) is not None:
        metrics.add(WATCH_ENDS, (name,))
        logger.critical(
            "the %s has ended, restart Pith: %s", task.get_name(), type(error).__name__, exc_info=error
        )


async def _watch_mode(switch: KillSwitch, poll_s: float) -> None:
    while True:
        await asyncio.sleep(poll_s)
        await asyncio.to_thread(switch.reload)


async def _watch_scorer(engine: Scoring, poll_s: float) -> None:
    """Say in the log when the scorer fails and when it is well again."""
    trouble: str | None = None
    while True:
        await asyncio.sleep(poll_s)
        before, trouble = trouble, engine.degraded
        if trouble and trouble != before:
            logger.error("scorer degraded, texts go on whole: %s", trouble)
        elif before and not trouble:
            logger.info("scorer answers again")


def _say(policies: PolicySource) -> None:
    if policies.problem:
        logger.error("policies not reloaded, the last good ones stay in force: %s", policies.problem)
    else:
        logger.info("policies reloaded: %d policies", len(policies.current.policies))

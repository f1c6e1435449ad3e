"""What can be read off a running process at any moment: gauges, and counts kept by the parts themselves."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final, TypeAlias, get_args

from compressor.analysis import ENGINE_EPOCH
from gateway import metrics
from gateway.cache.tiered import TieredCache
from gateway.log_writer import LineWriter
from gateway.metrics import Key, Labels, Metric, Snapshot
from gateway.services import Services
from gateway.upstreams.http import HttpUpstream
from policies.schema import Mode

PACKAGE: Final = "pith-gateway"
VERSION: Final = version(PACKAGE)

Sample: TypeAlias = tuple[Metric, Labels, float]

_STATM: Final = Path("/proc/self/statm")
_DESCRIPTORS: Final = Path("/proc/self/fd")


def observe(services: Services, log: LineWriter | None = None, n_tasks: int | None = None) -> Snapshot:
    """What was counted, and what is. From any thread; `n_tasks` only the event loop's own knows."""
    counted = services.metrics.snapshot()
    counters: dict[Key, float] = {}
    gauges: dict[Key, float] = {}
    for samples in (_of_parts(services), _of_process(log)):
        for metric, labels, value in samples:
            (counters if metric.kind == "counter" else gauges)[metric.name, labels] = value
    if n_tasks is not None:
        gauges[metrics.TASKS.name, ()] = n_tasks
    return counted.plus(Snapshot(counters, gauges))


def _of_parts(services: Services) -> Iterator[Sample]:
    for part, trouble in services.troubles():
        yield metrics.DEGRADED, (part,), float(trouble is not None)
    for mode in get_args(Mode):
        yield metrics.MODE, (mode,), float(mode == services.kill_mode)
    yield metrics.INFO, (VERSION, str(ENGINE_EPOCH), services.engine.fingerprint), 1.0
    for name, upstream in services.upstreams.items():
        if isinstance(upstream, HttpUpstream):
            yield metrics.UPSTREAM_IN_FLIGHT, (name,), upstream.n_in_flight
            yield metrics.UPSTREAM_IDLE, (name,), upstream.n_idle
            yield metrics.UPSTREAM_SHUT, (name,), float(upstream.is_shut)
    for device, vitals in services.engine.vitals().items():
        yield metrics.SCORER_QUEUE, (device,), vitals.n_tokens
        yield metrics.SCORER_AGE, (device,), vitals.age_s
        yield metrics.SCORER_BOUND, (device,), vitals.batch_bound
        yield metrics.SCORER_FAILED, (device,), vitals.n_failed
        yield metrics.SCORER_RESTARTS, (device,), vitals.n_restarts
    yield metrics.UNRECORDED, (), services.pins.n_unrecorded
    if services.keeper is not None:
        for outcome in ("kept", "dropped", "failed"):
            yield metrics.KEPT_TEXTS, (outcome,), getattr(services.keeper.counts, outcome)
    if services.mirror is not None:
        yield metrics.MIRROR_JOBS, (), services.mirror.jobs.n_under_way
    if services.shared is not None:
        yield from _of_shared(services.shared)
    yield metrics.IN_FLIGHT, (), services.admission.in_flight
    yield metrics.COMPRESSING, (), services.admission.compressing
    yield metrics.REFUSED, (), services.admission.refused
    yield metrics.LEDGER_QUEUE, (), services.ledger.waiting
    spooled = services.ledger.spooled
    yield metrics.LEDGER_SPOOL_ROWS, (), spooled.rows
    yield metrics.LEDGER_SPOOL_BYTES, (), spooled.bytes
    yield metrics.LEDGER_DROPPED, (), services.ledger.dropped
    yield metrics.FEEDBACK, ("repeated",), services.ledger.repeated
    if services.tracer is not None:
        for outcome in ("sent", "failed", "dropped"):
            yield metrics.TRACES, (outcome,), getattr(services.tracer.counts, outcome)


def _of_shared(cache: TieredCache) -> Iterator[Sample]:
    counts, commands = cache.counts, cache.commands
    yield metrics.SHARED_KEYS, ("process",), counts.local_hits
    yield metrics.SHARED_KEYS, ("redis",), counts.shared_hits
    yield metrics.SHARED_KEYS, ("miss",), counts.misses
    for outcome in ("answered", "failed", "refused", "skipped"):
        yield metrics.SHARED_COMMANDS, (outcome,), getattr(commands, outcome)
    yield metrics.SHARED_LOST, (), counts.lost
    yield metrics.SHARED_UNOPENED, (), cache.n_unopened


def _of_process(log: LineWriter | None) -> Iterator[Sample]:
    yield metrics.WORKERS, (), 1.0
    if log is not None:
        yield metrics.LOG_DROPPED, (), log.dropped
    yield metrics.CPU_SECONDS, (), time.process_time()
    if _STATM.exists():  # Linux
        yield metrics.MEMORY_BYTES, (), int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        yield metrics.OPEN_FILES, (), len(os.listdir(_DESCRIPTORS))
    for generation, stats in enumerate(gc.get_stats()):
        yield metrics.GC_COLLECTIONS, (str(generation),), stats["collections"]

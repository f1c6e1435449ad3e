"""What is counted, and the counts of this process (no I/O). docs/metrics.md describes every metric.

A request costs some 3 microseconds (prometheus_client's own children would take twice that): a sample is a
number under (metric, label values), written by the event loop alone. `Snapshot` is the counts at one moment:
those of several workers, and of a worker and the one it replaces, add up. Names that come from outside are
labels only while they are few: the rest is `other`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from gateway.types import Entry

OTHER: Final = "other"
NONE: Final = "none"
MAX_NAMES: Final = 100

FAST: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
SLOW: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)

Labels: TypeAlias = tuple[str, ...]
Key: TypeAlias = tuple[str, Labels]
"""A metric's name and the values of its labels."""


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """One thing that is counted; compared by identity, which is what makes it a quick key."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    """Of a histogram's buckets, in seconds; the last bucket has none."""
    merge: Literal["sum", "max"] = "sum"
    """How gauges of several workers become one."""


def _counter(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, "counter", text, labels)


def _gauge(name: str, text: str, *labels: str, merge: Literal["sum", "max"] = "sum") -> Metric:
    return Metric(name, "gauge", text, labels, merge=merge)


def _histogram(name: str, text: str, *labels: str, bounds: tuple[float, ...]) -> Metric:
    return Metric(name, "histogram", text, labels, bounds)


REQUESTS = _counter(
    "pith_requests_total", "Requests that ended", "kind", "upstream", "policy", "mode", "status"
)
SKIPS = _counter("pith_skips_total", "Requests of which nothing was compressed", "policy", "skip")
INCOMPLETE = _counter("pith_incomplete_total", "Answers broken off by client or upstream", "kind", "upstream")
ORIGIN_TOKENS = _counter("pith_origin_tokens_total", "Prompt tokens as they came", "policy", "mode")
COMPRESSED_TOKENS = _counter(
    "pith_compressed_tokens_total", "The same prompts' tokens compressed", "policy", "mode"
)
USAGE_TOKENS = _counter("pith_usage_tokens_total", "Tokens by the upstream's own count", "upstream", "type")
COST_USD = _counter("pith_cost_usd_total", "What upstreams bill, where a price is known", "upstream")
SAVED_USD = _counter("pith_saved_usd_total", "Sum of the savings above zero", "policy")
LOST_USD = _counter("pith_lost_usd_total", "Sum of the savings below zero, as a positive number", "policy")
UNPRICED = _counter("pith_unpriced_total", "Requests with usage whose model has no known price", "upstream")
SCORES = _counter("pith_scores_total", "Requests that needed scores, by what was on record", "result")
GIVEN_AGAIN = _counter("pith_answers_given_again_total", "Requests answered from the record", "policy")
FEEDBACK = _counter("pith_feedback_total", "Feedback on answers, by what became of it", "outcome")
MIRRORED = _counter(
    "pith_mirror_total", "Requests sampled to be mirrored, by what came of it", "policy", "outcome"
)
MIRROR_USD = _counter(
    "pith_mirror_usd_total", "What mirrored requests and their judge cost", "policy", "part"
)
ADDED_SECONDS = _histogram(
    "pith_added_seconds",
    "Time a request spent in Pith before it went on, reading it apart",
    "kind",
    bounds=FAST,
)
COMPRESS_SECONDS = _histogram("pith_compress_seconds", "Time spent on finishing texts", bounds=FAST)
FIRST_BYTE_SECONDS = _histogram(
    "pith_first_byte_seconds", "Time to the first byte of the upstream's answer", "upstream", bounds=SLOW
)
REQUEST_SECONDS = _histogram("pith_request_seconds", "Time of a request, whole", "kind", bounds=SLOW)

KEPT_TEXTS = _counter("pith_kept_texts_total", "Requests to be kept for replays, by outcome", "outcome")
MIRROR_JOBS = _gauge("pith_mirror_jobs", "Mirrored requests under way or waiting")
SCORER_QUEUE = _gauge("pith_scorer_queue_tokens", "Tokens that wait for scores or get some", "device")
SCORER_AGE = _gauge(
    "pith_scorer_queue_age_seconds",
    "How long somebody waits for a turn or a batch lasts",
    "device",
    merge="max",
)
SCORER_BOUND = _gauge(
    "pith_scorer_batch_limit_tokens", "Most tokens of a batch that memory takes", "device", merge="max"
)
SCORER_FAILED = _counter("pith_scorer_failed_chunks_total", "Windows of text that got no scores", "device")
SCORER_RESTARTS = _counter("pith_scorer_restarts_total", "Processes of the scorer started again", "device")
UNRECORDED = _counter("pith_unrecorded_total", "Requests with an earlier answer and no decision on record")
SHARED_KEYS = _counter("pith_shared_cache_keys_total", "Keys looked up, by where they were found", "result")
SHARED_COMMANDS = _counter("pith_shared_cache_commands_total", "Commands to Redis by outcome", "outcome")
SHARED_LOST = _counter("pith_shared_cache_lost_total", "Values in use that Redis had no more")
SHARED_UNOPENED = _counter(
    "pith_shared_cache_unopened_total", "Values in Redis that Pith had not sealed there"
)

EXPERIMENT_UNITS = _gauge("pith_experiment_units", "Units on record", "policy", "arm", merge="max")
EXPERIMENT_STATE = _gauge(
    "pith_experiment_state", "1 for the state an experiment is in", "policy", "state", merge="max"
)
EXPERIMENT_VERDICT = _gauge(
    "pith_experiment_verdict", "1 for what the figures say", "policy", "verdict", merge="max"
)
EXPERIMENT_ALARM = _gauge(
    "pith_experiment_sample_ratio_alarm", "1 where units fell otherwise than dealt", "policy", merge="max"
)
ROLLBACKS = _counter("pith_experiment_rollbacks_total", "Rollbacks on record", "policy")

IN_FLIGHT = _gauge("pith_in_flight", "Requests begun and not ended")
COMPRESSING = _gauge("pith_compressing", "Requests being compressed")
REFUSED = _counter("pith_refused_total", "Requests refused for too many in flight")
UPSTREAM_IN_FLIGHT = _gauge("pith_upstream_in_flight", "Requests and tunnels under way with it", "upstream")
UPSTREAM_IDLE = _gauge("pith_upstream_idle_connections", "Connections kept for the next request", "upstream")
UPSTREAM_SHUT = _gauge(
    "pith_upstream_shut", "1 while it is left alone for not taking connections", "upstream", merge="max"
)
WATCH_ENDS = _counter("pith_watch_ends_total", "Watches that ended by a fault; restart Pith", "watch")
LOOP_LAG_SECONDS = _histogram("pith_loop_lag_seconds", "How late a timer of the event loop is", bounds=FAST)
LOG_DROPPED = _counter("pith_log_dropped_total", "Lines of the log that were not written")
LEDGER_QUEUE = _gauge("pith_ledger_queue_rows", "Rows waiting to be written")
LEDGER_SPOOL_ROWS = _gauge("pith_ledger_spool_rows", "Rows on disk that the ledger did not take", merge="max")
LEDGER_SPOOL_BYTES = _gauge("pith_ledger_spool_bytes", "What these rows take there", merge="max")
LEDGER_DROPPED = _counter("pith_ledger_dropped_total", "Rows of the ledger that were lost")
TRACES = _counter("pith_traces_total", "Traces of requests, by what became of them", "outcome")
DEGRADED = _gauge("pith_degraded", "1 for a part that is down although requests pass", "part", merge="max")
MODE = _gauge("pith_mode", "1 for the mode in force", "mode", merge="max")
WORKERS = _gauge("pith_workers", "Processes that serve")
INFO = _gauge("pith_info", "1; what runs", "version", "engine_epoch", "fingerprint", merge="max")
GC_COLLECTIONS = _counter("pith_gc_collections_total", "Garbage collections", "generation")
CPU_SECONDS = _counter("pith_cpu_seconds_total", "Processor time")
MEMORY_BYTES = _gauge("pith_memory_bytes", "Resident memory")
TASKS = _gauge("pith_tasks", "Tasks of the event loop")
OPEN_FILES = _gauge("pith_open_files", "Open file descriptors, connections among them")

TABLE: Final[dict[str, Metric]] = {
    metric.name: metric for metric in list(globals().values()) if isinstance(metric, Metric)
}
"""Every metric by its name."""


@dataclass(slots=True)
class Histogram:
    """Observations by bucket, each counted in one."""

    counts: list[int]
    total: float = 0.0

    def plus(self, other: Histogram) -> Histogram:
        counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        return Histogram(counts, self.total + other.total)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Counts at one moment. Gauges are of that moment, the others of all time."""

    counters: dict[Key, float] = field(default_factory=dict)
    gauges: dict[Key, float] = field(default_factory=dict)
    histograms: dict[Key, Histogram] = field(default_factory=dict)

    def plus(self, other: Snapshot) -> Snapshot:
        """Both together."""
        counters, gauges, histograms = dict(self.counters), dict(self.gauges), dict(self.histograms)
        for key, value in other.counters.items():
            counters[key] = counters.get(key, 0.0) + value
        for key, value in other.gauges.items():
            is_max = TABLE[key[0]].merge == "max"
            gauges[key] = max(gauges.get(key, value), value) if is_max else gauges.get(key, 0.0) + value
        for key, histogram in other.histograms.items():
            mine = histograms.get(key)
            histograms[key] = histogram if mine is None else mine.plus(histogram)
        return Snapshot(counters, gauges, histograms)

    def without_gauges(self) -> Snapshot:
        """What stays of a process that is gone."""
        return Snapshot(self.counters, {}, self.histograms)

    def to_json(self) -> list[list[Any]]:
        """As `from_json` reads it."""
        simple = [[name, labels, value] for (name, labels), value in {**self.counters, **self.gauges}.items()]
        rest = [[name, labels, [h.counts, h.total]] for (name, labels), h in self.histograms.items()]
        return simple + rest

    @classmethod
    def from_json(cls, samples: Iterable[Sequence[Any]]) -> Snapshot:
        """Read back; samples of metrics this version does not know are left out."""
        read = cls()
        for name, labels, value in samples:
            if (metric := TABLE.get(name)) is None:
                continue
            key = (name, tuple(labels))
            if metric.kind == "histogram":
                read.histograms[key] = Histogram(value[0], value[1])
            else:
                (read.counters if metric.kind == "counter" else read.gauges)[key] = value
        return read


class Metrics:
    """The counts of this process."""

    def __init__(self) -> None:
        self._counters: dict[tuple[Metric, Labels], float] = {}
        self._histograms: dict[tuple[Metric, Labels], Histogram] = {}
        self._policies, self._skips = _Names(), _Names()

    def add(self, metric: Metric, labels: Labels = (), n: float = 1.0) -> None:
        """Count `n` more."""
        key = (metric, labels)
        self._counters[key] = self._counters.get(key, 0.0) + n

    def observe(self, metric: Metric, seconds: float, labels: Labels = ()) -> None:
        """One more duration."""
        histogram = self._histograms.get((metric, labels))
        if histogram is None:
            histogram = Histogram([0] * (len(metric.bounds) + 1))
            self._histograms[(metric, labels)] = histogram
        histogram.counts[bisect_left(metric.bounds, seconds)] += 1
        histogram.total += seconds

    def count(self, entry: Entry, upstream: str, kind: str) -> None:
        """One request that ended."""
        policy = self._policies.known(entry.policy)
        self.add(REQUESTS, (kind, upstream, policy, entry.mode, f"{entry.status // 100}xx"))
        if entry.skip is not None:
            self.add(SKIPS, (policy, self._skips.known(entry.skip)))
        if not entry.is_complete:
            self.add(INCOMPLETE, (kind, upstream))
        if entry.cache == "response":
            self.add(GIVEN_AGAIN, (policy,))
            self._count_saving(entry, policy)
        elif entry.cache is not None:
            self.add(SCORES, (entry.cache,))
        self._count_tokens(entry, upstream, policy)
        self._observe_stages(entry, upstream, kind)

    def snapshot(self) -> Snapshot:
        """The counts as they are."""
        return Snapshot(
            counters={(metric.name, labels): n for (metric, labels), n in list(self._counters.items())},
            histograms={
                (metric.name, labels): Histogram(list(histogram.counts), histogram.total)
                for (metric, labels), histogram in list(self._histograms.items())
            },
        )

    def _count_tokens(self, entry: Entry, upstream: str, policy: str) -> None:
        if entry.origin_tokens is not None and entry.compressed_tokens is not None and entry.status < 400:
            self.add(ORIGIN_TOKENS, (policy, entry.mode), entry.origin_tokens)
            self.add(COMPRESSED_TOKENS, (policy, entry.mode), entry.compressed_tokens)
        if (usage := entry.usage) is None:
            return
        for kind, n_tokens in (
            ("prompt", usage.prompt_tokens),
            ("completion", usage.completion_tokens),
            ("cached", usage.cached_tokens),
            ("cache_write", usage.cache_write_tokens),
            ("reasoning", usage.reasoning_tokens),
        ):
            if n_tokens > 0:
                self.add(USAGE_TOKENS, (upstream, kind), n_tokens)
        if entry.cost_usd is None:
            self.add(UNPRICED, (upstream,))
        else:
            self.add(COST_USD, (upstream,), entry.cost_usd)
        self._count_saving(entry, policy)

    def _count_saving(self, entry: Entry, policy: str) -> None:
        if entry.saved_usd:
            metric = SAVED_USD if entry.saved_usd > 0 else LOST_USD
            self.add(metric, (policy,), abs(entry.saved_usd))

    def _observe_stages(self, entry: Entry, upstream: str, kind: str) -> None:
        ms = entry.timing_ms
        total = ms.get("total", 0.0)
        added = total - ms.get("upstream", 0.0) - ms.get("read", 0.0)
        self.observe(REQUEST_SECONDS, total / 1e3, (kind,))
        self.observe(ADDED_SECONDS, max(0.0, added) / 1e3, (kind,))
        if "compress" in ms:
            self.observe(COMPRESS_SECONDS, ms["compress"] / 1e3)
        if "first_byte" in ms:
            self.observe(FIRST_BYTE_SECONDS, ms["first_byte"] / 1e3, (upstream,))


class _Names:
    """Names from outside as labels: the first MAX_NAMES, then `other`."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def known(self, name: str | None) -> str:
        if name is None:
            return NONE
        if name not in self._known:
            if len(self._known) >= MAX_NAMES:
                return OTHER
            self._known.add(name)
        return name

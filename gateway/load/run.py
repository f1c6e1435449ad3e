"""Runs every case at every number of connections: straight to the upstream, through Pith, and through any
other gateway that was named, all in one run.

The gateway has a core of its own where there are two; upstream and load share the other. A case is sent to
each in turn, so that what else the machine does falls on all of them alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import uvloop

from gateway.load.cases import Case, Headers
from gateway.load.generator import WARM_UP_S, Sample, load
from gateway.load.processes import Gateway

FIRST_S = 0.5
FIRST_TRIES = 20


@dataclass(frozen=True, slots=True)
class Target:
    """Something to send a case to."""

    gateway: Gateway
    headers: Headers = ()
    model: str | None = None
    may_finish_nothing: bool = False
    """Somebody else's gateway may be too slow for a case; then its row is empty."""

    def requests(self, case: Case) -> list[bytes]:
        """The case's requests as this target wants them."""
        return case.requests(self.headers, self.model) if self.model else case.requests(self.headers)


@dataclass(frozen=True, slots=True)
class Row:
    """One case at one number of connections to one target. Milliseconds, microseconds, MiB."""

    case: str
    connections: int
    target: str
    per_second: float
    events_per_second: float
    n_events: int
    p50_ms: float | None
    p99_ms: float | None
    first_byte_p50_ms: float | None
    cpu_us: float | None
    """Processor time of the gateway a request; None when it is not ours to look at."""
    resident_mib: float | None


def run(
    targets: Sequence[Target],
    cases: Sequence[Case],
    connections: Sequence[int],
    seconds: float,
    tell: Callable[[str], None],
) -> Iterator[Row]:
    """A row for every case, number of connections and target. Raises RuntimeError for answers but 200."""
    for case in cases:
        sent = {target.gateway.name: target.requests(case) for target in targets}
        for target in targets:
            _warm_up(target, case, target.requests(replace(case, is_paced=False)))
        for n_connections in connections:
            for target in targets:
                tell(f"{case.name}, {n_connections} connections: {target.gateway.name}")
                yield _measure(target, case, sent[target.gateway.name], n_connections, seconds)


def _warm_up(target: Target, case: Case, requests: Sequence[bytes]) -> None:
    """Every text seen once, connections pooled; some gateways load half of themselves at first use."""
    for _ in range(FIRST_TRIES):
        sample = uvloop.run(load(target.gateway.url, requests, 1, FIRST_S))
        if len(sample.latencies_s) >= len(requests):
            return
    _check(target.gateway, case, sample)


def _measure(
    target: Target, case: Case, requests: Sequence[bytes], n_connections: int, seconds: float
) -> Row:
    gateway = target.gateway
    before = gateway.cpu_s()
    sample = uvloop.run(load(gateway.url, requests, n_connections, seconds))
    after = gateway.cpu_s()
    if sample.latencies_s or not target.may_finish_nothing:
        _check(gateway, case, sample)
    # The processor was taken during the warm-up as well: it is counted with its share of the answers.
    share = sample.seconds / (sample.seconds + WARM_UP_S)
    took = (after - before) * share if before is not None and after is not None else None
    return Row(
        case=case.name,
        connections=n_connections,
        target=gateway.name,
        per_second=sample.per_second,
        events_per_second=sample.events_per_second,
        n_events=sample.n_events,
        p50_ms=_at(sample.latencies_s, 0.5),
        p99_ms=_at(sample.latencies_s, 0.99),
        first_byte_p50_ms=_at(sample.first_bytes_s, 0.5),
        cpu_us=took / len(sample.latencies_s) * 1e6 if took is not None and sample.latencies_s else None,
        resident_mib=gateway.resident_mib(),
    )


def _check(gateway: Gateway, case: Case, sample: Sample) -> None:
    if not sample.latencies_s:
        raise RuntimeError(f"{gateway.name} finished no request of {case.name}: give it more --seconds")
    if set(sample.statuses) != {200}:
        raise RuntimeError(f"{gateway.name} answered {case.name} with {sample.statuses}: nothing to measure")


def _at(seconds: Sequence[float], share: float) -> float | None:
    """In milliseconds; None of none."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3 if ordered else None

"""What the ledger takes to fill and to report: rows of a made-up month, the same every time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from gateway.ledger.opening import Database
from gateway.ledger.report import report_rows, unpriced_models
from gateway.ledger.rollup import insert_rows
from gateway.ledger.schema import to_row
from gateway.types import Entry, Usage

BATCH_ROWS: Final = 2_000
DAYS: Final = 90
DAY_S: Final = 86_400
BEGIN: Final = 1_790_035_200.0  # a midnight
END: Final = BEGIN + DAYS * DAY_S
QUERIES: Final[dict[str, tuple[str, float | None]]] = {
    "by day": ("day", None),
    "by model": ("model", None),
    "by key_id": ("key_id", None),
    "by policy, last 30 days": ("policy", END - 30 * DAY_S),
    "by policy, last 36 hours": ("policy", END - 1.5 * DAY_S),
}


@dataclass(frozen=True, slots=True)
class Timed:
    """What one step took."""

    name: str
    wall_s: float
    cpu_s: float
    rows: int


def fill(database: Database, n_rows: int, tell: Callable[[int], None] = lambda n: None) -> Timed:
    """Store rows as the gateway does, in larger batches. Raises one of STORE_ERRORS."""
    with database.open_writer() as connection:

        def work() -> int:
            for first in range(0, n_rows, BATCH_ROWS):
                batch = [to_row(one) for one in made_entries(first, min(BATCH_ROWS, n_rows - first), n_rows)]
                insert_rows(connection, batch)
                connection.commit()
                tell(len(batch))
            return n_rows

        return _timed("fill", work)


def ask(database: Database) -> Iterator[Timed]:
    """The reports of QUERIES, each on a connection of its own as the gateway does it."""
    for name, (group_by, since) in QUERIES.items():

        def work(group_by: str = group_by, since: float | None = since) -> int:
            with database.open_reader() as connection:
                unpriced_models(connection, since)
                return len(report_rows(connection, group_by, since))

        yield _timed(name, work)


def made_entries(first: int, n_entries: int, n_rows: int) -> Iterator[Entry]:
    """Entries in the order of their time: 12 models, 40 keys of 8 teams, 4 policies; 8 % negative."""
    random = Random(first)  # noqa: S311 - made up
    for n in range(first, first + n_entries):
        key, origin = random.randrange(40), random.randrange(500, 20_000)
        sent = origin * random.randrange(40, 100) // 100
        cost = sent * 2.5e-6
        yield Entry(
            id=f"bench-{n}",
            created_at=BEGIN + (END - BEGIN) * n / n_rows,
            path="/v1/chat/completions",
            status=200 if random.random() < 0.98 else 429,
            key_id=f"key-{key}",
            team=f"team-{key % 8}",
            model=f"model-{min(int(random.expovariate(0.4)), 11)}",
            policy=f"policy-{key % 4}",
            policy_version="1",
            mode="on",
            origin_tokens=origin,
            compressed_tokens=sent,
            usage=Usage(sent, 300, cached_tokens=sent // 2),
            cost_usd=cost,
            counterfactual_usd=origin * 2.5e-6,
            compression_usd=0.0,
            saved_usd=-1e-4 if random.random() < 0.08 else (origin - sent) * 2.5e-6,
            timing_ms={"read": 0.2, "score": 4.0, "upstream": 900.0},
        )


def _timed(name: str, work: Callable[[], Any]) -> Timed:
    wall, cpu = time.perf_counter(), time.thread_time()
    n_rows = work()
    return Timed(name, time.perf_counter() - wall, time.thread_time() - cpu, n_rows)

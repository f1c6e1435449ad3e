"""What the ledger tells of requests by their ids, and what mirroring has cost."""

from __future__ import annotations

from pathlib import Path

from gateway.experiments.records import JudgeVerdict
from gateway.ledger.experiments import open_experiments
from gateway.ledger.opening import open_database
from gateway.ledger.store import SqlLedger
from gateway.ledger.usages import Used, used_by
from gateway.types import Entry, Usage

USAGE = Usage(100, 5, cached_tokens=64, cache_write_tokens=8, cache_write_1h_tokens=2, service_tier="flex")


async def test_usage_comes_back_as_it_went(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    ledger = SqlLedger(url)
    ledger.start()
    ledger.record(Entry("a", 1.0, "/v1/chat/completions", 200, policy="p", usage=USAGE))
    ledger.record(Entry("b", 2.0, "/v1/chat/completions", 500))
    await ledger.aclose()
    with open_database(url).open_reader() as connection:
        found = used_by(connection, ["a", "b", "c"])
    assert found == {"a": Used(200, "p", USAGE), "b": Used(500, None, None)}


async def test_what_mirroring_cost_is_summed_by_experiment_since_a_moment(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    ledger = SqlLedger(url)
    ledger.start()
    for name, experiment, at, usd in (("a", "x", 10.0, 1.0), ("b", "x", 20.0, 2.0), ("c", "y", 20.0, 4.0)):
        ledger.note(JudgeVerdict(name, experiment, "v", "u", at, "half", "none", usd))
    await ledger.aclose()
    store = open_experiments(url)
    assert await store.mirror_usd(0.0) == {"x": 3.0, "y": 4.0}
    assert await store.mirror_usd(15.0) == {"x": 2.0, "y": 4.0}
    assert await store.mirror_usd(30.0) == {}

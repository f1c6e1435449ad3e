"""gateway.metrics: what a request counts, and how the counts of several processes become one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import metrics
from gateway.metrics import (
    MAX_NAMES,
    TABLE,
    Histogram,
    Key,
    Metrics,
    Snapshot,
)
from gateway.types import Entry, Usage

ENTRY = Entry(
    id="pith-1",
    created_at=0.0,
    path="/v1/chat/completions",
    status=200,
    policy="rag",
    mode="on",
    origin_tokens=1000,
    compressed_tokens=600,
    cache="hit",
    usage=Usage(600, 20, cached_tokens=400),
    cost_usd=0.25,
    saved_usd=0.5,
    timing_ms={"read": 5.0, "compress": 0.4, "upstream": 100.0, "first_byte": 80.0, "total": 106.0},
)


def counted(*entries: Entry) -> dict[Key, float]:
    counts = Metrics()
    for entry in entries:
        counts.count(entry, "openai", "chat")
    return counts.snapshot().counters


def test_what_one_request_counts() -> None:
    assert counted(ENTRY) == {
        ("pith_requests_total", ("chat", "openai", "rag", "on", "2xx")): 1,
        ("pith_scores_total", ("hit",)): 1,
        ("pith_origin_tokens_total", ("rag", "on")): 1000,
        ("pith_compressed_tokens_total", ("rag", "on")): 600,
        ("pith_usage_tokens_total", ("openai", "prompt")): 600,
        ("pith_usage_tokens_total", ("openai", "completion")): 20,
        ("pith_usage_tokens_total", ("openai", "cached")): 400,
        ("pith_cost_usd_total", ("openai",)): 0.25,
        ("pith_saved_usd_total", ("rag",)): 0.5,
    }


def test_an_answer_given_again_needed_no_scores_and_was_not_billed() -> None:
    again = Entry(
        "pith-2", 0.0, "/", 200, policy="rag", mode="on", cache="response", cost_usd=0.0, saved_usd=0.25
    )
    assert counted(again) == {
        ("pith_requests_total", ("chat", "openai", "rag", "on", "2xx")): 1,
        ("pith_answers_given_again_total", ("rag",)): 1,
        ("pith_saved_usd_total", ("rag",)): 0.25,
    }


@pytest.mark.parametrize(
    ("entry", "key", "value"),
    [
        (replace(ENTRY, skip="short"), ("pith_skips_total", ("rag", "short")), 1),
        (replace(ENTRY, is_complete=False), ("pith_incomplete_total", ("chat", "openai")), 1),
        (replace(ENTRY, saved_usd=-0.5), ("pith_lost_usd_total", ("rag",)), 0.5),
        (replace(ENTRY, cost_usd=None, saved_usd=None), ("pith_unpriced_total", ("openai",)), 1),
        (
            replace(ENTRY, policy=None, mode="off", status=499),
            ("pith_requests_total", ("chat", "openai", "none", "off", "4xx")),
            1,
        ),
    ],
)
def test_what_is_out_of_the_ordinary_is_counted(entry: Entry, key: Key, value: float) -> None:
    assert counted(entry)[key] == value


def test_tokens_of_a_refused_request_are_not_counted() -> None:
    names = {name for name, _ in counted(replace(ENTRY, status=429, usage=None))}
    assert names == {"pith_requests_total", "pith_scores_total"}


def test_stages_are_observed_and_waiting_for_others_is_not_ours() -> None:
    counts = Metrics()
    counts.count(ENTRY, "openai", "chat")
    histograms = counts.snapshot().histograms
    assert {name for name, _ in histograms} == {
        "pith_request_seconds",
        "pith_added_seconds",
        "pith_compress_seconds",
        "pith_first_byte_seconds",
    }
    assert histograms["pith_added_seconds", ("chat",)].total == pytest.approx(0.001)
    assert histograms["pith_request_seconds", ("chat",)].total == pytest.approx(0.106)


@pytest.mark.parametrize(("seconds", "bucket"), [(0.0, 0), (0.0001, 0), (0.00011, 1), (1.0, -2), (1.1, -1)])
def test_a_bucket_ends_with_its_bound(seconds: float, bucket: int) -> None:
    counts = Metrics()
    counts.observe(metrics.COMPRESS_SECONDS, seconds)
    [histogram] = counts.snapshot().histograms.values()
    assert histogram.counts[bucket] == sum(histogram.counts) == 1


def test_names_from_outside_make_no_more_series_than_allowed() -> None:
    counts = Metrics()
    for i in range(3 * MAX_NAMES):
        counts.count(replace(ENTRY, policy=f"p{i}", skip=f"s{i}"), "openai", "chat")
    counters = counts.snapshot().counters
    requests = {labels[2] for name, labels in counters if name == "pith_requests_total"}
    assert len(requests) == MAX_NAMES + 1
    assert counters["pith_requests_total", ("chat", "openai", "other", "on", "2xx")] == 2 * MAX_NAMES
    assert len([1 for name, _ in counters if name == "pith_skips_total"]) == MAX_NAMES + 1


def test_a_snapshot_does_not_move() -> None:
    counts = Metrics()
    counts.count(ENTRY, "openai", "chat")
    before = counts.snapshot()
    kept = before.to_json()
    counts.count(ENTRY, "openai", "chat")
    assert before.to_json() == kept


LABELS = st.sampled_from(["a", "b"])
SIMPLE = {
    kind: [metric for metric in TABLE.values() if metric.kind == kind and len(metric.labels) == 1]
    for kind in ("counter", "gauge")
}


def values(kind: str) -> st.SearchStrategy[dict[Key, float]]:
    keys = st.tuples(st.sampled_from([metric.name for metric in SIMPLE[kind]]), st.tuples(LABELS))
    return st.dictionaries(keys, st.integers(0, 1000).map(float))


SNAPSHOTS = st.builds(
    Snapshot,
    values("counter"),
    values("gauge"),
    st.dictionaries(
        st.just(("pith_added_seconds", ("chat",))),
        st.builds(
            Histogram,
            st.lists(st.integers(0, 9), min_size=len(metrics.FAST) + 1, max_size=len(metrics.FAST) + 1),
            st.integers(0, 9).map(float),
        ),
    ),
)


@given(SNAPSHOTS, SNAPSHOTS, SNAPSHOTS)
def test_adding_up_is_in_any_order(one: Snapshot, two: Snapshot, three: Snapshot) -> None:
    assert one.plus(two) == two.plus(one)
    assert one.plus(two).plus(three) == one.plus(two.plus(three))
    assert one.plus(Snapshot()) == one


@given(SNAPSHOTS)
def test_a_snapshot_is_read_back(one: Snapshot) -> None:
    assert Snapshot.from_json(one.to_json()) == one
    assert one.without_gauges().gauges == {}


def test_what_another_version_counts_is_left_out() -> None:
    assert Snapshot.from_json([["pith_future_total", ["x"], 1.0]]) == Snapshot()


def test_gauges_of_parts_that_are_down_are_not_summed() -> None:
    down = Snapshot(gauges={("pith_degraded", ("ledger",)): 1.0, ("pith_in_flight", ()): 2.0})
    both = down.plus(Snapshot(gauges={("pith_degraded", ("ledger",)): 0.0, ("pith_in_flight", ()): 3.0}))
    assert both.gauges == {("pith_degraded", ("ledger",)): 1.0, ("pith_in_flight", ()): 5.0}


def test_every_metric_is_named_by_the_rules() -> None:
    for metric in TABLE.values():
        assert metric.name.startswith("pith_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert bool(metric.bounds) == (metric.kind == "histogram")
        assert list(metric.bounds) == sorted(metric.bounds)

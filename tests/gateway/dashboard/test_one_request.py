"""gateway.dashboard.one_request: a row of the ledger in order, whatever columns it has."""

from __future__ import annotations

from gateway.dashboard.one_request import Fact, one_request
from gateway.ledger.schema import entries, to_row
from gateway.types import Entry


def test_every_column_of_the_ledger_is_shown_once() -> None:
    row = {**to_row(Entry(id="pith-1", created_at=0.0, path="/", status=200)), "timing_ms": {"total": 2.0}}
    page = one_request(row)
    shown = [fact.name for _, facts in page.sections for fact in facts]
    assert sorted([*shown, "id", "day", "timing_ms"]) == sorted(entries.columns.keys())
    assert [(stage.name, stage.value, stage.percent) for stage in page.stages] == [("total", "2.0 ms", 100.0)]


def test_values_are_written_by_what_they_are() -> None:
    said = {"saved_usd": -1.5, "cost_usd": None, "is_streamed": True, "is_complete": False, "status": 200}
    page = one_request({"id": "x", **said, "added_ms": 3.25, "origin_tokens": 1200, "model": "<b>"})
    facts = {fact.name: fact for _, facts in page.sections for fact in facts}
    assert facts["saved_usd"] == Fact("saved_usd", "−$1.50", is_loss=True)
    assert {name: fact.value for name, fact in facts.items() if name != "saved_usd"} == {
        "cost_usd": "–",
        "is_streamed": "yes",
        "is_complete": "no",
        "status": "200",
        "added_ms": "3.2 ms",
        "origin_tokens": "1,200",
        "model": "<b>",
    }
    assert page.stages == ()


def test_columns_of_a_later_version_come_last() -> None:
    page = one_request(
        {"id": "x", "status": 200, "decisions": [{"rule": "rag"}], "timing_ms": {"a": 0.0, "b": "?"}}
    )
    title, facts = page.sections[-1]
    assert (title, facts) == ("More", (Fact("decisions", '[\n  {\n    "rule": "rag"\n  }\n]', is_long=True),))
    assert [stage.percent for stage in page.stages] == [0.0]

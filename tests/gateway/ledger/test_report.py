"""Reports: the database's sums against plain Python's."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

from gateway.ledger.database import open_writer
from gateway.ledger.report import GROUPS, NO_GROUP, report_rows, unpriced_models
from gateway.ledger.rollup import insert_rows
from gateway.ledger.schema import entries, metadata, route_of, to_row
from gateway.types import Entry, ReportRow, Usage

tokens = st.integers(0, 10**6)
names = st.none() | st.sampled_from(["a", "b", "ü", "(none)"])
usages = st.builds(Usage, tokens, tokens, cached_tokens=tokens)
any_entry = st.builds(
    Entry,
    id=st.uuids().map(str),
    created_at=st.floats(0, 400_000),
    path=st.sampled_from(["/v1/x", "/v1/x/abc-123?key=1", "/v1/x/2"]),
    status=st.sampled_from([200, 399, 400, 429, 499]),
    key_id=names,
    team=names,
    model=names,
    policy=names,
    policy_version=names,
    variant=names,
    mode=st.sampled_from(["on", "shadow", "off"]),
    skip=names,
    origin_tokens=st.none() | tokens,
    compressed_tokens=st.none() | tokens,
    usage=st.none() | usages,
    cost_usd=st.none() | st.floats(0, 100),
    saved_usd=st.none() | st.floats(-100, 100),
    counterfactual_usd=st.none() | st.floats(0, 100),
    compression_usd=st.none() | st.floats(0, 1),
)


def group_of(entry: Entry, group_by: str) -> str:
    if group_by == "route":
        return route_of(entry.path)
    value = (
        f"1970-01-0{1 + int(entry.created_at // 86400)}" if group_by == "day" else getattr(entry, group_by)
    )
    return NO_GROUP if value is None else value


def reference(all_entries: list[Entry], group_by: str, since: float | None) -> dict[str, ReportRow]:
    """The same report, the slow way."""
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in all_entries:
        if since is None or entry.created_at >= since:
            groups[group_of(entry, group_by)].append(entry)
    return {group: sums(group, members) for group, members in groups.items()}


def sums(group: str, members: list[Entry]) -> ReportRow:
    both = [
        (entry.origin_tokens, entry.compressed_tokens, entry)
        for entry in members
        if entry.origin_tokens is not None and entry.compressed_tokens is not None
    ]
    pairs = [(before, after) for before, after, entry in both if entry.status < 400]
    counts = [entry.usage for entry in members if entry.usage]
    return ReportRow(
        group=group,
        requests=len(members),
        compressed_requests=sum(entry.mode == "on" and after < before for before, after, entry in both),
        origin_tokens=sum(before for before, _ in pairs),
        compressed_tokens=sum(after for _, after in pairs),
        prompt_tokens=sum(usage.prompt_tokens for usage in counts),
        cached_tokens=sum(usage.cached_tokens for usage in counts),
        completion_tokens=sum(usage.completion_tokens for usage in counts),
        cost_usd=math.fsum(entry.cost_usd or 0.0 for entry in members),
        saved_usd=math.fsum(entry.saved_usd or 0.0 for entry in members),
        unpriced_requests=sum(entry.usage is not None and entry.cost_usd is None for entry in members),
        shadow_requests=sum(entry.mode == "shadow" for entry in members),
        counterfactual_usd=math.fsum(entry.counterfactual_usd or 0.0 for entry in members),
        compression_usd=math.fsum(entry.compression_usd or 0.0 for entry in members),
        negative_requests=sum((entry.saved_usd or 0) < 0 for entry in members),
        negative_usd=math.fsum(min(entry.saved_usd or 0.0, 0.0) for entry in members),
    )


def assert_same(got: ReportRow, expected: ReportRow) -> None:
    for field in fields(ReportRow):
        assert getattr(got, field.name) == pytest.approx(getattr(expected, field.name), abs=1e-9), field.name


@settings(max_examples=100, deadline=None)
@given(
    st.lists(any_entry, max_size=12, unique_by=lambda entry: entry.id),
    st.sampled_from(GROUPS),
    st.none() | st.floats(0, 400_000) | st.integers(0, 5).map(lambda day: day * 86400.0),
)
def test_sums_agree_with_python(all_entries: list[Entry], group_by: str, since: float | None) -> None:
    with create_engine("sqlite://").connect() as connection:
        metadata.create_all(connection)
        if all_entries:
            for batch in (all_entries[:3], all_entries[2:]):  # one of them twice
                insert_rows(connection, [to_row(entry) for entry in batch])
        rows = report_rows(connection, group_by, since)
        models = unpriced_models(connection, since)
    expected = reference(all_entries, group_by, since)
    # "(none)" may be a name as well as none: both are shown, under the same word
    assert sorted({row.group for row in rows}) == sorted(expected)
    for group, row in expected.items():
        assert_same(total([found for found in rows if found.group == group]), row)
    assert all(isinstance(row.cost_usd, float) and isinstance(row.saved_usd, float) for row in rows)
    unpriced = {
        entry.model
        for entry in all_entries
        if entry.usage and entry.cost_usd is None and recent(entry, since)
    }
    assert models == sorted(NO_GROUP if model is None else model for model in unpriced)


def recent(entry: Entry, since: float | None) -> bool:
    return since is None or entry.created_at >= since


def total(rows: list[ReportRow]) -> ReportRow:
    names = [field.name for field in fields(ReportRow) if field.name != "group"]
    return ReportRow(rows[0].group, **{name: sum(getattr(row, name) for row in rows) for name in names})


def rows_of(path: Path, all_entries: list[Entry], group_by: str) -> list[str]:
    with open_writer(path) as connection:
        insert_rows(connection, [to_row(entry) for entry in all_entries])
        return [row.group for row in report_rows(connection, group_by)]


def make(n: int, **more: str) -> Entry:
    return Entry(id=str(n), created_at=n * 86400.0, path="/", status=200, **more)  # type: ignore[arg-type]  # names


def test_days_come_in_order(tmp_path: Path) -> None:
    groups = rows_of(tmp_path / "pith.db", [make(2), make(0), make(1)], "day")
    assert groups == ["1970-01-01", "1970-01-02", "1970-01-03"]


def test_other_groups_come_by_requests(tmp_path: Path) -> None:
    models = [make(0, model="b"), make(1, model="a"), make(2, model="c"), make(3, model="c")]
    assert rows_of(tmp_path / "pith.db", models, "model") == ["c", "a", "b"]


def test_an_unknown_group_names_the_choices(tmp_path: Path) -> None:
    unknown = pytest.raises(ValueError, match="'path' is not one of day, route")
    with open_writer(tmp_path / "pith.db") as connection, unknown:
        report_rows(connection, "path")


def test_sums_outlive_the_rows(tmp_path: Path) -> None:
    with open_writer(tmp_path / "pith.db") as connection:
        insert_rows(connection, [to_row(make(n)) for n in range(4)])
        connection.execute(entries.delete().where(entries.c.created_at < 2 * 86400))
        assert sum(row.requests for row in report_rows(connection, "model")) == 4
        assert sum(row.requests for row in report_rows(connection, "model", 86400.0)) == 3
        whole = report_rows(connection, "day", 86400.0 + 7)  # rows of this day are gone: it counts whole
        assert [row.group for row in whole] == ["1970-01-02", "1970-01-03", "1970-01-04"]
        connection.execute(entries.delete().where(entries.c.id == "2"))
        midnight = report_rows(connection, "day", 2 * 86400.0)  # a whole day needs no rows
        assert [row.group for row in midnight] == ["1970-01-03", "1970-01-04"]
        connection.execute(entries.insert(), [to_row(make(0))])
        cut = report_rows(connection, "day", 2 * 86400.0 + 7)
        assert [row.group for row in cut] == ["1970-01-04"]


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v1/chat/completions?key=1", "/v1/chat/completions"),
        ("/v1/responses/resp_6af/input_items", "/v1/responses/*/input_items"),
        ("/v1beta/models/gemini-3-pro:generateContent", "/v1beta/models/*"),
        ("/openai/deployments/GPT-4/chat/completions", "/openai/deployments/*/chat/completions"),
        ("/<script>/" + "a" * 30 + "/" * 20, "/*/*/////"),
        ("*", "*"),
        ("", ""),
    ],
)
def test_a_route_is_what_many_requests_share(path: str, route: str) -> None:
    assert route_of(path) == route

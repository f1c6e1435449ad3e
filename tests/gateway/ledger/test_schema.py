"""Rows: every field has its column, every value fits it, and none can hold a text."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import String

from gateway.ledger.database import open_writer
from gateway.ledger.schema import entries, to_row
from gateway.types import Entry, Usage

DOCS = Path(__file__).parents[3] / "docs" / "ledger.md"

any_text = st.text(st.characters(), max_size=300)  # lone surrogates and NUL among them
any_number = st.none() | st.integers() | st.floats()
any_entry = st.builds(
    Entry,
    id=any_text,
    created_at=st.floats(),
    path=any_text,
    status=st.integers(),
    model=st.none() | any_text,
    policy=st.none() | any_text,
    mode=any_text,
    origin_tokens=st.none() | st.integers(),
    usage=st.none() | st.builds(Usage, st.integers(), st.integers()),
    cost_usd=st.none() | st.floats(),
    saved_usd=st.none() | st.floats(),
    timing_ms=st.dictionaries(any_text, st.floats(), max_size=3),
)


def test_every_field_of_an_entry_has_its_column() -> None:
    names = {field.name for field in fields(Entry)} - {"usage"}
    names |= {field.name for field in fields(Usage)} - {"estimated"} | {"is_estimated", "day", "route"}
    assert set(entries.columns.keys()) == names


def test_the_fields_of_an_entry_are_the_ones_reviewed_to_hold_no_text() -> None:
    """Adding a field means deciding here that it is a count, an id, a keyed hash or a bounded name."""
    counts = {"created_at", "status", "origin_tokens", "compressed_tokens", "usage", "cost_usd", "saved_usd"}
    counts |= {
        "counterfactual_usd",
        "counterfactual_cached_tokens",
        "compression_usd",
        "device_ms",
        "added_ms",
    }
    counts |= {"token_error", "cached_error"}
    flags = {"is_streamed", "is_complete", "timing_ms"}
    flags |= {"is_eligible", "is_broken", "is_retry", "is_repeat", "is_slow"}
    ids = {"id", "key_id", "team", "conversation", "unit", "policy", "policy_version", "variant"}
    words = {
        "finish",
        "path",
        "model",
        "mode",
        "tokenizer",
        "skip",
        "cache",
        "usage_problem",
        "counterfactual_basis",
    }
    assert {field.name for field in fields(Entry)} == counts | flags | ids | words


def test_no_column_is_long_enough_for_a_prompt() -> None:
    lengths = {
        column.name: column.type.length for column in entries.columns if isinstance(column.type, String)
    }
    assert max(length for length in lengths.values() if length is not None) == 512
    assert [name for name, length in lengths.items() if length is None] == ["timing_ms"]


def test_every_column_is_documented() -> None:
    text = DOCS.read_text()
    assert [name for name in entries.columns.keys() if f"`{name}`" not in text] == []  # noqa: SIM118


def test_row_of_a_full_entry() -> None:
    entry = Entry(
        id="a1",
        created_at=1_795_132_800.5,
        path="/v1/chat/completions?key=secret",
        status=200,
        key_id="search-prod",
        model="gpt-4o",
        mode="on",
        is_streamed=True,
        origin_tokens=10,
        compressed_tokens=5,
        usage=Usage(12, 3, cached_tokens=4, cache_write_tokens=2, reasoning_tokens=1, estimated=True),
        cost_usd=0.25,
        saved_usd=-0.5,
        timing_ms={"decide": 0.125},
    )
    row = to_row(entry)
    assert set(row) == set(entries.columns.keys())
    expected = {
        "day": "2026-11-20",
        "path": "/v1/chat/completions",
        "prompt_tokens": 12,
        "completion_tokens": 3,
        "cached_tokens": 4,
        "cache_write_tokens": 2,
        "reasoning_tokens": 1,
        "is_estimated": True,
        "saved_usd": -0.5,
        "timing_ms": '{"decide":0.125}',
        "team": None,
        "is_complete": True,
    }
    assert {name: row[name] for name in expected} == expected


def test_an_entry_without_usage_has_no_counts() -> None:
    row = to_row(Entry(id="a", created_at=0.0, path="/", status=499))
    assert [row[name] for name in ("prompt_tokens", "cached_tokens", "is_estimated", "cost_usd")] == [
        None
    ] * 4


def test_names_are_cut_to_their_column() -> None:
    row = to_row(Entry(id="a", created_at=0.0, path="/" * 9999, status=200, model="m" * 9999))
    assert (len(str(row["path"])), len(str(row["model"]))) == (512, 200)


@pytest.mark.parametrize("created_at", [math.nan, math.inf, -1e30, 1e30])
def test_impossible_times_still_have_a_day(created_at: float) -> None:
    assert len(str(to_row(Entry(id="a", created_at=created_at, path="/", status=1))["day"])) == 10


@given(any_entry)
def test_any_entry_can_be_stored(entry: Entry) -> None:
    row = to_row(entry)
    for column in entries.columns:
        value = row[column.name]
        if isinstance(value, str):
            value.encode()
            assert "\x00" not in value
            assert (
                not isinstance(column.type, String)
                or column.type.length is None
                or len(value) <= column.type.length
            )
        if isinstance(value, int):
            assert abs(value) < 2**63
        if isinstance(value, float):
            assert math.isfinite(value)
        assert value is not None or column.nullable
    assert isinstance(orjson.loads(str(row["timing_ms"])), dict)


def test_odd_entries_reach_the_database(tmp_path: Path) -> None:
    odd = Entry(
        id="\ud800\x00", created_at=math.nan, path="\udfff", status=10**30, mode="x", cost_usd=math.inf
    )
    with open_writer(tmp_path / "pith.db") as connection:
        connection.execute(entries.insert(), [to_row(odd)])
        (row,) = connection.execute(entries.select()).mappings()
    assert (row["id"], row["cost_usd"]) == ("?\N{REPLACEMENT CHARACTER}", None)

"""The tables about experiments hold what was reviewed, and say so in docs/ledger.md."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from sqlalchemy import String, Table

from gateway.experiments.records import MAX_REASON, ExperimentState, JudgeVerdict
from gateway.ledger.experiment_tables import changes, feedback, states, units, verdicts
from gateway.ledger.schema import metadata
from policies.outcomes import COLUMNS

DOCS = Path(__file__).parents[3] / "docs/ledger.md"
TABLES = (units, verdicts, feedback, states, changes)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_tables_and_their_columns_are_documented(table: Table) -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert f"`{table.name}`" in text
    assert [column.name for column in table.columns if f"`{column.name}`" not in text] == []
    assert table.metadata is metadata


def test_words_fit_in_reasons_alone() -> None:
    """A longer column means deciding here what may stand in it."""
    lengths = {
        f"{table.name}.{column.name}": column.type.length
        for table in TABLES
        for column in table.columns
        if isinstance(column.type, String) and (column.type.length or 0) > 128
    }
    assert lengths == {
        "experiment_verdicts.reason": MAX_REASON,
        "feedback.reason": MAX_REASON,
        "experiment_states.reason": MAX_REASON,  # figures and names of metrics, by us
        "experiment_changes.reason": MAX_REASON,
        "experiment_states.arms": 2_000,
        "experiment_changes.arms": 2_000,
    }


def test_there_is_a_column_for_everything() -> None:
    assert {*COLUMNS} < {*units.columns.keys()}
    assert {field.name for field in fields(JudgeVerdict)} - {"at"} | {"created_at"} == {
        *verdicts.columns.keys()
    }
    for table in (states, changes):
        assert {field.name for field in fields(ExperimentState)} == {*table.columns.keys()} - {"number"}

"""Experiments: what a request contributed, the sums of every unit, verdicts, states, feedback."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, String

revision = "4"
down_revision = "3"

COUNTS = (
    *("requests", "eligible", "applied", "answered", "unpriced", "origin_tokens"),
    *("uncached_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens"),
    *("errors", "truncated", "retries", "slow", "repeats", "feedback_n"),
)
AMOUNTS = (
    *("cost_usd", "compression_usd", "counterfactual_usd", "saved_usd"),
    *("first_byte_ms", "total_ms", "feedback_sum"),
)
STATE = (("state", String(16)), ("at", Double), ("reason", String(1000)), ("arms", String(2000)))


def upgrade() -> None:
    """Columns that rows of before leave empty, and five tables."""
    for column in (
        Column("unit", String(64)),
        Column("is_eligible", Boolean),
        Column("finish", String(32)),
        Column("is_broken", Boolean),
        Column("is_retry", Boolean),
        Column("is_repeat", Boolean),
        Column("is_slow", Boolean),
    ):
        op.add_column("entries", column)
    _units()
    _verdicts_and_feedback()
    _states()


def _units() -> None:
    op.create_table(
        "experiment_units",
        Column("experiment", String(128), primary_key=True),
        Column("version", String(128), primary_key=True),
        Column("unit", String(64), primary_key=True),
        Column("arm", String(128), nullable=False),
        Column("first_at", Double, nullable=False),
        Column("last_at", Double, nullable=False),
        Column("first_tokens", BigInteger, nullable=False),
        *(Column(name, BigInteger, nullable=False) for name in COUNTS),
        *(Column(name, Double, nullable=False) for name in AMOUNTS),
        sqlite_with_rowid=False,
    )


def _verdicts_and_feedback() -> None:
    op.create_table(
        "experiment_verdicts",
        Column("id", String(64), primary_key=True),
        Column("experiment", String(128), nullable=False),
        Column("version", String(128), nullable=False),
        Column("unit", String(64), nullable=False),
        Column("created_at", Double, nullable=False),
        Column("arm", String(128), nullable=False),
        Column("winner", String(128), nullable=False),
        Column("cost_usd", Double, nullable=False),
        Column("reason", String(1000)),
        Index("ix_experiment_verdicts_experiment_version", "experiment", "version"),
    )
    op.create_table(
        "feedback",
        Column("id", String(64), primary_key=True),
        Column("created_at", Double, nullable=False, index=True),
        Column("score", Double, nullable=False),
        Column("reason", String(1000)),
        Column("is_counted", Boolean, nullable=False),
    )


def _states() -> None:
    op.create_table(
        "experiment_states",
        Column("experiment", String(128), primary_key=True),
        Column("version", String(128), primary_key=True),
        *(Column(name, kind, nullable=False) for name, kind in STATE),
    )
    op.create_table(
        "experiment_changes",
        Column("number", Integer, primary_key=True),
        Column("experiment", String(128), nullable=False, index=True),
        Column("version", String(128), nullable=False),
        *(Column(name, kind, nullable=False) for name, kind in STATE),
    )

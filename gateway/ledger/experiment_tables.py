"""The ledger's tables about experiments, in the metadata of the others; docs/ledger.md describes each."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, String, Table

from gateway.experiments.records import MAX_REASON
from gateway.ledger.schema import metadata as metadata
from policies.outcomes import AMOUNTS, COUNTS, FIRST

KEY: Final = ("experiment", "version", "unit")

units = Table(
    "experiment_units",
    metadata,
    Column("experiment", String(128), primary_key=True),
    Column("version", String(128), primary_key=True),
    Column("unit", String(64), primary_key=True),
    Column("arm", String(128), nullable=False),
    Column("first_at", Double, nullable=False),
    Column("last_at", Double, nullable=False),
    Column(FIRST, BigInteger, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in COUNTS),
    *(Column(name, Double, nullable=False) for name in AMOUNTS),
    sqlite_with_rowid=False,  # the rows of one version lie together
)
"""One row a unit, added to in the transaction that stores a request's row."""

verdicts = Table(
    "experiment_verdicts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("experiment", String(128), nullable=False),
    Column("version", String(128), nullable=False),
    Column("unit", String(64), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("arm", String(128), nullable=False),
    Column("winner", String(128), nullable=False),
    Column("cost_usd", Double, nullable=False),
    Column("reason", String(MAX_REASON)),
    Index("ix_experiment_verdicts_experiment_version", "experiment", "version"),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("created_at", Double, nullable=False, index=True),
    Column("score", Double, nullable=False),
    Column("reason", String(MAX_REASON)),
    Column("is_counted", Boolean, nullable=False),
)
"""`is_counted`: its request's row was there, and it was added to the unit, if there is one."""

_STATE: Final = (
    ("state", String(16)),
    ("at", Double),
    ("reason", String(MAX_REASON)),
    ("arms", String(2_000)),
)

states = Table(
    "experiment_states",
    metadata,
    Column("experiment", String(128), primary_key=True),
    Column("version", String(128), primary_key=True),
    *(Column(name, kind, nullable=False) for name, kind in _STATE),
)

changes = Table(
    "experiment_changes",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("experiment", String(128), nullable=False, index=True),
    Column("version", String(128), nullable=False),
    *(Column(name, kind, nullable=False) for name, kind in _STATE),
)
"""Every state there was."""

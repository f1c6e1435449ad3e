"""INSERT with ON CONFLICT: both databases know it, each by a construct of its own in SQLAlchemy.

A dialect is imported when its database is used: a worker with SQLite is 3 MiB smaller without PostgreSQL's.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy import Table

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

    ConflictInsert: TypeAlias = sqlite.Insert | postgresql.Insert


def inserting(dialect: str, table: Table) -> ConflictInsert:
    """`dialect` is SQLAlchemy's name: `sqlite` or `postgresql`."""
    insert: ConflictInsert = import_module(f"sqlalchemy.dialects.{dialect}").insert(table)
    return insert

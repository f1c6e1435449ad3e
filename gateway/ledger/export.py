"""Rows of the ledger into a file: CSV, or Parquet where pyarrow is installed. Memory stays flat.

The file appears whole or not at all, readable by its owner alone. A text that a spreadsheet would take
for a formula has an apostrophe before it in CSV: names of models come from clients.
"""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Row, select

from gateway.errors import ConfigError
from gateway.ledger.schema import entries

BATCH_ROWS: Final = 1_000

Batches: TypeAlias = Iterator[Sequence[Row[Any]]]

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def write_export(connection: Connection, path: Path, since: float | None = None) -> int:
    """How many rows were written. Raises ConfigError for a file that cannot be, or what the database does."""
    write = writer_for(path)
    query = select(entries).order_by(entries.c.created_at, entries.c.id)
    if since is not None:
        query = query.where(entries.c.created_at >= since)
    found = connection.execution_options(yield_per=BATCH_ROWS).execute(query)
    try:
        return _write_whole(path, lambda draft: write(draft, found.partitions()))
    except OSError as error:
        raise ConfigError(f"export {path}: {error.strerror}; name a file in a folder with space") from error


def writer_for(path: Path) -> Callable[[Path, Batches], int]:
    """By the file's ending. Raises ConfigError."""
    if path.suffix == ".csv":
        return write_csv
    if path.suffix != ".parquet":
        raise ConfigError(f"export {path}: the name must end with .csv or .parquet")
    try:
        from gateway.ledger.parquet import write_parquet
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"export {path}: Parquet needs pyarrow: pip install 'pith-gateway[parquet]', or name a .csv"
        ) from error
    return write_parquet


def write_csv(path: Path, batches: Batches) -> int:
    """With a line of names; nothing where there is no value."""
    n_rows = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(entries.columns.keys())
        for batch in batches:
            writer.writerows([_plain(value) for value in row] for row in batch)
            n_rows += len(batch)
    return n_rows


def _write_whole(path: Path, write: Callable[[Path], int]) -> int:
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    os.close(handle)
    try:
        n_rows = write(Path(draft))
        os.replace(draft, path)
    except BaseException:  # whatever it was goes on; no half file stays
        with suppress(OSError):
            os.unlink(draft)
        raise
    return n_rows


def _plain(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value

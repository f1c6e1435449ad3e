"""Rows as Parquet, a batch at a time: the one module that imports pyarrow, which is an extra."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyarrow
from pyarrow.parquet import ParquetWriter
from sqlalchemy import BigInteger, Boolean, Double, Integer

from gateway.ledger.export import Batches
from gateway.ledger.schema import entries

_TYPES: Final = (
    (Boolean, pyarrow.bool_()),
    (BigInteger, pyarrow.int64()),
    (Integer, pyarrow.int64()),
    (Double, pyarrow.float64()),
)

SCHEMA: Final = pyarrow.schema(
    [
        (
            column.name,
            next((found for kind, found in _TYPES if isinstance(column.type, kind)), pyarrow.string()),
        )
        for column in entries.columns
    ]
)


def write_parquet(path: Path, batches: Batches) -> int:
    """A row group for each batch."""
    n_rows = 0
    with ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for batch in batches:
            columns = [
                pyarrow.array(values, kind)
                for values, kind in zip(zip(*batch, strict=True), SCHEMA.types, strict=True)
            ]
            writer.write_batch(pyarrow.record_batch(columns, schema=SCHEMA))
            n_rows += len(batch)
    return n_rows

"""Notes as the writer and the spool keep them: a row with a `kind`, which an entry's row has not (pure)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any, Final, TypeAlias

from gateway.experiments.records import MAX_REASON, Exposure, Feedback, JudgeVerdict, Note
from gateway.ledger.schema import as_text

Row: TypeAlias = dict[str, object]

KIND: Final = "kind"
KINDS: Final[dict[str, type[Note]]] = {"exposure": Exposure, "feedback": Feedback, "judge": JudgeVerdict}

_NAMES: Final = {kind: name for name, kind in KINDS.items()}
_LENGTHS: Final = {"id": 64, "unit": 64, "reason": MAX_REASON}
_NAME_LENGTH: Final = 128
_MAX: Final = 10**12


def to_note_row(note: Note) -> Row:
    """Every value fits its column."""
    return {KIND: _NAMES[type(note)], **{name: _fitted(name, value) for name, value in asdict(note).items()}}


def as_note_row(found: dict[str, Any]) -> Row | None:
    """A row read from the disk, whichever version wrote it; None for one that is none."""
    kind = KINDS.get(str(found.get(KIND)))
    if kind is None:
        return None
    row = {field.name: found[field.name] for field in fields(kind) if field.name in found}
    try:
        return to_note_row(kind(**row))
    except TypeError:  # something is missing
        return None


def notes_of(rows: Iterable[Row]) -> list[Note]:
    """The notes among the rows, in order."""
    found = []
    for row in rows:
        values: dict[str, Any] = dict(row)
        if (kind := values.pop(KIND, None)) is not None:
            found.append(KINDS[kind](**values))
    return found


def _fitted(name: str, value: object) -> object:
    if isinstance(value, str):
        return as_text(value)[: _LENGTHS.get(name, _NAME_LENGTH)]
    if isinstance(value, int):
        return max(-_MAX, min(value, _MAX))
    if isinstance(value, float):
        return value if math.isfinite(value) else 0.0
    return value

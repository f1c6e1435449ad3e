"""Second stage: what a teacher kept, as a grade for every unit, and how far its strings can be trusted.

A record has `id`, `lang`, `text` and the teacher's `light` and `heavy`; it gains `grades`, one digit a unit
(2 in heavy, 1 in light only, 0 in neither), and `quality`, LLMLingua-2's measures of each strength:

- `variation`: share of the compressed units that the source has not, so words the teacher made up;
- `hitting`: compressed units the source has; `matching`: source units that were graded as kept; both as
  shares of the source's units;
- `gap`: hitting less matching, large where words stand in the source but not in that order.

Pure: one record in, one out. Heavy is inside light by the teacher's instruction, so units kept in light are
preferred where heavy leaves a choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from compressor.train.align import Keyed, Numbering, kept_units
from compressor.train.records import Record
from compressor.train.units import units_of
from compressor.types import Bools

STRENGTHS = ("light", "heavy")


@dataclass(frozen=True, slots=True)
class Quality:
    """How one strength of one record went, in shares."""

    variation: float
    hitting: float
    matching: float

    @property
    def gap(self) -> float:
        return self.hitting - self.matching


@dataclass(frozen=True, slots=True)
class Grading:
    """A grade a unit, and the quality of each strength."""

    grades: str
    quality: Mapping[str, Quality]


def grade(text: str, light: str, heavy: str, language: str) -> Grading:
    """Grade the units of a text by two compressions of it. Any strings will do."""
    numbering = Numbering()
    source, *said = (numbering.keyed(units_of(string, language)) for string in (text, light, heavy))
    in_light = kept_units(source, said[0])
    in_heavy = kept_units(source, said[1], in_light)
    grades = np.where(in_heavy, 2, np.where(in_light, 1, 0))
    qualities = map(measure, (source, source), said, (in_light, in_heavy))
    return Grading("".join(map(str, grades.tolist())), dict(zip(STRENGTHS, qualities, strict=True)))


def measure(source: Keyed, compressed: Keyed, kept: Bools) -> Quality:
    """LLMLingua-2's measures. Of nothing, nothing is wrong."""
    in_source = np.concatenate([source.folded, source.stems, source.heads])
    found = np.isin(compressed.folded, in_source) | np.isin(compressed.stems, source.stems)
    n_source, n_found = max(1, len(source)), int(found.sum())
    return Quality(
        variation=(len(compressed) - n_found) / max(1, len(compressed)),
        hitting=n_found / n_source,
        matching=int(kept.sum()) / n_source,
    )


def annotate(record: Record) -> dict[str, Any]:
    """The record with its grades and their quality. DataError where a field it needs is missing."""
    text, light, heavy, language = (record.text(name) for name in ("text", "light", "heavy", "lang"))
    graded = grade(text, light, heavy, language)
    quality = {
        strength: {name: round(value, 4) for name, value in {**asdict(measured), "gap": measured.gap}.items()}
        for strength, measured in graded.quality.items()
    }
    return {**record.fields, "grades": graded.grades, "quality": quality}


@dataclass(slots=True)
class Concurrence:
    """How often our grades are those a file already has."""

    n_texts: int = 0
    n_units: int = 0
    n_alike: int = 0
    n_alike_light: int = 0
    """Alike in whether the unit is kept at all."""
    n_alike_heavy: int = 0

    def add(self, ours: str, theirs: str) -> None:
        pairs = list(zip(ours, theirs, strict=True))
        self.n_texts += 1
        self.n_units += len(pairs)
        self.n_alike += sum(our == their for our, their in pairs)
        self.n_alike_light += sum((our > "0") == (their > "0") for our, their in pairs)
        self.n_alike_heavy += sum((our == "2") == (their == "2") for our, their in pairs)

    def shares(self) -> dict[str, float]:
        n = max(1, self.n_units)
        return {"grades": self.n_alike / n, "light": self.n_alike_light / n, "heavy": self.n_alike_heavy / n}


def concurrence(records: Iterable[Record]) -> dict[str, Concurrence]:
    """By language: our grades against the ones that records bring."""
    found: dict[str, Concurrence] = {}
    for record in records:
        language, theirs = record.text("lang"), record.text("grades")
        ours = grade(record.text("text"), record.text("light"), record.text("heavy"), language).grades
        if len(ours) != len(theirs) or theirs.strip("012"):
            raise record.wrong("grades", f"must be a digit 0, 1 or 2 for each of {len(ours)} units")
        found.setdefault(language, Concurrence()).add(ours, theirs)
    return found

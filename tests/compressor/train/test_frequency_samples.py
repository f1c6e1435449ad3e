"""Graded files as samples: what `pith train filter` writes is what training reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from compressor.errors import DataError
from compressor.train.annotate import annotate
from compressor.train.frequency_samples import read_graded
from compressor.train.records import Record, write

COMPRESSIONS: list[dict[str, Any]] = [
    {"id": "a#0", "src": "a", "lang": "en", "text": "we do ship", "light": "we ship", "heavy": "ship"},
    {
        "id": "b#0",
        "src": "b",
        "lang": "zh-hant",
        "text": "今天 不開會",
        "light": "今天不開會",
        "heavy": "不開會",
    },
]


@pytest.mark.parametrize("name", ["graded.jsonl", "graded.jsonl.gz"])
def test_what_was_annotated_is_read(name: str, tmp_path: Path) -> None:
    write(tmp_path / name, (annotate(Record("f", fields)) for fields in COMPRESSIONS))
    first, second = read_graded(tmp_path / name)
    assert (first.id, first.source, first.language, first.grades.tolist()) == ("a#0", "a", "en", [1, 0, 2])
    assert (second.language, second.units[0], second.grades.tolist()) == ("zh", (0, 1), [1, 1, 2, 2, 2])


@pytest.mark.parametrize("grades", ["10", "1023", "1x2"])
def test_grades_that_do_not_fit_are_named(grades: str, tmp_path: Path) -> None:
    write(tmp_path / "f", [{**COMPRESSIONS[0], "grades": grades}])
    with pytest.raises(DataError, match=r"f:1: `grades` is .* for each of 3 units"):
        list(read_graded(tmp_path / "f"))

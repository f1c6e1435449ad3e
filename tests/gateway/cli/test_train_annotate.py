"""`pith train annotate`."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main

RECORDS: list[dict[str, Any]] = [
    {
        "id": "a",
        "lang": "en",
        "text": "So we ship on May 3.",
        "light": "we ship on May 3.",
        "heavy": "ship May 3.",
    },
    {"id": "b", "lang": "ko", "text": "그래서 예산을 정했다", "light": "예산을 정했다", "heavy": "예산"},
]
GRADES = ["012122", "021"]


def lines(records: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def run(*arguments: str, given: str = "") -> Result:
    return CliRunner().invoke(main, ["train", "annotate", *arguments], input=given)


def test_standard_input_to_standard_output() -> None:
    ran = run("-", given=lines(RECORDS))
    assert ran.exit_code == 0, ran.output
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [record["grades"] for record in found] == GRADES
    assert [{name: record[name] for name in RECORDS[0]} for record in found] == RECORDS
    assert "2 records graded" in ran.stderr


def test_file_to_file(tmp_path: Path) -> None:
    (tmp_path / "in.gz").write_bytes(gzip.compress(lines(RECORDS).encode()))
    assert run(str(tmp_path / "in.gz"), "--out", str(tmp_path / "out")).exit_code == 0
    assert (tmp_path / "out").read_text("utf-8") == run("-", given=lines(RECORDS)).stdout


def test_check_compares_with_the_grades_a_file_has() -> None:
    graded = [{**record, "grades": grades} for record, grades in zip(RECORDS, ["012122", "011"], strict=True)]
    ran = run("-", "--check", "--json", given=lines(graded))
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout) == {
        "en": {"texts": 1, "units": 6, "grades": 1.0, "light": 1.0, "heavy": 1.0},
        "ko": {"texts": 1, "units": 3, "grades": 2 / 3, "light": 1.0, "heavy": 2 / 3},
    }
    table = run("-", "--check", given=lines(graded)).stdout
    assert "0.6667" in table


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lines(RECORDS) + "{not json}\n", 'standard input:3: "{not json}" is no JSON'),
        (lines([{**RECORDS[0], "light": ""}]), 'standard input:1: `light` is ""; it must be a string'),
        ('{"text": "\\udc00"}\n', "standard input:1: "),
    ],
)
def test_bad_input_is_named(given: str, said: str, tmp_path: Path) -> None:
    ran = run("-", "--out", str(tmp_path / "out"), given=given)
    assert ran.exit_code == 1
    assert said in ran.stderr
    assert not (tmp_path / "out").exists()

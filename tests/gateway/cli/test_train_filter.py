"""`pith train filter`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from gateway.cli import main


def record(number: int, variation: float, gap: float = 0) -> dict[str, Any]:
    quality = {"variation": variation, "hitting": 0.5, "matching": 0.5, "gap": gap}
    return {"id": str(number), "lang": "en", "grades": "012", "quality": {"light": quality, "heavy": quality}}


RECORDS = [record(number, (number * 7 % 20) / 100) for number in range(20)]


def run(tmp_path: Path, *arguments: str) -> Result:
    (tmp_path / "in").write_text("".join(json.dumps(one) + "\n" for one in RECORDS))
    out = ["--out", str(tmp_path / "out"), "--rejects", str(tmp_path / "rejects")]
    return CliRunner().invoke(main, ["train", "filter", str(tmp_path / "in"), *out, *arguments])


def written(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_worst_go_and_the_others_keep_their_order(tmp_path: Path) -> None:
    ran = run(tmp_path, "--json")
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout) == {
        "en": {"records": 20, "kept": 19, "variation": 1, "gap": 0, "nothing_kept": 0}
    }
    [gone] = written(tmp_path / "rejects")
    assert gone["why"] == {"variation": "0.1900 > 0.1805"}
    assert written(tmp_path / "out") == [one for one in RECORDS if one["id"] != gone["id"]]


def test_other_limits(tmp_path: Path) -> None:
    assert run(tmp_path, "--max-variation", "0.04").exit_code == 0
    assert len(written(tmp_path / "out")) == 5
    assert run(tmp_path, "--variation-percentile", "50").exit_code == 0
    assert len(written(tmp_path / "out")) == 10


def test_the_table_says_how_many_went(tmp_path: Path) -> None:
    assert " 19 " in run(tmp_path).stderr


def test_what_cannot_be(tmp_path: Path) -> None:
    assert run(tmp_path, "--max-gap", "2").exit_code == 2
    ran = run(tmp_path, "--out", str(tmp_path / "rejects"))
    assert ran.exit_code == 2
    assert "name a file of its own" in ran.stderr

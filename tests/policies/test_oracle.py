"""Our statistics say what another library said of the same units; `python -m tests.oracle` asks it anew."""

from __future__ import annotations

import json

import pytest

from tests.oracle import RECORD, RECORDED, Answer, case, differences, ours

ANSWERS: list[Answer] = [json.loads(line) for line in RECORD.read_text(encoding="utf-8").splitlines()]


def test_every_case_is_on_record() -> None:
    assert len(ANSWERS) == RECORDED


@pytest.mark.parametrize("seed", range(RECORDED))
def test_ours_agree_with_the_oracle(seed: int) -> None:
    assert list(differences(ANSWERS[seed], ours(case(seed)))) == []


@pytest.mark.parametrize("part", ["plain", "adjusted"])
def test_another_answer_is_found_out(part: str) -> None:
    mine = ours(case(0))
    other = json.loads(json.dumps(ANSWERS[0]))
    other[part]["difference"] += other[part]["error"]
    assert len(list(differences(other, mine))) == 1
    other = {**ANSWERS[0], "units_p": 0.123}
    assert [line.partition(":")[0] for line in differences(other, mine)] == ["units_p"]

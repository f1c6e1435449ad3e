"""Which records go, and why."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor.errors import DataError
from compressor.train.filter import Limit, count, judge, measures, rejected
from compressor.train.records import Record

SHARES = st.floats(0, 1)


def record(variation: float = 0, gap: float = 0, lang: str = "en", grades: str = "012") -> Record:
    """Its heavy strength is the worse one."""
    quality = {
        "light": {"variation": variation / 2, "gap": gap / 2},
        "heavy": {"variation": variation, "gap": gap},
    }
    return Record("f:1", {"lang": lang, "grades": grades, "quality": quality})


def reasons(records: list[Record], **limits: Limit) -> list[dict[str, str]]:
    chosen = {"variation": Limit(100), "gap": Limit(100), **limits}
    return [dict(verdict.reasons) for verdict in judge(records, chosen)]


def test_the_worst_of_each_language_go() -> None:
    records = [record(variation=i / 100) for i in range(21)] + [record(variation=0.9, lang="ko")]
    verdicts = judge(records)
    assert [bool(verdict.reasons) for verdict in verdicts] == [False] * 20 + [True, False]
    assert verdicts[20].reasons == {"variation": "0.2000 > 0.1900"}


def test_a_limit_may_be_given() -> None:
    records = [record(gap=0.1), record(gap=0.11, lang="ko"), record(gap=0.5)]
    assert reasons(records, gap=Limit(90, 0.1)) == [
        {},
        {"gap": "0.1100 > 0.1000"},
        {"gap": "0.5000 > 0.1000"},
    ]


def test_a_record_may_go_for_two_reasons() -> None:
    records = [record(), record(variation=0.5, gap=0.5, grades="000")]
    none = Limit(0, 0.0)
    verdicts = judge(records, {"variation": none, "gap": none})
    assert set(verdicts[1].reasons) == {"variation", "gap", "nothing_kept"}
    assert count(verdicts) == {"en": {"records": 2, "kept": 1, "variation": 1, "gap": 1, "nothing_kept": 1}}
    assert rejected(verdicts[1])["why"]["nothing_kept"] == "every grade is 0"
    assert rejected(verdicts[1])["grades"] == "000"


def test_nothing_is_nothing() -> None:
    assert judge([]) == []
    assert count([]) == {}


@given(st.lists(st.tuples(SHARES, SHARES, st.sampled_from(["en", "ko"]))))
def test_laws(values: list[tuple[float, float, str]]) -> None:
    records = [record(variation, gap, lang) for variation, gap, lang in values]
    verdicts = judge(records)
    assert [verdict.record for verdict in verdicts] == records, "all of them, in order"
    for lang in {lang for *_, lang in values}:
        mine = [verdict for verdict in verdicts if verdict.language == lang]
        kept = [measures(verdict.record) for verdict in mine if not verdict.reasons]
        gone = [verdict for verdict in mine if "variation" in verdict.reasons]
        assert len(gone) <= len(mine) / 20 + 1
        worst = max((found["variation"] for found in kept), default=0)
        assert all(measures(verdict.record)["variation"] >= worst for verdict in gone)


@pytest.mark.parametrize(
    "quality", [None, 3, {"light": {}}, {"light": {"variation": "x", "gap": 0}, "heavy": {}}]
)
def test_a_record_that_was_not_annotated(quality: Any) -> None:
    with pytest.raises(DataError, match=r"f:1: `quality` is .* `pith train annotate` writes"):
        judge([Record("f:1", {"lang": "en", "grades": "0", "quality": quality})])

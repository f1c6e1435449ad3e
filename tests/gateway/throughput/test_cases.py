"""What the compressor is given: as many texts, as large, as asked for; the same for a seed."""

from __future__ import annotations

import pytest

from compressor import counter
from gateway.demo.corpus import ENCODING
from gateway.throughput.bench import Pace
from gateway.throughput.cases import Case, cases


@pytest.mark.parametrize("case", [Case(200), Case(4000), Case(640, 1, 64), Case(600, 3, 2)])
def test_texts_are_as_many_and_as_large_as_asked(case: Case) -> None:
    calls = case.calls("a")
    assert [len(texts) for texts in calls] == [case.n_texts] * case.at_once
    for texts in calls:
        size = sum(map(counter(ENCODING).count, texts))
        assert 0.7 * case.tokens <= size <= 1.1 * case.tokens


def test_a_seed_gives_its_texts_and_another_others() -> None:
    assert Case(200).calls("a") == Case(200).calls("a")
    assert Case(200).calls("a") != Case(200).calls("b")


def test_sizes_by_callers_then_messages() -> None:
    found = [case.name for case in cases((200, 1000), (1, 8), (64,))]
    assert found == ["200", "200", "1,000", "1,000", "4,000 as 64"]


def test_what_will_take_long_is_known_from_what_took_long() -> None:
    pace = Pace()
    assert pace.expect(Case(1000)) == 0
    pace.note(Case(100, 2), 1.0)
    pace.note(Case(1000), 2.0)
    assert pace.expect(Case(1000, 3)) == pytest.approx(15.0)

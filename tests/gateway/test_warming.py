"""gateway.warming: a text is compressed before the first request; a scorer that fails may start."""

from __future__ import annotations

from gateway.warming import warm_up
from tests.fakes import LengthScorer


def test_a_text_is_scored() -> None:
    scorer = LengthScorer()
    warm_up(scorer)
    assert scorer.n_texts == 1


async def test_whoever_asks_may_have_an_event_loop() -> None:
    scorer = LengthScorer()
    warm_up(scorer)
    assert scorer.n_texts == 1


def test_a_scorer_that_fails_stops_nothing() -> None:
    scorer = LengthScorer()
    scorer.error = RuntimeError("no")
    warm_up(scorer)
    assert scorer.n_texts == 0

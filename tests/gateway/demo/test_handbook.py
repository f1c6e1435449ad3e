"""gateway.demo.handbook: pages with facts, and answers that are as good as what was sent."""

from __future__ import annotations

import asyncio

import pytest

from compressor import CompressionParams, Engine, load_scorer
from gateway.demo import handbook
from gateway.demo.household import PAGES, answer


@pytest.mark.parametrize("number", range(PAGES))
def test_every_fact_of_a_page_is_answered_from_the_whole_page(number: int) -> None:
    page = handbook.page(number)
    assert set(page.facts) == set(handbook.THINGS)
    for thing, place in page.facts.items():
        assert place in handbook.answer(page.text, handbook.question(thing))


def test_the_same_number_gives_the_same_page() -> None:
    assert handbook.page(3) == handbook.page(3)
    assert handbook.page(3) != handbook.page(4)


def test_what_is_not_there_is_not_answered() -> None:
    assert handbook.answer("", "Where is the spare key of the cellar?").startswith("I am sorry")


def test_the_upstream_reads_the_page_and_the_last_question() -> None:
    page = handbook.page(0)
    asked = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": page.text},
        {"role": "user", "content": handbook.question("guest towels")},
        {"role": "assistant", "content": "The handbook says: guest towels in the moon"},
        {"role": "user", "content": handbook.question("fishing nets")},
    ]
    assert page.facts["fishing nets"] in answer(asked)


def test_quality_truly_differs_by_rate() -> None:
    """As the tutorial says: at 0.6 all is answered, at 0.2 not."""

    async def answered(rate: float) -> float:
        pages = [handbook.page(number) for number in range(PAGES)]
        async with Engine(load_scorer()) as engine:
            sent = await engine.compress([page.text for page in pages], CompressionParams(rate=rate))
        found = [
            place in handbook.answer(text.text, handbook.question(thing))
            for page, text in zip(pages, sent, strict=True)
            for thing, place in page.facts.items()
        ]
        return sum(found) / len(found)

    assert asyncio.run(answered(0.6)) > 0.99
    assert asyncio.run(answered(0.2)) < 0.9

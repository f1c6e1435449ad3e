"""Money: what was billed, every token once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.accounting import Price, at_most, bill, cost, split_of
from gateway.types import Usage

PRICE = Price(2e-6, 0.5e-6, 2.5e-6, 10e-6)
STEPPED = Price(2e-6, 1e-6, 2e-6, 10e-6, above_tokens=1000, above=Price(4e-6, 2e-6, 4e-6, 20e-6))


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    prompt = draw(st.integers(1, 10**6))
    cached = draw(st.integers(0, prompt))
    written = draw(st.integers(0, prompt - cached))
    return Usage(prompt, draw(st.integers(0, 10**5)), cached_tokens=cached, cache_write_tokens=written)


def test_cost_bills_every_prompt_token_once() -> None:
    usage = Usage(1000, 100, cached_tokens=600, cache_write_tokens=300, reasoning_tokens=80)
    assert cost(usage, PRICE) == pytest.approx((600 * 0.5 + 300 * 2.5 + 100 * 2.0 + 100 * 10.0) / 1e6)


def test_cost_of_nothing_is_nothing() -> None:
    assert cost(Usage(0, 0), PRICE) == 0.0


def test_long_prompts_are_billed_by_their_step() -> None:
    assert cost(Usage(1000, 10), STEPPED) == pytest.approx(1000 * 2e-6 + 10 * 10e-6)
    assert cost(Usage(1001, 10), STEPPED) == pytest.approx(1001 * 4e-6 + 10 * 20e-6)


def test_every_hour_long_write_is_billed_as_such() -> None:
    usage = Usage(1000, 0, cache_write_tokens=500, cache_write_1h_tokens=200)
    price = Price(1.0, None, 2.0, 1.0, cache_write_1h=3.0)
    assert cost(usage, price) == 300 * 2.0 + 200 * 3.0 + 500 * 1.0


@pytest.mark.parametrize(
    "usage",
    [
        Usage(1000, 0, cached_tokens=1),
        Usage(1000, 0, cache_write_tokens=1),
        Usage(1000, 0, cache_write_tokens=1, cache_write_1h_tokens=1),
    ],
)
def test_a_bill_that_needs_an_unknown_price_is_unknown(usage: Usage) -> None:
    assert cost(usage, Price(1.0, None, None, 1.0)) is None
    assert cost(Usage(1000, 0), Price(1.0, None, None, 1.0)) == 1000.0


@given(usages())
def test_a_split_holds_every_token_once(usage: Usage) -> None:
    split = split_of(usage)
    assert split.prompt == usage.prompt_tokens
    assert bill(split, Price(1.0, 1.0, 1.0, 1.0)) == usage.prompt_tokens + usage.completion_tokens


def test_budgets_count_what_an_unknown_price_may_be_at_most() -> None:
    usage = Usage(1000, 10, cached_tokens=300, cache_write_tokens=200, cache_write_1h_tokens=50)
    bare = Price(1.0, None, None, 4.0)
    assert cost(usage, bare) is None
    assert at_most(usage, bare) == 500 + 300 + 150 * 2.0 + 50 * 2.0 + 40
    assert at_most(usage, Price(None, 1.0, 1.0, 1.0)) is None


@given(usages())
def test_where_all_prices_are_known_at_most_is_what_it_cost(usage: Usage) -> None:
    assert at_most(usage, PRICE) == cost(usage, PRICE)

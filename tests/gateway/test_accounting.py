"""Money: what was billed, and what compressing saved, priced by the mix the upstream reported."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.accounting import Price, cost, saved
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


def test_saving_without_cache_is_the_input_price() -> None:
    assert saved(3000, 1000, Usage(1000, 50), PRICE) == pytest.approx(2000 * 2e-6)


def test_saving_follows_the_reported_mix() -> None:
    # 80 % of the prompt was read from cache: 80 % of the removed tokens would have been
    usage = Usage(1000, 50, cached_tokens=800)
    assert saved(1500, 500, usage, PRICE) == pytest.approx(1000 * (0.8 * 0.5e-6 + 0.2 * 2e-6))


def test_saving_on_a_prompt_read_wholly_from_cache_is_small() -> None:
    assert saved(1500, 500, Usage(1000, 0, cached_tokens=1000), PRICE) == pytest.approx(1000 * 0.5e-6)


def test_saving_is_negative_when_the_prompt_grew() -> None:
    assert saved(500, 600, Usage(1000, 50), PRICE) == pytest.approx(-100 * 2e-6)


def test_staying_below_a_price_step_is_a_saving() -> None:
    # whole: 1200 tokens, all of them and the output at the higher step
    usage = Usage(900, 10)
    expected = (1200 * 4e-6 + 10 * 20e-6) - (900 * 2e-6 + 10 * 10e-6)
    assert saved(1000, 700, usage, STEPPED) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("origin", "compressed", "usage", "price"),
    [
        (None, 1, Usage(1, 1), PRICE),
        (1, None, Usage(1, 1), PRICE),
        (2, 1, None, PRICE),
        (2, 1, Usage(1, 1), None),
    ],
)
def test_unknown_is_none(
    origin: int | None, compressed: int | None, usage: Usage | None, price: Price | None
) -> None:
    assert saved(origin, compressed, usage, price) is None


def test_shadow_saves_nothing_even_unpriced() -> None:
    assert saved(3000, 1000, Usage(3000, 50), PRICE, is_applied=False) == 0.0
    assert saved(None, None, None, None, is_applied=False) == 0.0


def test_no_billed_prompt_no_saving() -> None:
    assert saved(10, 5, Usage(0, 5), PRICE) == 0.0


@given(usages(), st.integers(0, 10**6), st.integers(0, 10**6))
def test_saving_is_bounded_by_the_dearest_and_cheapest_price(
    usage: Usage, origin: int, compressed: int
) -> None:
    removed = max(origin - compressed, -usage.prompt_tokens)
    got = saved(origin, compressed, usage, PRICE)
    assert got is not None
    low, high = sorted((removed * PRICE.cached_input, removed * PRICE.cache_write))
    slack = 1e-9 * cost(usage, PRICE) + 1e-9
    assert low - slack <= got <= high + slack


@given(usages(), st.integers(0, 10**6))
def test_saving_closes_the_books(usage: Usage, removed: int) -> None:
    """Cost plus saving is the bill of a prompt of the original length."""
    got = saved(removed, 0, usage, PRICE)
    assert got is not None
    growth = (usage.prompt_tokens + removed) / usage.prompt_tokens
    prompt_cost = cost(usage, PRICE) - usage.completion_tokens * PRICE.output
    assert math.isclose(
        cost(usage, PRICE) + got, prompt_cost * growth + usage.completion_tokens * PRICE.output
    )


@given(usages(), st.integers(0, 10**6))
def test_nothing_removed_nothing_saved(usage: Usage, tokens: int) -> None:
    assert saved(tokens, tokens, usage, STEPPED) == 0.0

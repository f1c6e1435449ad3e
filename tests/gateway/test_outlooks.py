"""What is learnt of providers' caches and of conversations, and what is assumed before."""

from __future__ import annotations

import pytest

from gateway.accounting import Price
from gateway.benefit import Outlook
from gateway.outlooks import CONVERSATIONS, FORGET_AFTER, MAX_NAMES, TURNS, Outlooks
from gateway.prices import MAX_NAME
from gateway.prompt_cache import LARGEST_MINIMUM, RULES, SMALLEST_MINIMUM
from gateway.types import Usage

PRICE = Price(2.0, 0.5, 2.5, 10.0)


def of(outlooks: Outlooks, model: str = "m", policy: str = "p") -> Outlook:
    found = outlooks.outlook(("up", model), policy, PRICE, None)
    assert found is not None
    return found


def test_before_anything_is_seen_the_worst_is_assumed() -> None:
    assert of(Outlooks()) == Outlook(2.0, 2.0, 0.5, SMALLEST_MINIMUM, LARGEST_MINIMUM, TURNS)


def test_the_least_that_was_read_bounds_the_minimum() -> None:
    outlooks = Outlooks()
    for read in (5000, 2048, 3000, 0):
        outlooks.observe(("up", "m"), Usage(9000, 1, cached_tokens=read))
    assert of(outlooks).largest_minimum == 2048
    assert of(outlooks, "another").largest_minimum == LARGEST_MINIMUM
    outlooks.observe(("up", "m"), Usage(9000, 1, cached_tokens=1, estimated=True))
    assert of(outlooks).largest_minimum == 2048


def test_single_questions_lower_the_turns_and_long_conversations_raise_them() -> None:
    outlooks = Outlooks()
    for _ in range(95):
        outlooks.count("p", is_continued=False)
    assert of(outlooks).turns == CONVERSATIONS * TURNS / 100
    for _ in range(10_000):
        outlooks.count("p", is_continued=True)
    assert of(outlooks).turns > 100
    assert of(outlooks, policy="q").turns == TURNS


def test_old_conversations_count_less() -> None:
    outlooks = Outlooks()
    for _ in range(10 * FORGET_AFTER):
        outlooks.count("p", is_continued=True)
    for _ in range(10 * FORGET_AFTER):
        outlooks.count("p", is_continued=False)
    assert of(outlooks).turns < 0.1


def test_models_are_remembered_only_so_many() -> None:
    outlooks = Outlooks()
    for i in range(MAX_NAMES + 10):
        outlooks.observe(("up", f"<b>{i}"), Usage(9000, 1, cached_tokens=1024))
    assert of(outlooks, "<b>0").largest_minimum == 1024
    assert of(outlooks, f"<b>{MAX_NAMES}").largest_minimum == LARGEST_MINIMUM
    outlooks.observe(("up", "<b>0"), Usage(9000, 1, cached_tokens=512))
    assert of(outlooks, "<b>0").largest_minimum == 512


def test_a_name_that_no_model_has_is_not_remembered() -> None:
    """Some upstreams take any name: a thousand of a megabyte each would be kept."""
    outlooks = Outlooks()
    for name in ("m" * MAX_NAME, "m" * (MAX_NAME + 1)):
        outlooks.observe(("up", name), Usage(9000, 1, cached_tokens=1024))
    assert of(outlooks, "m" * MAX_NAME).largest_minimum == 1024
    assert of(outlooks, "m" * (MAX_NAME + 1)).largest_minimum == LARGEST_MINIMUM


@pytest.mark.parametrize("price", [None, Price(None, 1.0, None, 1.0), Price(1.0, None, None, 1.0)])
def test_without_prices_there_is_no_outlook(price: Price | None) -> None:
    assert Outlooks().outlook(("up", "m"), "p", price, None) is None


def test_where_marks_are_billed_a_token_first_costs_a_write() -> None:
    found = Outlooks().outlook(("up", "m"), "p", PRICE, RULES["anthropic"])
    assert found is not None
    assert (found.first_usd, found.smallest_minimum) == (2.5, 1024)


@pytest.mark.parametrize(
    ("host", "provider", "largest"),
    [
        ("api.openai.com", "openai", 1024),
        ("proxy.example", "openai", LARGEST_MINIMUM),
        ("api.openai.com", "gemini", LARGEST_MINIMUM),
        (None, "anthropic", LARGEST_MINIMUM),
    ],
)
def test_a_documented_minimum_holds_at_the_providers_own_place(
    host: str | None, provider: str, largest: int
) -> None:
    found = Outlooks().outlook(("up", "m"), "p", PRICE, RULES[provider], host)
    assert found is not None
    assert found.largest_minimum == largest

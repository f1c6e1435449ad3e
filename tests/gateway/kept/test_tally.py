"""What another policy would have saved, by the provider's usage of what was sent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.accounting import Price, cost
from gateway.counterfactual import Prompt, settle
from gateway.kept.tally import NONE, Money, Prompts, Replayed, Tally, priced, total
from gateway.prompt_cache import Expected
from gateway.types import Usage

PRICE = Price(input=2e-6, cached_input=1e-6, cache_write=None, output=8e-6)
USAGE = Usage(600, 50)
WHOLE, SENT, WOULD = Expected(1000), Expected(600), Expected(400)


def prompts(would: Expected, sent: Expected = SENT) -> Prompts:
    return Prompts(WHOLE, sent, would, is_exact=True, is_modelled=True)


def one(policy: str | None = "p", **more: object) -> Replayed:
    fields = {
        "model": "m",
        "origin_tokens": 1000,
        "sent_tokens": 600,
        "would_tokens": 400,
        "skip": None,
        "money": Money(3.0, 2.0, 1.0),
        **more,
    }
    return Replayed(policy, **fields)  # type: ignore[arg-type]  # as tests name them


def test_fewer_tokens_cost_less_and_the_answer_the_same() -> None:
    money = priced(prompts(WOULD), USAGE, PRICE)
    assert money is not None
    assert money.sent_usd == pytest.approx(600 * 2e-6 + 50 * 8e-6)
    assert money.would_usd == pytest.approx(400 * 2e-6 + 50 * 8e-6)
    assert money.uncompressed_usd == pytest.approx(1000 * 2e-6 + 50 * 8e-6)


def test_a_prompt_that_is_no_longer_cached_is_charged_for() -> None:
    kept = replace(SENT, read=512)
    money = priced(prompts(WOULD, kept), Usage(600, 50, cached_tokens=512), PRICE)
    assert money is not None
    assert money.sent_usd == pytest.approx(88 * 2e-6 + 512 * 1e-6 + 50 * 8e-6)
    assert money.would_usd == pytest.approx(400 * 2e-6 + 50 * 8e-6), "nothing of it is read"


@given(st.integers(0, 2000), st.integers(0, 2000), st.integers(0, 500))
def test_the_same_prompt_costs_the_same_to_the_last_digit(sent: int, read: int, output: int) -> None:
    usage = Usage(sent, output, cached_tokens=min(read, sent))
    expected = Expected(sent, min(read, sent))
    money = priced(prompts(expected, expected), usage, PRICE)
    assert money is not None
    assert money.would_usd == money.sent_usd == cost(usage, PRICE)


@given(st.integers(0, 1000), st.integers(0, 1000), st.booleans())
def test_uncompressed_is_what_the_ledger_says(sent: int, read: int, is_modelled: bool) -> None:
    usage = Usage(sent, 10, cached_tokens=min(read, sent))
    expected = Expected(sent, min(read, sent))
    money = priced(Prompts(WHOLE, expected, WOULD, True, is_modelled), usage, PRICE)
    settled = settle(Prompt(WHOLE, expected, True, is_modelled), usage, PRICE)
    assert money is not None
    assert money.uncompressed_usd == pytest.approx(settled.counterfactual_usd)


def test_a_price_that_is_missing_is_no_guess() -> None:
    unknown = Price(input=2e-6, cached_input=None, cache_write=None, output=8e-6)
    kept = replace(SENT, read=512)
    assert priced(prompts(WOULD, kept), Usage(600, 50, cached_tokens=512), unknown) is None


def test_sums_are_by_policy_and_model_with_the_most_requests_first() -> None:
    tally = Tally()
    for found in (one(), one(skip="short", money=None), one("q", model="n"), one(None, model=None)):
        tally.add(found)
    rows = tally.rows
    assert [(row.policy, row.model, row.requests) for row in rows] == [
        ("p", "m", 2),
        (NONE, NONE, 1),
        ("q", "n", 1),
    ]
    assert (rows[0].priced_requests, rows[0].skips) == (1, {"short": 1})
    assert (rows[0].origin_tokens, rows[0].sent_tokens, rows[0].would_tokens) == (2000, 1200, 800)


def test_the_total_and_its_json() -> None:
    tally = Tally()
    for found in (one(), one("q", skip="short")):
        tally.add(found)
    said = total(tally.rows).as_json()
    assert (said["requests"], said["skips"]) == (2, {"short": 1})
    assert (said["saved_usd"], said["would_save_usd"]) == (2.0, 4.0)

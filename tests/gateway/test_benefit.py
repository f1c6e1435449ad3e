"""Whether compressing pays, by the price now, the price of later reads, and what may be lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.benefit import Outlook, Size, Verdict, judge, net_usd

DEEP = Outlook(
    fresh_usd=1.0,
    first_usd=1.0,
    read_usd=0.1,
    smallest_minimum=1024,
    largest_minimum=4096,
    turns=20.0,
)
NOTHING = Size(0, 0)


def verdict(*texts: Size, outlook: Outlook = DEEP, decided: Size = NOTHING) -> Verdict:
    return judge(outlook, decided, texts)


def test_a_prompt_that_would_fall_out_of_the_cache_is_left_whole() -> None:
    assert verdict(Size(3000, 1800)) == Verdict(1, is_close=True)


def test_a_prompt_that_stays_in_it_is_compressed() -> None:
    assert verdict(Size(8000, 4800)) == Verdict(0, is_close=False)


def test_a_prompt_that_never_was_in_it_is_compressed() -> None:
    assert verdict(Size(1000, 500)) == Verdict(0, is_close=True), "until it has grown"


def test_as_many_as_it_takes_are_left_whole() -> None:
    assert verdict(*[Size(2000, 1000)] * 3) == Verdict(2, is_close=True)  # 2,000 + 2,000 + 1,000
    assert verdict(Size(2000, 1000), decided=Size(9000, 3500)) == Verdict(0, is_close=False)


def test_a_single_question_is_compressed() -> None:
    assert verdict(Size(3000, 1800), outlook=replace(DEEP, turns=0.0)) == Verdict(0, is_close=True)


def test_what_has_been_observed_of_the_provider_counts() -> None:
    known = replace(DEEP, largest_minimum=1152)
    assert verdict(Size(3000, 1800), outlook=known) == Verdict(0, is_close=True), "by this process"
    assert verdict(Size(1500, 900), outlook=known) == Verdict(1, is_close=True)


def test_where_reads_are_hardly_cheaper_little_can_be_lost() -> None:
    assert verdict(Size(3000, 1500), outlook=replace(DEEP, read_usd=0.5)) == Verdict(0, is_close=True)
    assert net_usd(replace(DEEP, read_usd=1.0), 1200, Size(3000, 1800)) == 1200


def test_what_costs_nothing_loses_nothing() -> None:
    free = Outlook(0.0, 0.0, 0.0, 1024, 4096, 20.0)
    assert verdict(Size(3000, 1800), outlook=free) == Verdict(0, is_close=True)


def test_no_texts_no_verdict() -> None:
    assert verdict().n_whole == 0


sizes = st.builds(
    lambda sent, removed: Size(sent + removed, sent), st.integers(0, 9000), st.integers(1, 9000)
)


@given(st.lists(sizes, max_size=6), sizes, st.floats(0, 300))
def test_what_is_chosen_never_has_a_worse_prospect_than_nothing(
    texts: list[Size], decided: Size, turns: float
) -> None:
    outlook = replace(DEEP, turns=turns)
    found = judge(outlook, decided, texts)
    kept = texts[found.n_whole :]
    origin = decided.origin_tokens + sum(text.origin_tokens for text in texts)
    sent = decided.sent_tokens + sum(text.origin_tokens for text in texts) - sum(one.removed for one in kept)
    if kept:
        assert net_usd(outlook, sum(one.removed for one in kept), Size(origin, sent)) >= 0


minima = st.sampled_from([64, 1024, 2048, 4096])


@given(st.lists(sizes, min_size=1, max_size=6), sizes, st.integers(0, 5000), st.tuples(minima, minima))
@pytest.mark.parametrize("turns", [0.0, 5.0])
def test_a_verdict_that_is_not_close_stays_as_the_conversation_grows_and_whatever_was_observed(
    turns: float, texts: list[Size], decided: Size, more: int, observed: tuple[int, int]
) -> None:
    here, there = (replace(DEEP, turns=turns, largest_minimum=minimum) for minimum in observed)
    found = judge(here, decided, texts)
    if not found.is_close:
        grown = Size(decided.origin_tokens + more, decided.sent_tokens + more)
        assert judge(there, grown, texts) == found == Verdict(0, is_close=False)

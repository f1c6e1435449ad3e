"""What a request would have cost uncompressed: by the model of the cache, held against what was reported."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.accounting import Price, Split
from gateway.counterfactual import MIX, MODELLED, Prompt, Settlement, settle, uncompressed
from gateway.prompt_cache import Expected
from gateway.types import Usage

PRICE = Price(2e-6, 0.5e-6, 2.5e-6, 10e-6, cache_write_1h=4e-6)
STEPPED = Price(2e-6, 1e-6, None, 10e-6, 1000, Price(4e-6, 2e-6, None, 20e-6))


def prompt(origin: Expected, sent: Expected, *, is_exact: bool = True, is_modelled: bool = True) -> Prompt:
    return Prompt(origin, sent, is_exact, is_modelled)


def saved(found: Prompt, usage: Usage | None, price: Price | None = PRICE) -> float | None:
    return settle(found, usage, price).saved_usd


def test_a_first_turn_saves_fresh_tokens() -> None:
    first = prompt(Expected(3000), Expected(1000))
    assert uncompressed(first, Usage(1000, 50)) == (Split(3000, 0, 0, 0, 50), MODELLED)
    assert saved(first, Usage(1000, 50)) == pytest.approx(2000 * 2e-6)


def test_a_later_turn_saves_cache_reads_and_not_fresh_tokens() -> None:
    later = prompt(Expected(5000, read=4096), Expected(3000, read=2048))
    whole, basis = uncompressed(later, Usage(3000, 0, cached_tokens=2048))
    assert (whole, basis) == (Split(904, 4096, 0, 0, 0), MODELLED)


def test_what_the_provider_did_not_read_of_the_one_it_would_not_have_read_of_the_other() -> None:
    later = prompt(Expected(5000, read=4096), Expected(3000, read=2048))
    assert uncompressed(later, Usage(3000, 0))[0] == Split(5000, 0, 0, 0, 0)
    half, _ = uncompressed(later, Usage(3000, 0, cached_tokens=1024))
    assert half == Split(2952, 2048, 0, 0, 0)


def test_tokens_that_are_not_counted_are_the_same_in_both() -> None:
    later = prompt(Expected(5000, read=4096), Expected(3000, read=2048))
    with_tools = Usage(3500, 0, cached_tokens=2548)
    assert uncompressed(later, with_tools)[0] == Split(904, 4596, 0, 0, 0)
    more_than_that = Usage(3500, 0, cached_tokens=2848)
    assert uncompressed(later, more_than_that)[0].cached == 500 + 4096 * 2348 / 2048
    guessed = prompt(Expected(5000, read=4096), Expected(3000, read=2048), is_exact=False)
    assert uncompressed(guessed, with_tools)[0].cached == 4096 * 2548 / 2048


def test_a_prompt_made_too_short_to_be_cached_is_charged_for_that() -> None:
    short = prompt(Expected(1500, read=1408), Expected(900))
    usage = Usage(900, 0)
    assert uncompressed(short, usage) == (Split(92, 1408, 0, 0, 0), MODELLED)
    deep = Price(2e-6, 0.2e-6, None, 10e-6)
    assert saved(short, usage, deep) == pytest.approx(92 * 2e-6 + 1408 * 0.2e-6 - 900 * 2e-6)
    assert (saved(short, usage, deep) or 0) < 0


def test_a_prefix_that_was_changed_is_charged_for_even_where_some_of_it_was_read() -> None:
    changed = prompt(Expected(5000, read=4096), Expected(3000, read=0))
    assert uncompressed(changed, Usage(3000, 0, cached_tokens=300))[0].cached == 4096
    assert saved(changed, Usage(3000, 0)) == pytest.approx((904 * 2 + 4096 * 0.5 - 3000 * 2) * 1e-6)


def test_lost_state_is_told_in_the_mix_and_said() -> None:
    lost = prompt(Expected(3000), Expected(1000))
    whole, basis = uncompressed(lost, Usage(1000, 5, cached_tokens=800))
    assert (whole, basis) == (Split(600, 2400, 0, 0, 5), MIX)
    unknown = prompt(Expected(3000, read=9), Expected(1000), is_modelled=False)
    assert uncompressed(unknown, Usage(1000, 5, cached_tokens=800)) == (whole, MIX)


def test_writes_follow_the_model_scaled_by_what_was_written() -> None:
    marked = prompt(Expected(4000, read=1000, written=3000), Expected(2500, read=1000, written=1500))
    usage = Usage(2500, 0, cached_tokens=1000, cache_write_tokens=1500, cache_write_1h_tokens=750)
    assert uncompressed(marked, usage)[0] == Split(0, 1000, 1500, 1500, 0)
    nothing_written = Usage(2500, 0, cached_tokens=1000)
    assert uncompressed(marked, nothing_written)[0] == Split(3000, 1000, 0, 0, 0)


def test_writes_that_no_model_expects_keep_their_share() -> None:
    plain = prompt(Expected(3000, read=1024), Expected(2024, read=1024))
    usage = Usage(2024, 0, cached_tokens=1024, cache_write_tokens=500)
    assert uncompressed(plain, usage)[0] == Split(988, 1024, 988, 0, 0)


def test_a_prompt_too_short_to_be_written_would_have_been() -> None:
    short = prompt(Expected(1500, written=1400), Expected(900))
    assert uncompressed(short, Usage(900, 0))[0] == Split(100, 0, 1400, 0, 0)


def test_an_approximate_tokenizer_is_corrected_but_not_beyond_reason() -> None:
    counted = prompt(Expected(3000), Expected(1000), is_exact=False)
    assert uncompressed(counted, Usage(1200, 0))[0].prompt == pytest.approx(1200 + 2000 * 1.2)
    assert uncompressed(counted, Usage(9000, 0))[0].prompt == pytest.approx(9000 + 2000 * 2)
    assert uncompressed(counted, Usage(0, 0))[0].prompt == 0, (
        "where no prompt was billed, none would have been"
    )


def test_errors_are_in_the_row() -> None:
    found = settle(prompt(Expected(3000), Expected(1010, read=896)), Usage(1000, 0, cached_tokens=768), PRICE)
    assert (found.token_error, found.cached_error) == (10, 128)
    lost = settle(prompt(Expected(3000), Expected(1010)), Usage(1000, 0, cached_tokens=768), PRICE)
    assert (lost.token_error, lost.cached_error, lost.counterfactual_basis) == (10, None, MIX)
    estimated = settle(prompt(Expected(3000), Expected(1010)), Usage(1010, 0, estimated=True), PRICE)
    assert (estimated.token_error, estimated.counterfactual_basis) == (None, MIX)


def test_compressing_costs() -> None:
    money = settle(prompt(Expected(3000), Expected(1000)), Usage(1000, 0), PRICE, compression_usd=0.01)
    assert money.compression_usd == 0.01
    assert money.saved_usd == pytest.approx(2000 * 2e-6 - 0.01)


@pytest.mark.parametrize("usage", [None, Usage(3000, 5)])
@pytest.mark.parametrize("price", [None, PRICE])
def test_what_went_on_whole_saved_nothing_whatever_the_price(
    usage: Usage | None, price: Price | None
) -> None:
    whole = Expected(3000, read=1024)
    for same in (None, prompt(whole, whole)):
        money = settle(same, usage, price, compression_usd=0.25)
        assert money.saved_usd == -0.25
        assert money.counterfactual_usd == money.cost_usd


def test_unknown_is_none() -> None:
    found = prompt(Expected(3000, read=1024), Expected(1000))
    assert settle(found, None, PRICE) == Settlement(compression_usd=0.0)
    unpriced = settle(found, Usage(1000, 0), None)
    assert (unpriced.cost_usd, unpriced.counterfactual_usd, unpriced.saved_usd) == (None, None, None)
    no_cache_price = settle(found, Usage(1000, 0), Price(1.0, None, None, 1.0))
    assert (no_cache_price.cost_usd, no_cache_price.saved_usd) == (1000.0, None)


def test_staying_below_a_price_step_is_a_saving() -> None:
    expected = (1200 * 4e-6 + 10 * 20e-6) - (900 * 2e-6 + 10 * 10e-6)
    assert saved(prompt(Expected(1000), Expected(700)), Usage(900, 10), STEPPED) == pytest.approx(expected)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Prompt, Usage]:
    def expected() -> Expected:
        tokens = draw(st.integers(0, 10**6))
        read = draw(st.integers(0, tokens))
        return Expected(tokens, read, draw(st.integers(0, tokens - read)))

    n_prompt = draw(st.integers(0, 10**6))
    cached = draw(st.integers(0, n_prompt))
    written = draw(st.integers(0, n_prompt - cached))
    usage = Usage(n_prompt, draw(st.integers(0, 10**4)), cached, written, draw(st.integers(0, written)))
    return prompt(expected(), expected(), is_exact=draw(st.booleans())), usage


@given(cases())
def test_every_token_of_the_uncompressed_prompt_is_somewhere_once(case: tuple[Prompt, Usage]) -> None:
    found, usage = case
    split, _ = uncompressed(found, usage)
    assert min(split.fresh, split.cached, split.written, split.written_1h) >= -1e-6
    assert split.output == usage.completion_tokens
    if found.is_exact:
        removed = found.origin.tokens - found.sent.tokens if usage.prompt_tokens else 0
        assert split.prompt == pytest.approx(max(0, usage.prompt_tokens + removed))


@given(st.data())
def test_of_a_longer_prompt_no_less_is_read_than_of_the_one_that_was_sent(data: st.DataObject) -> None:
    """Removed tokens are never priced as if the prompt around them had not been read."""
    sent = data.draw(st.integers(1, 10**6))
    sent_read = data.draw(st.integers(0, sent))
    origin = data.draw(st.integers(sent, 2 * 10**6))
    found = prompt(Expected(origin, data.draw(st.integers(sent_read, origin))), Expected(sent, sent_read))
    usage = Usage(sent, 0, cached_tokens=data.draw(st.integers(0, sent)))
    assert uncompressed(found, usage)[0].cached >= usage.cached_tokens - 1e-6

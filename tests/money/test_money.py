"""The proof in small: a conversation of each kind, played on simulated providers through the gateway."""

from __future__ import annotations

import pytest

from compressor.scorers import load
from tests.money.__main__ import table
from tests.money.play import Outcome, play
from tests.money.provider import WORLDS, Bill, Provider
from tests.money.traces import KINDS, traces

TURNS = 20


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    return play(traces(1, TURNS), tmp_path_factory.mktemp("money"), load("frequency", "cpu", "fp32"))


def test_no_conversation_costs_more_than_uncompressed(outcomes: list[Outcome]) -> None:
    assert {one.trace.kind for one in outcomes} == set(KINDS)
    assert all(one.saved("pith") >= -0.005 for one in outcomes)
    assert sum(one.bills["pith"].usd for one in outcomes) < sum(one.bills["whole"].usd for one in outcomes)


def test_as_much_is_read_from_the_providers_cache_as_uncompressed(outcomes: list[Outcome]) -> None:
    assert all(one.apart("pith") <= 1.0 for one in outcomes)


def test_compressing_by_place_is_what_loses(outcomes: list[Outcome]) -> None:
    assert min(one.saved("naive") for one in outcomes) < -0.1


def test_the_ledger_claims_no_more_than_was_saved(outcomes: list[Outcome]) -> None:
    for one in outcomes:
        saved_usd = one.bills["whole"].usd - one.bills["pith"].usd
        assert one.told_usd <= saved_usd + 0.01 * one.bills["whole"].usd
        assert len(one.rows) == TURNS


def test_text_alone_is_counted_to_a_percent(outcomes: list[Outcome]) -> None:
    rows = [row for one in outcomes if one.trace.kind != "agent" for row in one.rows]
    long = [row for row in rows if row["prompt_tokens"] > 1000]
    assert len(long) > TURNS
    assert all(abs(row["token_error"]) < 0.01 * row["prompt_tokens"] for row in long)


def test_the_table_has_a_line_a_kind_and_one_of_all(outcomes: list[Outcome]) -> None:
    assert len(table(outcomes).splitlines()) == 2 + len(KINDS) + 1


def ask(provider: Provider, text: str, now_s: float, *, is_marked: bool = False) -> Bill:
    block = {"type": "text", "text": text, **({"cache_control": {}} if is_marked else {})}
    message = {"role": "user", "content": [block]}
    return provider.bill({"messages": [message]}, "c", 0, now_s, "Yes.")


def test_a_provider_reads_whole_pages_while_they_live_and_none_that_are_too_few() -> None:
    world = next(world for world in WORLDS if world.model == "gpt-4.1")
    provider = Provider(world)
    long, short = "word " * 5000, "other " * 3000
    assert ask(provider, long, 1e9).read == 0
    again = ask(provider, long + "more", 1e9 + 1)
    assert world.minimum <= again.read <= 5000
    assert again.read % world.page == 0
    assert ask(provider, long, 1e9 + 2 + world.lives_s).read == 0
    ask(provider, short, 1e9)
    assert ask(provider, short, 1e9 + 1).read == 0


def test_a_marked_provider_writes_up_to_the_mark_and_reads_that() -> None:
    provider = Provider(next(world for world in WORLDS if world.model == "claude-haiku-4-5"))
    long = "word " * 5000
    assert ask(provider, long, 1e9).written == 0, "no mark"
    first = ask(provider, long, 1e9, is_marked=True)
    assert (first.read, first.written > 5000) == (0, True)
    again = ask(provider, long, 1e9 + 1, is_marked=True)
    assert (again.read, again.written) == (first.written, 0)

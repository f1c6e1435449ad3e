"""What the judge is asked, and what its replies mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.experiments.judge import (
    PROMPT,
    REASON_CHARACTERS,
    Case,
    Place,
    Reply,
    agreed,
    asked,
    read_reply,
    shortened,
)

CASE = Case("[user]\nHow many?", ("Four.", "Five."))


def test_the_prompt_holds_every_part_once_between_its_marks() -> None:
    prompt = asked(PROMPT, CASE, "m4rk")
    for part in (CASE.conversation, *CASE.answers):
        assert prompt.count(f"=== m4rk ===\n{part}\n=== m4rk ===") == 1
    assert prompt.index("Four.") < prompt.index("Five.")
    swapped = asked(PROMPT, CASE.swapped(), "m4rk")
    assert swapped.index("Five.") < swapped.index("Four.")


def test_the_packaged_prompt_names_no_arm() -> None:
    assert not any(word in PROMPT.lower() for word in ("control", "treatment", "compress", "variant"))


def test_a_slot_inside_a_text_stays_as_it_is() -> None:
    prompt = asked("{answer_1}{answer_2}", Case("", ("say {answer_2}", "secret")), "m")
    assert "say {answer_2}" in prompt
    assert prompt.count("secret") == 1


@given(st.text(max_size=300), st.integers(8, 200))
def test_a_text_that_is_shortened_keeps_its_ends(text: str, most: int) -> None:
    found = shortened(text, most)
    if len(text) <= most:
        assert found == text
    else:
        head = most // 4
        assert found.startswith(text[:head])
        assert found.endswith(text[len(text) - (most - head) :])
        assert f"[{len(text) - most} characters left out]" in found


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ('{"reason": "it is right", "winner": "1"}', 1),
        ('{"winner": 2}', 2),
        ('{"winner": "tie"}', 0),
        ('{"Winner": "Answer 2"}', 2),
        ('{"verdict": "first"}', 1),
        ('```json\n{"reason": "x", "winner": "2"}\n```', 2),
        ('Let me think: {"winner": "1"} no, wait. {"winner": "2"}', 2),
        ('{"winner": "nonsense"} {"a": {"winner": "1"}}', 1),
        ('{"winner": "2", "reason": "broken', 2),
        ("**Winner: 1**", 1),
        ("The winner is answer 2.", 2),
        ("Verdict: tie", 0),
        ("[[2]]", 2),
        (" 1. ", 1),
        ("tie", 0),
    ],
)
def test_a_reply_is_read_however_it_is_wrapped(said: str, place: Place) -> None:
    reply = read_reply(said)
    assert reply is not None
    assert reply.better == place


@pytest.mark.parametrize("said", ["", "I cannot judge this.", "{}", "[1, 2]", '{"winner": 3}', "{" * 4000])
def test_a_reply_that_says_nothing_is_none(said: str) -> None:
    assert read_reply(said) is None


def test_a_reason_is_kept_short() -> None:
    assert read_reply('{"winner": 1, "reason": "good"}') == Reply(1, "good")
    assert read_reply('{"winner": 1, "reason": ["no", "text"]}') == Reply(1, "")
    long = read_reply('{"winner": 1, "reason": "' + "x" * 2000 + '"}')
    assert long is not None
    assert len(long.reason) == REASON_CHARACTERS


@given(st.text())
def test_reading_never_raises(said: str) -> None:
    read_reply(said)


@pytest.mark.parametrize(
    ("first", "swapped", "better"),
    [(1, 2, 1), (2, 1, 2), (0, 0, 0), (1, 1, 0), (2, 2, 0), (1, 0, 0), (0, 2, 0), (2, 0, 0)],
)
def test_only_a_verdict_of_both_orders_counts(first: Place, swapped: Place, better: Place) -> None:
    assert agreed(Reply(first), Reply(swapped)) == better

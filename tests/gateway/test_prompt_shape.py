"""Tokens and hashes of a prompt's prefixes, as it came and as it goes on."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from gateway.dialects import ChatRequest
from gateway.dialects.anthropic_messages import MESSAGES
from gateway.dialects.chat_completions import CHAT_COMPLETIONS
from gateway.hashing import Secret
from gateway.prompt_shape import ANSWER_TOKENS, MESSAGE_TOKENS, Shape, as_it_came, shape_of, with_calls
from gateway.texts import Finished

SECRET = Secret(b"s" * 32)
SYSTEM = {"role": "system", "content": "Be brief."}
ASK, REPLY, AGAIN = (
    {"role": role, "content": text}
    for role, text in (("user", "First."), ("assistant", "Yes."), ("user", "Second."))
)


def left(tokens: int) -> Finished:
    return Finished(None, tokens, tokens)


def cut(tokens: int, after: int, *spans: tuple[int, int]) -> Finished:
    return Finished(np.array(spans, np.int32), tokens, after)


def shape(messages: list[dict[str, Any]], *finished: Finished, body: bytes | None = None) -> Shape:
    body = body or json.dumps({"model": "gpt-4o", "messages": messages}).encode()
    request = CHAT_COMPLETIONS.parse(body)
    assert isinstance(request, ChatRequest)
    return shape_of(body, request, finished, SECRET, is_exact=True)


def test_tokens_by_prefix() -> None:
    found = shape([SYSTEM, ASK], left(10), cut(100, 40, (1, 4)))
    head = 10 + MESSAGE_TOKENS
    assert found.origin_tokens == (0, head, head + 100 + MESSAGE_TOKENS + ANSWER_TOKENS)
    assert found.sent_tokens == (0, head, head + 40 + MESSAGE_TOKENS + ANSWER_TOKENS)


def test_a_conversation_that_grows_keeps_the_hashes_of_its_prefixes() -> None:
    before = shape([SYSTEM, ASK], left(1), cut(9, 4, (1, 3)))
    after = shape([SYSTEM, ASK, REPLY, AGAIN], left(1), cut(9, 4, (1, 3)), left(1), left(1))
    assert after.origin_chain[:3] == before.origin_chain
    assert after.sent_chain[:3] == before.sent_chain
    assert len({*after.origin_chain, *after.sent_chain}) == 10


def test_another_cut_is_another_prefix_from_there_on() -> None:
    one = shape([SYSTEM, ASK, REPLY], left(1), cut(9, 4, (1, 3)), left(1))
    other = shape([SYSTEM, ASK, REPLY], left(1), left(9), left(1))
    same = [a == b for a, b in zip(one.sent_chain, other.sent_chain, strict=True)]
    assert (same, one.origin_chain) == ([True, True, False, False], other.origin_chain)
    rewritten = shape([ASK], Finished(None, 9, 4, rewritten=b'"First"'))
    assert rewritten.sent_chain != shape([ASK], left(9)).sent_chain


def test_what_is_not_applied_goes_on_as_it_came() -> None:
    found = as_it_came(shape([ASK], cut(9, 4, (1, 3))))
    assert (found.sent_tokens, found.sent_chain) == (found.origin_tokens, found.origin_chain)


def test_prefixes_that_were_sent_by_themselves() -> None:
    assert shape([SYSTEM, ASK], left(1), left(1)).answered == (1, 2)
    assert shape([SYSTEM, ASK, REPLY, AGAIN], *[left(1)] * 4).answered == (1, 2, 4)
    assert shape([], body=b'{"messages": []}').answered == (0,)


def test_marks_of_the_client() -> None:
    marked = {"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}}
    quoted = {"role": "user", "content": '"cache_control": {"type": "ephemeral"}'}
    found = shape([{"role": "user", "content": [marked]}, quoted], left(1), left(1))
    assert (found.marks, found.mark) == ((1,), 1)
    assert shape([ASK], left(1)).mark is None


def test_a_system_of_its_own_comes_before_the_first_message() -> None:
    body = json.dumps(
        {
            "system": [{"type": "text", "text": "Rules.", "cache_control": {"type": "ephemeral"}}],
            "messages": [ASK],
        }
    ).encode()
    request = MESSAGES.parse(body)
    assert isinstance(request, ChatRequest)
    found = shape_of(body, request, [left(70), left(5)], SECRET, is_exact=False)
    assert found.origin_tokens[0] == 70
    assert found.marks == (0,)


def test_calls_are_in_both_and_in_all_prefixes_behind_them() -> None:
    texts = shape([SYSTEM, ASK], left(10), cut(100, 40, (1, 4)))
    found = with_calls(texts, [1000, 0, 7])
    assert [a - b for a, b in zip(found.origin_tokens, texts.origin_tokens, strict=True)] == [
        1000,
        1000,
        1007,
    ]
    assert [a - b for a, b in zip(found.sent_tokens, texts.sent_tokens, strict=True)] == [1000, 1000, 1007]
    assert found.origin_chain == texts.origin_chain


@pytest.mark.parametrize("is_last", [False, True])
def test_a_system_of_its_own_comes_first_wherever_its_key_stands(is_last: bool) -> None:
    messages: dict[str, Any] = {"messages": [ASK, REPLY]}
    system: dict[str, Any] = {"system": "Be brief."}
    body = json.dumps({**messages, **system} if is_last else {**system, **messages}).encode()
    request = MESSAGES.parse(body)
    assert isinstance(request, ChatRequest)
    finished = [left(5), left(7), cut(1000, 600, (1, 3))]
    ordered = finished[:2] + finished[2:] if is_last else finished[2:] + finished[:2]
    found = shape_of(body, request, ordered, SECRET, is_exact=False)
    assert found.origin_tokens[:2] == (1000, 1000 + 5 + MESSAGE_TOKENS)
    assert found.sent_tokens[:2] == (600, 600 + 5 + MESSAGE_TOKENS)
    other = shape_of(body, request, [left(one.origin_tokens) for one in ordered], SECRET, is_exact=False)
    assert other.sent_chain[0] != found.sent_chain[0]

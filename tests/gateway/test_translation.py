"""litellm's answers and failures in OpenAI's words, and never a key in them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import UpstreamBroken, UpstreamError, UpstreamTimeout
from gateway.refusal import Refusal
from gateway.upstreams.translation import (
    MAX_MESSAGE_CHARACTERS,
    ProviderRefusal,
    answer_of,
    chain,
    completion,
    event,
    failure,
    late_failure,
)

KEY = "sk-provider-0123456789"
USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 2,
    "total_tokens": 11,
    "prompt_tokens_details": {"cached_tokens": 3, "audio_tokens": None},
    "cost": 0.1,
}


class Mapped(Exception):
    """As the library maps what happened: a status of its own, and words that nobody needs to see."""

    def __init__(self, status_code: int = 500, message: str = "Traceback http://10.0.0.1") -> None:
        super().__init__(message)
        self.status_code = status_code
        self.message = message


def behind(error: Exception, *others: Exception) -> Exception:
    """`error`, raised while handling the first of the `others`, and so on: the last came first."""
    last = error
    for inner in others:
        last.__context__ = inner
        last = inner
    return error


def refusal(status: int, body: bytes, *headers: tuple[bytes, bytes]) -> ProviderRefusal:
    return ProviderRefusal(status, list(headers), body)


def answered(found: ProviderRefusal) -> tuple[int, dict[bytes, bytes], dict[str, Any]]:
    status, headers, body = answer_of(behind(Mapped(), found), "claude", KEY)
    error = json.loads(body)
    assert error.keys() == {"type", "error"}
    assert error["error"].keys() == {"message", "type", "param", "code"}
    return status, dict(headers), error["error"]


def test_an_answer_in_the_official_shape() -> None:
    call = {"index": 1, "id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"content": None, "role": "assistant", "tool_calls": [call], "audio": None}
    said = {
        "id": "1",
        "object": "chat.completion",
        "system_fingerprint": None,
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}],
        "usage": USAGE,
    }
    whole = json.loads(completion(said))
    [choice] = whole["choices"]
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"] == [{name: call[name] for name in ("id", "type", "function")}]
    assert whole["usage"] == {
        "prompt_tokens": 9,
        "completion_tokens": 2,
        "total_tokens": 11,
        "prompt_tokens_details": {"cached_tokens": 3},
    }


def read(raw: bytes) -> dict[str, Any]:
    assert raw.startswith(b"data: ")
    assert raw.endswith(b"\n\n")
    assert raw.count(b"\n") == 2
    found: dict[str, Any] = json.loads(raw[6:])
    return found


@given(st.text())
def test_a_chunk_is_one_event_whatever_its_text(text: str) -> None:
    chunk = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}
    assert read(event(chunk))["choices"][0]["delta"]["content"] == text


def test_a_lone_surrogate_does_not_break_a_stream() -> None:
    assert read(event({"choices": [{"index": 0, "delta": {"content": "\ud800"}}]}))["choices"]


def test_the_chunk_that_only_counts_has_no_choices() -> None:
    empty = {"index": 0, "delta": {"content": None, "role": None}, "finish_reason": None}
    counted = read(event({"object": "chat.completion.chunk", "choices": [empty], "usage": USAGE}))
    assert counted["choices"] == []
    assert counted["usage"]["prompt_tokens"] == 9
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    assert read(event({"choices": [last], "usage": USAGE}))["choices"] == [last]
    assert read(event({"choices": [empty]}))["choices"] == [{"index": 0, "delta": {}, "finish_reason": None}]


@pytest.mark.parametrize("status", [400, 403, 404, 413, 429, 500, 503, 529])
def test_a_refusal_keeps_status_words_and_what_it_says_of_trying_again(status: int) -> None:
    body = b'{"type":"error","error":{"type":"some_error","message":"too much"}}'
    found = refusal(status, body, (b"Retry-After", b"7"), (b"set-cookie", b"a=b"), (b"x-request-id", b"r"))
    got, headers, error = answered(found)
    assert (got, error["message"], error["type"]) == (status, "too much", "some_error")
    assert headers.keys() == {b"content-type", b"content-length", b"retry-after", b"x-request-id"}


@pytest.mark.parametrize(
    ("body", "message", "kind"),
    [
        (b'{"error":{"message":"m","status":"RESOURCE_EXHAUSTED"}}', "m", "resource_exhausted"),
        (b'{"error":"plain"}', "plain", "invalid_request_error"),
        (b'{"message":"m","type":"a b"}', "m", "invalid_request_error"),
        (b"<html>no</html>", "<html>no</html>", "invalid_request_error"),
        (b"", "status 429", "invalid_request_error"),
        (b"\xff", "\ufffd", "invalid_request_error"),
    ],
)
def test_a_providers_words_are_found_wherever_they_are(body: bytes, message: str, kind: str) -> None:
    _, _, error = answered(refusal(429, body))
    assert (error["message"], error["type"]) == (message, kind)


@pytest.mark.parametrize("said", [KEY, KEY[:12] + "***", "…" + KEY[-8:], KEY[:-4] + "****"])
def test_no_key_is_said(said: str) -> None:
    _, _, error = answered(refusal(403, json.dumps({"error": {"message": f"bad {said} bad"}}).encode()))
    assert KEY[:8] not in error["message"]
    assert KEY[-8:] not in error["message"]
    assert "[key]" in error["message"]


def test_a_key_that_is_not_accepted_is_the_operators_matter() -> None:
    status, _, error = answered(refusal(401, b'{"error":{"message":"invalid x-api-key"}}'))
    assert (status, error["type"]) == (401, "authentication_error")
    assert "'claude' does not accept its key" in error["message"]


def test_a_long_message_is_cut() -> None:
    _, _, error = answered(refusal(400, b"x" * 9_999))
    assert len(error["message"]) == MAX_MESSAGE_CHARACTERS


@pytest.mark.parametrize("error", [UpstreamError("gone"), UpstreamTimeout("late"), UpstreamBroken("cut")])
def test_trouble_on_our_own_wire_stays_what_it_was(error: Exception) -> None:
    with pytest.raises(type(error)):
        answer_of(behind(Mapped(), ValueError(), error), "claude", KEY)


def test_what_the_library_refuses_before_sending_is_said_in_a_line() -> None:
    long = f"litellm.UnsupportedParamsError: no ['seed'] {KEY}. To drop these, set\n\n`x`"
    found = failure(Mapped(400, long), "claude", KEY)
    assert isinstance(found, Refusal)
    assert (found.status, found.message) == (400, "UnsupportedParamsError: no ['seed'] [key].")


@pytest.mark.parametrize(
    "error", [Mapped(), Mapped(401), KeyError("secret"), behind(Mapped(408), ValueError())]
)
def test_any_other_trouble_is_no_answer_and_its_words_stay_here(error: Exception) -> None:
    found = failure(error, "claude", KEY)
    assert isinstance(found, UpstreamError)
    assert "claude" in str(found)
    assert not any(word in str(found) for word in ("Traceback", "10.0.0.1", "secret"))


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (behind(Mapped(), TypeError("secret")), "(Mapped)"),
        (behind(Mapped(), UnicodeEncodeError("utf-8", "\ud800", 0, 1, "")), "surrogate"),
        (Mapped(400, "litellm.Bad: no"), "Bad: no"),
    ],
)
def test_where_nobody_was_asked_the_request_is_at_fault(error: Exception, word: str) -> None:
    with pytest.raises(Refusal) as caught:
        answer_of(error, "claude", KEY, has_asked=False)
    assert (caught.value.status, caught.value.code) == (400, "not_translated")
    assert word in caught.value.message
    assert "secret" not in caught.value.message


def test_a_connection_that_was_not_to_be_had_is_no_fault_of_the_request() -> None:
    with pytest.raises(UpstreamTimeout):
        answer_of(behind(Mapped(), UpstreamTimeout("late")), "claude", KEY, has_asked=False)


def test_a_stream_that_breaks_says_so_in_it() -> None:
    assert late_failure(Mapped(), "claude", KEY)[0] == "upstream 'claude' broke off its answer"
    told = behind(Mapped(), refusal(500, b'{"error":{"message":"m","type":"overloaded_error"}}'))
    assert late_failure(told, "claude", KEY)[1] == "overloaded_error"


def test_a_provider_that_tells_of_trouble_within_a_stream_is_heard() -> None:
    own = type("AnthropicError", (Mapped,), {"__module__": "litellm.llms.anthropic.common_utils"})
    error = behind(Mapped(), own(500, f"Overloaded {KEY}"))
    assert late_failure(error, "claude", KEY)[0] == "Overloaded [key]"


def test_a_chain_of_errors_ends_even_if_it_is_a_ring() -> None:
    one, other = ValueError(), KeyError()
    one.__context__, other.__context__ = other, one
    assert list(chain(one)) == [one, other]
    assert list(chain(None)) == []

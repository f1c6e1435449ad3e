"""What of a stranger's request reaches litellm: what is listed, and nothing that names a host or a key."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.refusal import Refusal
from gateway.upstreams.providers import (
    LEFT_OUT,
    NEUTRAL,
    PROVIDERS,
    SENT,
    call_arguments,
    origin_of,
    prefix_of,
    read_request,
)

IMAGE = "data:image/png;base64,AAAA"
HELLO = [{"role": "user", "content": "hi"}]
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
OWN = {"model", "custom_llm_provider"}


def called(provider: str = "anthropic", /, **members: Any) -> dict[str, Any]:
    body = {"model": "claude", "messages": HELLO, **members}
    return call_arguments(read_request(json.dumps(body).encode()), provider)


def refused(**members: Any) -> str:
    with pytest.raises(Refusal) as caught:
        called(**members)
    assert (caught.value.status, caught.value.code) == (400, "not_translated")
    return caught.value.message


def test_a_request_goes_on_under_its_provider() -> None:
    assert called(temperature=0.5, stop=["x"]) == {
        "model": "anthropic/claude",
        "custom_llm_provider": "anthropic",
        "messages": HELLO,
        "stream": False,
        "temperature": 0.5,
        "stop": ["x"],
    }


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("claude", "anthropic/claude"),
        ("anthropic/claude", "anthropic/claude"),
        ("openai/gpt-4o", "anthropic/openai/gpt-4o"),
        ("bedrock/us-west-2/claude@1:0", "anthropic/bedrock/us-west-2/claude@1:0"),
    ],
)
def test_a_model_never_chooses_the_provider(model: str, expected: str) -> None:
    assert called(model=model)["model"] == expected


@pytest.mark.parametrize(
    "model",
    [
        None,
        3,
        "",
        "../x",
        "a/../b",
        "a//evil",
        "https://evil/x",
        "a?key=1",
        "a#b",
        "a b",
        "a\n",
        "/a",
        "a" * 300,
    ],
)
def test_a_model_that_could_bend_a_path_is_refused(model: object) -> None:
    assert refused(model=model).startswith("model: ")


@pytest.mark.parametrize(
    "member",
    [
        "api_base",
        "api_key",
        "api_version",
        "base_url",
        "custom_llm_provider",
        "extra_body",
        "extra_headers",
        "fallbacks",
        "headers",
        "mock_response",
        "model_list",
        "timeout",
        "_skip_mcp_handler",
        "client",
        "web_search_options",
        "audio",
    ],
)
def test_what_could_steer_the_library_is_refused_by_name(member: str) -> None:
    message = refused(**{member: "http://evil-secret"})
    assert message.startswith(member)
    assert "evil-secret" not in message


@given(st.dictionaries(st.text(max_size=12), st.none() | st.booleans() | st.text(max_size=5), max_size=5))
def test_nothing_else_ever_goes_on(members: dict[str, Any]) -> None:
    try:
        arguments = called(**members)
    except Refusal:
        assert members.keys() - LEFT_OUT
        return
    assert arguments.keys() <= SENT | OWN
    assert arguments["custom_llm_provider"] == "anthropic"


@pytest.mark.parametrize("member", sorted(LEFT_OUT))
def test_bookkeeping_is_left_out(member: str) -> None:
    assert member not in called(**{member: "x"})


@pytest.mark.parametrize(("member", "value"), NEUTRAL.items())
def test_what_says_nothing_is_left_out_and_what_says_something_is_not(member: str, value: object) -> None:
    assert member not in called(**{member: value})
    assert member not in called(**{member: None})
    if member == "store":
        assert refused(store=True).startswith("store")
    else:
        assert called(**{member: 0.5})[member] == 0.5


def test_stream_options_go_on_with_a_stream_only() -> None:
    assert "stream_options" not in called(stream_options={"include_usage": True})
    assert called(stream=True, stream_options={"include_usage": True})["stream_options"] == {
        "include_usage": True
    }
    assert refused(stream="yes") == "stream: must be true or false"


@pytest.mark.parametrize(
    "part",
    [
        {"type": "text", "text": "http://evil"},
        {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}},
        {"type": "image_url", "image_url": {"url": IMAGE}},
        {"type": "image_url", "image_url": IMAGE},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "refusal", "refusal": "no"},
    ],
)
def test_a_part_that_holds_what_it_says_goes_on(part: dict[str, Any]) -> None:
    messages = [{"role": "user", "content": [part]}]
    assert called(messages=messages)["messages"] == messages


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "http://169.254.169.254/latest"}},
        {"type": "image_url", "image_url": "https://evil/x.png"},
        {"type": "image_url", "image_url": {"url": "data:,http://evil"}},
        {"type": "image_url"},
        {"type": "file", "file": {"file_id": "https://evil/x.pdf"}},
        {"type": "file", "file": {"file_id": "gs://x", "file_data": "data:a/b;base64,AAAA"}},
        {"type": "file", "file": {"file_data": "http://evil"}},
        {"type": "file"},
        {"type": "video_url", "video_url": {"url": "http://evil"}},
        {"type": ["text"]},
        {"image_url": {"url": IMAGE}},
        "text",
    ],
)
def test_nothing_that_somebody_would_have_to_fetch_goes_on(part: object) -> None:
    assert refused(messages=[{"role": "user", "content": [part]}]).startswith("messages[0].content[0]")


@pytest.mark.parametrize(
    "messages",
    [
        None,
        "hi",
        [],
        ["hi"],
        [{"content": "x"}],
        [{"role": "user", "content": 3}],
        [{"role": "user", "url": "http://x"}],
    ],
)
def test_a_message_of_another_shape_is_refused(messages: object) -> None:
    assert refused(messages=messages).startswith("messages")


def test_a_message_as_the_official_client_sends_it_back_goes_on() -> None:
    said = {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "annotations": [],
        "audio": None,
        "function_call": None,
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }
    sent = called(messages=[said])["messages"]
    assert sent == [{"role": "assistant", "content": None, "tool_calls": said["tool_calls"]}]


@pytest.mark.parametrize("tools", [{}, [{"type": "mcp", "server_url": "http://evil"}], ["f"], [FUNCTION, {}]])
def test_only_functions_are_tools(tools: object) -> None:
    assert refused(tools=tools).startswith("tools")
    assert called(tools=[FUNCTION])["tools"] == [FUNCTION]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"model":"a","model":"b"}', b'{"a":NaN}', b"\xff", b"[" * 99_999]
)
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal, match="body"):
        call_arguments(read_request(body), "anthropic")


def test_where_a_provider_is_asked() -> None:
    assert origin_of("anthropic", None) == "https://api.anthropic.com"
    assert origin_of("azure_ai", "http://h:8/v1") == "http://h:8"
    assert all(base is None or origin_of(name, None) == base for name, base in PROVIDERS.items())
    assert [prefix_of(url) for url in (None, "", "http://h", "http://h/v1/", "http://h/a/v1")] == [
        b"",
        b"",
        b"",
        b"",
        b"/a",
    ]

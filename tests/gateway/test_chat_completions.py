from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects import ChatRequest
from gateway.dialects.chat_completions import CHAT_COMPLETIONS, ask_usage, parse
from gateway.dialects.fields import MAX_MESSAGES
from gateway.splice import splice
from tests.gateway.json_documents import AWKWARD


def read(body: bytes) -> ChatRequest:
    request = parse(body)
    assert isinstance(request, ChatRequest)
    return request


def texts(body: bytes) -> list[tuple[str, str]]:
    return [(json.loads(body[site.start : site.end]), site.role) for site in read(body).texts]


def encode(request: object) -> bytes:
    return json.dumps(request).encode()


def with_messages(*messages: object) -> bytes:
    return encode({"model": "m", "messages": messages})


def test_content_as_string_or_parts() -> None:
    body = with_messages(
        {"role": "developer", "content": "be brief"},
        {"role": "system", "content": "be kind"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:..."}, "text": "no"},
                {"type": "text", "text": "closer", "cache_control": {"type": "ephemeral"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": '{"rows": []}'},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "done"}]},
        {"role": "function", "name": "f", "content": "result"},
    )
    assert texts(body) == [
        ("be brief", "system"),
        ("be kind", "system"),
        ("look", "user"),
        ("closer", "user"),
        ('{"rows": []}', "tool"),
        ("done", "tool"),
        ("result", "function"),
    ]


def test_everything_else_is_never_offered() -> None:
    body = with_messages(
        {
            "role": "assistant",
            "content": None,
            "name": "anna",
            "refusal": "I cannot",
            "audio": {"id": "a", "content": "x", "text": "x"},
            "function_call": {"name": "f", "arguments": "{}", "content": "x"},
            "tool_calls": [{"id": "c", "type": "text", "text": "x", "function": {"arguments": "{}"}}],
            "reasoning_content": "hm",
            "text": "x",
        },
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no", "text": "x"}]},
        {"role": "assistant"},
    )
    assert texts(body) == []
    assert [message.role for message in read(body).messages] == ["assistant"] * 3


@pytest.mark.parametrize(
    "message",
    [
        None, 1, "text", [], ["role", "user"], {}, {"content": "x"}, {"role": 1, "content": "x"},
        {"role": "user", "content": 1}, {"role": "user", "content": {"type": "text", "text": "x"}},
        {"role": "user", "content": ["x", None, [], {}, {"text": "x"}, {"type": "text"}]},
        {"role": "user", "content": [{"type": "text", "text": 1}]},
        {"role": "user", "content": [{"type": ["text"], "text": "x"}, {"type": "Text", "text": "x"}]},
    ],
)  # fmt: skip
def test_malformed_messages_are_not_offered(message: object) -> None:
    body = with_messages(message, {"role": "user", "content": "fine"})
    assert texts(body) == [("fine", "user")]


def test_messages_are_given_with_their_raw_bytes() -> None:
    body = b'{ "messages" : [ {"role":"user" , "content":"a"} , 17,{ "role":"developer"}\n] }'
    assert [(message.role, body[message.start : message.end]) for message in read(body).messages] == [
        ("user", b'{"role":"user" , "content":"a"}'),
        (None, b"17"),
        ("system", b'{ "role":"developer"}'),
    ]


def test_names_spelled_with_escapes_are_read() -> None:
    body = rb'{"mess\u0061ges":[{"r\u006fle":"us\u0065r","content":[{"type":"te\u0078t","text":"\u0061"}]}]}'
    assert texts(body) == [("a", "user")]


def test_a_lone_surrogate_does_not_spoil_the_rest() -> None:
    body = (
        rb'{"model":"\ud83d","messages":[{"role":"user","content":"\ud83d"},{"role":"\ude00","content":"x"}]}'
    )
    request = read(body)
    assert request.model is None
    assert [body[site.start : site.end] for site in request.texts] == [rb'"\ud83d"']


@pytest.mark.parametrize(
    "body",
    [
        b"[]", b"1", b'"messages"', b"null", b"{}", b'{"messages":null}', b'{"messages":{"role":"user"}}',
        b'{"messages":"hi"}', b'{"input":"hi"}', b'{"nested":{"messages":[]}}',
    ],
)  # fmt: skip
def test_no_messages_is_no_text(body: bytes) -> None:
    assert parse(body) == "no_text"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b'{"messages":[]',
        b'\xef\xbb\xbf{"messages":[]}',
        b'{"messages":[],"n":NaN}',
        b'{"messages":[],"messages":[]}',
        b'{"model":"a","model":"b","messages":[]}',
        b'{"messages":[{"role":"user","role":"tool","content":"x"}]}',
        b'{"messages":[{"role":"user","content":[{"type":"text","type":"text","text":"x"}]}]}',
        b'{"messages":[],"stream_options":{"include_usage":true,"include_usage":false}}',
        b'{"messages":[' + b"[" * 199 + b"]" * 199 + b"]}",
    ],
)
def test_unparsable(body: bytes) -> None:
    assert parse(body) == "unparsable"


def test_too_many_messages() -> None:
    assert parse(b'{"messages":[' + b"0," * 100_000 + b"0]}") == "too_large"
    assert parse(b'{"messages":[' + b"{}," * MAX_MESSAGES + b"{}]}") == "too_large"
    request = parse(b'{"messages":[' + b"{}," * (MAX_MESSAGES - 1) + b"{}]}")
    assert not isinstance(request, str)
    assert len(request.messages) == MAX_MESSAGES


def test_a_repeated_key_where_nobody_looks_is_the_upstreams() -> None:
    body = (
        b'{"messages":[{"role":"user","content":"x","tool_calls":[{"a":1,"a":2}]}],"tools":[{"a":1,"a":2}]}'
    )
    assert texts(body) == [("x", "user")]


def test_facts_of_the_request() -> None:
    request = read(
        encode(
            {
                "model": "gpt-é",
                "messages": [],
                "stream": True,
                "stream_options": {"include_usage": True},
                "prompt_cache_key": "k",
            }
        )
    )
    assert request.model == "gpt-é"
    assert (request.is_streamed, request.wants_usage, request.prompt_cache_key) == (True, True, "k")


@pytest.mark.parametrize("odd", [None, 1, "true", [True], {"a": True}])
def test_facts_of_the_wrong_type_read_as_absent(odd: object) -> None:
    body = {"messages": [], "stream": odd, "stream_options": {"include_usage": odd}}
    request = read(encode(body | {"model": [odd], "prompt_cache_key": [odd]}))
    assert request.model is None
    assert request.prompt_cache_key is None
    assert not request.is_streamed
    assert not request.wants_usage
    assert not read(encode({"messages": [], "stream_options": odd})).wants_usage


MESSAGES = b'"messages":[{"role":"user","content":"x"}]'


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        (b'{M,"stream":true}', b'{M,"stream":true,"stream_options":{"include_usage":true}}'),
        (
            b' { "stream" : true , M \n} ',
            b' { "stream" : true , M,"stream_options":{"include_usage":true} \n} ',
        ),
        (
            b'{"stream":true,"stream_options":null,M}',
            b'{"stream":true,"stream_options":{"include_usage":true},M}',
        ),
        (
            b'{"stream":true,"stream_options":{ },M}',
            b'{"stream":true,"stream_options":{"include_usage":true },M}',
        ),
        (
            b'{"stream":true,"stream_options": {"a":{"include_usage":1} } ,M}',
            b'{"stream":true,"stream_options": {"a":{"include_usage":1},"include_usage":true } ,M}',
        ),
        (
            b'{"stream":true,"stream_options":{"include_usage" : false},M}',
            b'{"stream":true,"stream_options":{"include_usage" : true},M}',
        ),
        (
            rb'{"stream":true,"stream_options":{"include\u005fusage":false,"a":1},M}',
            rb'{"stream":true,"stream_options":{"include\u005fusage":true,"a":1},M}',
        ),
    ],
)
def test_asks_for_usage(body: bytes, asked: bytes) -> None:
    body, asked = body.replace(b"M", MESSAGES), asked.replace(b"M", MESSAGES)
    edit = ask_usage(body, read(body))
    assert edit is not None
    spliced = splice(body, [edit])
    assert spliced == asked
    assert read(spliced).wants_usage
    assert ask_usage(spliced, read(spliced)) is None


@pytest.mark.parametrize(
    "rest",
    [
        b"",
        b',"stream":false',
        b',"stream":1',
        b',"stream":true,"stream_options":{"include_usage":true}',
        b',"stream":true,"stream_options":{"include_usage":null}',
        b',"stream":true,"stream_options":{"include_usage":"no"}',
        b',"stream":true,"stream_options":[]',
        b',"stream":true,"stream_options":"x"',
        b',"stream":true,"stream_options":false',
    ],
)
def test_does_not_ask_where_not_needed_or_odd(rest: bytes) -> None:
    body = b"{" + MESSAGES + rest + b"}"
    assert ask_usage(body, read(body)) is None


def test_the_dialect_is_these_functions() -> None:
    assert (CHAT_COMPLETIONS.name, CHAT_COMPLETIONS.parse) == ("chat_completions", parse)
    assert CHAT_COMPLETIONS.ask_usage is ask_usage


text = st.text(AWKWARD, max_size=5)
odd: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | text | st.just([]) | st.just({})
part = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(["text", "image_url"]) | odd, "text": text | odd, "x": odd}
)
message = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["system", "developer", "user", "assistant", "tool"]) | odd,
        "content": text | st.lists(part | odd, max_size=3) | part | odd,
        "refusal": text,
        "tool_calls": st.lists(part, max_size=2),
    },
)
request = st.fixed_dictionaries(
    {"messages": st.lists(message | odd, max_size=4)}, optional={"tools": st.lists(part), "model": text | odd}
)


def expected_texts(request: Any) -> list[tuple[str, str]]:
    """The rule once more, on parsed values."""
    found: list[tuple[str, str]] = []
    for message in request["messages"]:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            continue
        role = "system" if message["role"] == "developer" else message["role"]
        content = message.get("content")
        if isinstance(content, str):
            found.append((content, role))
        for part in content if isinstance(content, list) else []:
            if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
                found.append((part["text"], role))
    return found


@given(request, st.booleans(), st.sampled_from([None, 1]))
def test_finds_what_the_rule_says(request: Any, ensure_ascii: bool, indent: int | None) -> None:
    body = json.dumps(request, ensure_ascii=ensure_ascii, indent=indent).encode()
    assert texts(body) == expected_texts(request)
    assert [json.loads(body[m.start : m.end]) for m in read(body).messages] == request["messages"]

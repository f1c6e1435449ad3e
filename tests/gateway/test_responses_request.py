"""What of a request to `/v1/responses` is translated: what is listed, and nothing anybody would keep."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.refusal import Refusal
from gateway.upstreams.responses_request import LEFT_OUT, SENT, checked

IMAGE = "data:image/png;base64,AAAA"
CALL = {
    "type": "function_call",
    "call_id": "c",
    "name": "f",
    "arguments": "{}",
    "id": "fc",
    "status": "completed",
}


def asked(**members: Any) -> dict[str, Any]:
    return checked({"model": "m", "input": "hi", **members})


def refused(**members: Any) -> str:
    with pytest.raises(Refusal) as caught:
        asked(**members)
    assert (caught.value.status, caught.value.code) == (400, "not_translated")
    return caught.value.message


def items(*given: Any) -> dict[str, Any]:
    return {"input": list(given)}


def test_what_goes_on_is_what_is_listed() -> None:
    members: dict[str, Any] = {
        "instructions": "i",
        "max_output_tokens": 9,
        "reasoning": {"effort": "low"},
        "text": {"format": {"type": "text"}},
        "tool_choice": {"type": "function", "name": "f"},
        "tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "g"}],
        "stream": True,
    }
    nothing = {"store": True, "background": False, "previous_response_id": None, "truncation": "disabled"}
    bookkeeping = {"metadata": {}, "prompt_cache_key": "k", "include": ["reasoning.encrypted_content"]}
    assert asked(**members, **nothing, **bookkeeping) == {"model": "m", "input": "hi", **members}


def test_a_summary_of_reasoning_is_not_asked_for_and_no_answer_depends_on_it() -> None:
    sent = asked(reasoning={"effort": "low", "summary": "auto"}, text={"verbosity": "medium"})
    assert (sent["reasoning"], sent["text"]) == ({"effort": "low"}, {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("instructions", ["i"]),
        ("max_output_tokens", 1.5),
        ("parallel_tool_calls", 1),
        ("stream", "true"),
        ("temperature", True),
        ("tool_choice", ["auto"]),
        ("top_p", {}),
        ("user", True),
    ],
)
def test_what_the_answer_repeats_is_of_the_right_kind_before_anybody_is_asked(name: str, value: Any) -> None:
    assert refused(**{name: value}).startswith(f"{name}: must be ")


@given(st.dictionaries(st.text(max_size=12), st.none() | st.booleans() | st.text(max_size=5), max_size=5))
def test_nothing_else_ever_goes_on(members: dict[str, Any]) -> None:
    try:
        sent = asked(**members)
    except Refusal:
        return
    assert sent.keys() <= SENT
    assert not sent.keys() & LEFT_OUT


@pytest.mark.parametrize(
    "given",
    [
        items({"role": "user", "content": "a"}),
        items({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]}),
        items({"role": "assistant", "content": [{"type": "output_text", "text": "a", "annotations": []}]}),
        items({"role": "user", "content": [{"type": "input_image", "image_url": IMAGE, "detail": "low"}]}),
        items({"role": "user", "content": [{"type": "input_file", "file_data": IMAGE, "filename": "f"}]}),
        items(CALL, {"type": "function_call_output", "call_id": "c", "output": "o"}),
        items(
            CALL,
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "o"}]},
        ),
        items(
            {"type": "custom_tool_call", "call_id": "c", "name": "g", "input": "i"},
            {"type": "custom_tool_call_output", "call_id": "c", "output": "o"},
        ),
        items({"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "e"}, CALL),
    ],
)
def test_items_that_are_translated(given: dict[str, Any]) -> None:
    assert asked(**given)["input"] == given["input"]


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"previous_response_id": "resp"}, "previous_response_id"),
        ({"conversation": {"id": "c"}}, "conversation"),
        ({"background": True}, "background"),
        ({"include": ["file_search_call.results"]}, "include"),
        ({"stream": 1}, "stream"),
        ({"instructions": ["a"]}, "instructions"),
        ({"reasoning": "low"}, "reasoning"),
        ({"reasoning": {"effort": "low", "x": 1}}, "reasoning.x"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"truncation": "auto"}, "truncation"),
        ({"max_tool_calls": 3}, "max_tool_calls"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"tools": [{"type": "mcp", "server_url": "http://evil"}]}, "tools[0]"),
        ({"tool_choice": {"type": "file_search"}}, "tool_choice[0]"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        (items("a"), "input[0]"),
        (items({"type": "item_reference", "id": "i"}), "input[0]"),
        (items({"type": ["message"]}), "input[0]"),
        (items({"content": "a"}), "input[0]"),
        (items({"role": "user", "content": 3}), "input[0].content"),
        (items({"role": "user", "content": ["a"]}), "input[0].content[0]"),
        (
            items({"role": "user", "content": [{"type": "input_text", "text": "a", "x": 1}]}),
            "input[0].content[0].x",
        ),
        (
            items({"role": "user", "content": [{"type": "input_image", "image_url": "http://evil"}]}),
            "input[0].content[0].image_url",
        ),
        (
            items({"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}),
            "input[0].content[0].file_id",
        ),
        (items({"type": "function_call_output", "call_id": "c", "output": "o"}), "input[0].call_id"),
        (items(CALL, {"type": "function_call_output", "call_id": "c", "output": 3}), "input[1].output"),
        (items({**CALL, "x": 1}), "input[0].x"),
    ],
)
def test_anything_else_is_refused_by_name(members: dict[str, Any], named: str) -> None:
    message = refused(**members)
    assert message.startswith(f"{named}: ")
    assert "evil" not in message


@pytest.mark.parametrize("call_id", [None, 5, ["c"], {}])
def test_a_call_and_its_output_have_an_id_that_is_text(call_id: Any) -> None:
    output = {"type": "function_call_output", "call_id": call_id, "output": "o"}
    assert refused(**items({**CALL, "call_id": call_id})) == "input[0].call_id: must be text"
    assert refused(**items(CALL, output)) == "input[1].call_id: must be text"

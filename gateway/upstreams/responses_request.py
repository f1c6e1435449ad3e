"""What of a request to `/v1/responses` is translated for a provider that does not speak it (pure).

As in `providers`: what goes on is listed, item by item, and what is not listed is refused by name, for
litellm's translation leaves out silently what it does not know. Nothing is kept between requests, so what
continues an answer that somebody would have to keep is refused; `store` changes no answer and is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any, Final

from gateway.upstreams.providers import LEFT_OUT as BOOKKEEPING
from gateway.upstreams.providers import NEUTRAL as NEUTRAL_IN_CHAT
from gateway.upstreams.providers import check_tools, is_data, refuse, sendable, shown

SENT: Final = frozenset(
    {
        "input",
        "instructions",
        "max_output_tokens",
        "model",
        "parallel_tool_calls",
        "reasoning",
        "stream",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_p",
        "user",
    }
)
LEFT_OUT: Final = BOOKKEEPING | {"background", "include", "store", "stream_options"}
NEUTRAL: Final[Mapping[str, object]] = {**NEUTRAL_IN_CHAT, "truncation": "disabled", "verbosity": "medium"}
_KINDS: Final[Mapping[str, tuple[tuple[type, ...], str]]] = {
    "instructions": ((str,), "text"),
    "max_output_tokens": ((int,), "a number of tokens"),
    "parallel_tool_calls": ((bool,), "true or false"),
    "stream": ((bool,), "true or false"),
    "temperature": ((int, float), "a number"),
    "tool_choice": ((str, dict), "a word or an object"),
    "top_p": ((int, float), "a number"),
    "user": ((str,), "text"),
}
"""What answers repeat: litellm would notice what is wrong with it once the provider has answered."""
_KEPT: Final = ("previous_response_id", "conversation", "background")
_INCLUDED: Final = ("reasoning.encrypted_content",)
"""What litellm includes anyway: a provider's thinking, as it wants it back."""


def checked(request: Mapping[str, Any]) -> dict[str, Any]:
    """The members that are translated. Raises Refusal."""
    for name in _KEPT:
        if request.get(name):
            raise refuse(f"{name}: nothing is kept for this provider; send the whole input each time")
    sent = sendable(request, SENT, LEFT_OUT, neutral=NEUTRAL)
    _check_included(request.get("include"))
    sent.setdefault("stream", False)
    for name, (kinds, word) in _KINDS.items():
        if name in sent and type(sent[name]) not in kinds:
            raise refuse(f"{name}: must be {word}")
    sent["reasoning"] = _object(sent, "reasoning", {"effort"}, {"summary", "generate_summary"})
    sent["text"] = _object(sent, "text", {"format"})
    if isinstance(choice := sent.get("tool_choice"), dict):
        check_tools([choice], _TOOLS, "tool_choice")
    check_tools(sent.get("tools", []), _TOOLS)
    _check_input(sent.get("input"))
    return sent


_TOOLS: Final = ("function", "custom")


def _check_included(include: object) -> None:
    asked = include if isinstance(include, list) else []
    if other := [name for name in asked if name not in _INCLUDED]:
        raise refuse(f"include: {shown(str(other[0]))} is not translated for this provider; remove it")


def _object(
    sent: Mapping[str, Any], name: str, members: Set[str], left_out: Set[str] = frozenset()
) -> dict[str, Any]:
    value = sent.get(name, {})
    if not isinstance(value, dict):
        raise refuse(f"{name}: must be an object")
    return sendable(value, members, left_out, f"{name}.", NEUTRAL)


def _check_input(given: object) -> None:
    if isinstance(given, str) and given:
        return
    if not isinstance(given, list) or not given:
        raise refuse("input: must be text or a list of items")
    called: set[object] = set()
    for at, item in enumerate(given):
        where = f"input[{at}]"
        kind = item.get("type", "message") if isinstance(item, dict) else None
        if not isinstance(kind, str) or kind not in _ITEMS:
            named = f"not {shown(kind)}" if isinstance(kind, str) else "in an object"
            raise refuse(f"{where}: must be an item of type {', '.join(_ITEMS)}, {named}")
        members, check = _ITEMS[kind]
        sendable(item, members | _OF_ITEMS, frozenset(), f"{where}.")
        check(item, where)
        call = item.get("call_id")
        if kind in (*_CALLS, *_OUTPUTS) and not isinstance(call, str):
            raise refuse(f"{where}.call_id: must be text")
        if kind in _CALLS:
            called.add(call)
        elif kind in _OUTPUTS and call not in called:
            raise refuse(f"{where}.call_id: no call before it has this id; send the call, too")


def _check_message(item: dict[str, Any], where: str) -> None:
    if not isinstance(item.get("role"), str):
        raise refuse(f"{where}: must have a role")
    _check_content(item.get("content"), f"{where}.content")


def _check_output(item: dict[str, Any], where: str) -> None:
    _check_content(item.get("output"), f"{where}.output")


def _check_content(content: object, where: str) -> None:
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise refuse(f"{where}: must be text or a list of parts")
    for at, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        if not isinstance(kind, str) or kind not in _PARTS:
            raise refuse(f"{where}[{at}]: must be a part of type {', '.join(_PARTS)}")
        members, url = _PARTS[kind]
        sendable(part, members | {"type"}, _LEFT_OUT_OF_PARTS, f"{where}[{at}].")
        if url is not None and not is_data(part.get(url)):
            raise refuse(f"{where}[{at}].{url}: nothing is fetched for this provider; send it as a data: URL")


def _check_nothing(item: dict[str, Any], where: str) -> None:
    """There is nothing in it that anybody would fetch."""


_OF_ITEMS: Final = frozenset({"id", "phase", "provider_specific_fields", "status", "type"})
_CALLS: Final = ("function_call", "custom_tool_call")
_OUTPUTS: Final = ("function_call_output", "custom_tool_call_output")
_ITEMS: Final[Mapping[str, tuple[frozenset[str], Callable[[dict[str, Any], str], None]]]] = {
    "message": (frozenset({"role", "content"}), _check_message),
    "function_call": (frozenset({"call_id", "name", "arguments"}), _check_nothing),
    "function_call_output": (frozenset({"call_id", "output"}), _check_output),
    "custom_tool_call": (frozenset({"call_id", "name", "input"}), _check_nothing),
    "custom_tool_call_output": (frozenset({"call_id", "output"}), _check_output),
    "reasoning": (frozenset({"content", "encrypted_content", "summary"}), _check_nothing),
}
_LEFT_OUT_OF_PARTS: Final = frozenset({"annotations", "logprobs"})
_PARTS: Final[Mapping[str, tuple[frozenset[str], str | None]]] = {
    "input_text": (frozenset({"text"}), None),
    "output_text": (frozenset({"text"}), None),
    "input_image": (frozenset({"image_url", "detail"}), "image_url"),
    "input_file": (frozenset({"file_data", "filename"}), "file_data"),
}
"""Of each kind its members, and which one is a URL."""

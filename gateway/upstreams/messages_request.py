"""What of a request to `/v1/messages` is translated for a provider that does not speak it (pure).

As in `providers`: what goes on is listed, block by block, and what is not listed is refused by name, for
litellm's translation leaves out silently what it does not know. Left out are bookkeeping with Anthropic, and
`is_error` of a tool's result, which no other API has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any, Final

from gateway.upstreams.providers import check_tools, refuse, sendable, shown

SENT: Final = frozenset(
    {
        "max_tokens",
        "messages",
        "model",
        "output_config",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    }
)
LEFT_OUT: Final = frozenset({"metadata", "service_tier"})
_ROLES: Final = ("user", "assistant")
_NOTHING: Final = frozenset[str]()


def checked(request: Mapping[str, Any]) -> dict[str, Any]:
    """The members that are translated. Raises Refusal."""
    sent = sendable(request, SENT, LEFT_OUT)
    if type(sent.get("max_tokens")) is not int:
        raise refuse("max_tokens: must be a number of tokens")
    if not isinstance(sent.setdefault("stream", False), bool):
        raise refuse("stream: must be true or false")
    if isinstance(system := sent.get("system", ""), list):
        _check_blocks(system, "system", ("text",))
    elif not isinstance(system, str):
        raise refuse("system: must be text or a list of blocks")
    _check_object(sent, "output_config", frozenset({"effort", "format"}))
    _check_object(sent, "tool_choice", frozenset({"type", "name", "disable_parallel_tool_use"}))
    _check_object(sent, "thinking", frozenset({"type", "budget_tokens", "display"}))
    check_tools(sent.get("tools", []), ("custom", None))
    _check_messages(sent.get("messages"))
    return sent


def _check_object(sent: Mapping[str, Any], name: str, members: Set[str]) -> None:
    value = sent.get(name, {})
    if not isinstance(value, dict):
        raise refuse(f"{name}: must be an object")
    sendable(value, members, _NOTHING, f"{name}.")


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list) or not messages:
        raise refuse("messages: must be a list of messages")
    for at, message in enumerate(messages):
        where = f"messages[{at}]"
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise refuse(f"{where}: must be an object with the role user or assistant")
        sendable(message, frozenset({"role", "content"}), _NOTHING, f"{where}.")
        content = message.get("content")
        if isinstance(content, list):
            _check_blocks(content, f"{where}.content", tuple(_BLOCKS))
        elif not isinstance(content, str):
            raise refuse(f"{where}.content: must be text or a list of blocks")


def _check_blocks(blocks: list[Any], where: str, kinds: tuple[str, ...]) -> None:
    for at, block in enumerate(blocks):
        kind = block.get("type") if isinstance(block, dict) else None
        if not isinstance(kind, str) or kind not in kinds:
            named = f"not {shown(kind)}" if isinstance(kind, str) else "in an object"
            raise refuse(f"{where}[{at}]: must be a block of type {', '.join(kinds)}, {named}")
        members, check = _BLOCKS[kind]
        sendable(block, members | {"type", "cache_control"}, _LEFT_OUT_OF_BLOCKS, f"{where}[{at}].")
        check(block, f"{where}[{at}]")


def _check_source(block: dict[str, Any], where: str) -> None:
    source = block.get("source")
    if not isinstance(source, dict) or source.get("type") != "base64":
        raise refuse(f"{where}.source: nothing is fetched for this provider; send it as base64, or as text")


def _check_result(block: dict[str, Any], where: str) -> None:
    content = block.get("content") or ""
    if isinstance(content, list):
        _check_blocks(content, f"{where}.content", ("text", "image"))
    elif not isinstance(content, str):
        raise refuse(f"{where}.content: must be text or a list of blocks")


def _check_text(block: dict[str, Any], where: str) -> None:
    if not isinstance(block.get("text"), str):
        raise refuse(f"{where}.text: must be text")


def _check_nothing(block: dict[str, Any], where: str) -> None:
    """There is nothing in it that anybody would fetch, or that would be lost."""


_LEFT_OUT_OF_BLOCKS: Final = frozenset({"citations", "is_error"})
_BLOCKS: Final[Mapping[str, tuple[frozenset[str], Callable[[dict[str, Any], str], None]]]] = {
    "text": (frozenset({"text"}), _check_text),
    "image": (frozenset({"source"}), _check_source),
    "document": (frozenset({"source"}), _check_source),  # litellm drops its title and context
    "tool_use": (frozenset({"id", "name", "input", "provider_specific_fields"}), _check_nothing),
    "tool_result": (frozenset({"tool_use_id", "content"}), _check_result),
    "thinking": (frozenset({"thinking", "signature"}), _check_nothing),
    "redacted_thinking": (frozenset({"data"}), _check_nothing),
}

"""Which providers litellm translates to, and what of a chat completion request it is given (pure).

The request is a stranger's and litellm takes some sixty keywords, hosts and credentials among them
(CVE-2024-6587: `api_base` in a body sent the provider's key to whoever asked). So what goes on is listed
here, member by member; what is not listed is refused by name, and so is every URL that somebody would have to
fetch. Only fields that change no answer are left out silently.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from gateway.refusal import Refusal
from gateway.strict_json import Ambiguous, decode, decoder

PROVIDERS: Final[Mapping[str, str | None]] = {
    "anthropic": "https://api.anthropic.com",
    "azure_ai": None,  # a resource of one's own: the configuration names it
    "deepseek": "https://api.deepseek.com",
    "fireworks_ai": "https://api.fireworks.ai",
    "gemini": "https://generativelanguage.googleapis.com",
    "groq": "https://api.groq.com",
    "mistral": "https://api.mistral.ai",
    "openrouter": "https://openrouter.ai",
    "together_ai": "https://api.together.ai",
    "xai": "https://api.x.ai",
}
"""Providers by litellm's names, and where each is: those that take a key, have a host no model's name
chooses, and speak through the client they are given. Each is tried in the tests."""

SENT: Final = frozenset(
    {
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "n",
        "parallel_tool_calls",
        "presence_penalty",
        "reasoning_effort",
        "response_format",
        "seed",
        "stop",
        "stream",
        "stream_options",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
    }
)
"""Members of a request that go on, if the provider knows them; else the answer is 400 and names them."""

LEFT_OUT: Final = frozenset(
    {
        "metadata",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
    }
)
"""Bookkeeping with OpenAI, which no answer depends on."""

NEUTRAL: Final[Mapping[str, object]] = {
    "frequency_penalty": 0,
    "logit_bias": {},
    "logprobs": False,
    "n": 1,
    "parallel_tool_calls": True,
    "presence_penalty": 0,
    "store": False,
}
"""Values that say what would be so anyway: left out, since some providers know no such field."""

MESSAGE_MEMBERS: Final = frozenset(
    {
        "cache_control",
        "content",
        "function_call",
        "name",
        "provider_specific_fields",
        "reasoning_content",
        "refusal",
        "role",
        "thinking_blocks",
        "tool_call_id",
        "tool_calls",
    }
)
MESSAGE_LEFT_OUT: Final = frozenset({"annotations"})
"""What OpenAI's answers carry and clients send back."""

_MODEL: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_:@+-]|[./](?![./])){0,199}")
"""A name without `..` and `//`: some providers make it a part of the path."""


def origin_of(provider: str, url: str | None) -> str:
    """Where a provider is asked: the URL without its path."""
    base = url or PROVIDERS[provider]
    assert base is not None, f"{provider} is nowhere unless the configuration says so"
    parts = urlsplit(base)
    return f"{parts.scheme}://{parts.netloc}"


def call_arguments(body: bytes, provider: str) -> dict[str, Any]:
    """What litellm is called with for a request. Raises Refusal."""
    request = _read(body)
    model = request.pop("model", None)
    if not isinstance(model, str) or not _MODEL.fullmatch(model):
        raise _refuse("model: must be a model's name, of letters, digits and . _ : @ + - / in between")
    for member in [name for name, value in request.items() if value is None or _says_nothing(name, value)]:
        del request[member]
    if unknown := sorted(request.keys() - SENT - LEFT_OUT):
        raise _refuse(f"{_shown(unknown[0])}: not translated for this provider; remove it")
    sent = {name: value for name, value in request.items() if name in SENT}
    sent["messages"] = _messages(request.get("messages"))
    _check_tools(request.get("tools", []))
    if not isinstance(sent.setdefault("stream", False), bool):
        raise _refuse("stream: must be true or false")
    if not sent["stream"]:
        sent.pop("stream_options", None)
    name = model.removeprefix(f"{provider}/")
    return {**sent, "model": f"{provider}/{name}", "custom_llm_provider": provider}


def _read(body: bytes) -> dict[str, Any]:
    try:
        request = decode(body, _DECODER)
    except Ambiguous as error:
        raise _refuse(f"the body is not translated: {error}; send one JSON object") from error
    if not isinstance(request, dict):
        raise _refuse("the body must be a JSON object")
    return request


_DECODER: Final = decoder()


def _says_nothing(name: str, value: object) -> bool:
    return name in NEUTRAL and value == NEUTRAL[name] and isinstance(value, type(NEUTRAL[name]) | float)


def _messages(messages: object) -> list[dict[str, Any]]:
    if not isinstance(messages, list) or not messages:
        raise _refuse("messages: must be a list of messages")
    return [_message(message, f"messages[{at}]") for at, message in enumerate(messages)]


def _message(message: object, where: str) -> dict[str, Any]:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise _refuse(f"{where}: must be an object with a role")
    said = {name: value for name, value in message.items() if value is not None or name == "content"}
    if unknown := sorted(said.keys() - MESSAGE_MEMBERS - MESSAGE_LEFT_OUT):
        raise _refuse(f"{where}.{_shown(unknown[0])}: not translated for this provider; remove it")
    content = said.get("content")
    if isinstance(content, list):
        for at, part in enumerate(content):
            _check_part(part, f"{where}.content[{at}]")
    elif content is not None and not isinstance(content, str):
        raise _refuse(f"{where}.content: must be text or a list of parts")
    return {name: value for name, value in said.items() if name in MESSAGE_MEMBERS}


def _check_part(part: object, where: str) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    check = _PARTS.get(kind) if isinstance(kind, str) else None
    if check is None:
        raise _refuse(f"{where}: must be a part of type {', '.join(_PARTS)}")
    assert isinstance(part, dict)
    check(part, where)


def _check_image(part: dict[str, Any], where: str) -> None:
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    if not _is_data(url):
        raise _refuse(
            f"{where}.image_url: nothing is fetched for this provider; send the image as a data: URL"
        )


def _check_file(part: dict[str, Any], where: str) -> None:
    file = part.get("file")
    if (
        not isinstance(file, dict)
        or file.keys() - {"file_data", "filename"}
        or not _is_data(file.get("file_data"))
    ):
        raise _refuse(f"{where}.file: nothing is fetched for this provider; send file_data as a data: URL")


def _check_nothing(part: dict[str, Any], where: str) -> None:
    """There is nothing in it that anybody would fetch."""


_PARTS: Final[Mapping[str, Callable[[dict[str, Any], str], None]]] = {
    "text": _check_nothing,
    "refusal": _check_nothing,
    "input_audio": _check_nothing,
    "image_url": _check_image,
    "file": _check_file,
}


def _is_data(url: object) -> bool:
    return isinstance(url, str) and url.startswith("data:") and ";base64," in url[:200]


def _check_tools(tools: object) -> None:
    if not isinstance(tools, list):
        raise _refuse("tools: must be a list")
    for at, tool in enumerate(tools):
        if not isinstance(tool, dict) or tool.get("type") != "function":
            raise _refuse(f"tools[{at}]: only tools of type function are translated")


def _shown(name: str) -> str:
    """A member's name as a message may show it."""
    return "".join(char if char.isprintable() else "?" for char in name[:64])


def _refuse(message: str) -> Refusal:
    return Refusal(400, code="not_translated", message=message)

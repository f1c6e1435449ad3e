"""Which providers litellm translates to, and what of a request it is given as a chat completion (pure).

The request is a stranger's and litellm takes some sixty keywords, hosts and credentials among them
(CVE-2024-6587: `api_base` in a body sent the provider's key to whoever asked). So what goes on is listed
here, member by member; what is not listed is refused by name, and so is every URL that somebody would have to
fetch. Only fields that change no answer are left out silently.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
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


def prefix_of(url: str | None) -> bytes:
    """The path before an API's own where the configuration names a place."""
    return urlsplit(url or "").path.rstrip("/").removesuffix("/v1").encode()


def call_arguments(request: Mapping[str, Any], provider: str) -> dict[str, Any]:
    """What litellm is called with for a chat completion request. Raises Refusal."""
    sent = sendable(request, SENT | {"model"}, LEFT_OUT)
    name = model_name(sent.pop("model", None), provider)
    sent["messages"] = _messages(sent.get("messages"))
    check_tools(sent.get("tools", []), ("function",))
    if not isinstance(sent.setdefault("stream", False), bool):
        raise refuse("stream: must be true or false")
    if not sent["stream"]:
        sent.pop("stream_options", None)
    return {**sent, "model": f"{provider}/{name}", "custom_llm_provider": provider}


def read_request(body: bytes) -> dict[str, Any]:
    """The request as data. Raises Refusal."""
    try:
        request = decode(body, _DECODER)
    except Ambiguous as error:
        raise refuse(f"the body is not translated: {error}; send one JSON object") from error
    if not isinstance(request, dict):
        raise refuse("the body must be a JSON object")
    return request


def model_name(model: object, provider: str) -> str:
    """The model's name at the provider. Raises Refusal."""
    if not isinstance(model, str) or not _MODEL.fullmatch(model):
        raise refuse("model: must be a model's name, of letters, digits and . _ : @ + - / in between")
    return model.removeprefix(f"{provider}/")


def sendable(
    members: Mapping[str, Any],
    sent: AbstractSet[str],
    left_out: AbstractSet[str],
    where: str = "",
    neutral: Mapping[str, object] = NEUTRAL,
) -> dict[str, Any]:
    """What goes on of an object; what says nothing does not. Raises Refusal at what is not listed."""
    said = {
        name: value
        for name, value in members.items()
        if value is not None and not _says_nothing(neutral, name, value)
    }
    if unknown := sorted(said.keys() - sent - left_out):
        raise refuse(f"{where}{shown(unknown[0])}: not translated for this provider; remove it")
    return {name: value for name, value in said.items() if name in sent}


_DECODER: Final = decoder()


def _says_nothing(neutral: Mapping[str, object], name: str, value: object) -> bool:
    return name in neutral and value == neutral[name] and isinstance(value, type(neutral[name]) | float)


def _messages(messages: object) -> list[dict[str, Any]]:
    if not isinstance(messages, list) or not messages:
        raise refuse("messages: must be a list of messages")
    return [_message(message, f"messages[{at}]") for at, message in enumerate(messages)]


def _message(message: object, where: str) -> dict[str, Any]:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise refuse(f"{where}: must be an object with a role")
    said = {name: value for name, value in message.items() if value is not None or name == "content"}
    if unknown := sorted(said.keys() - MESSAGE_MEMBERS - MESSAGE_LEFT_OUT):
        raise refuse(f"{where}.{shown(unknown[0])}: not translated for this provider; remove it")
    content = said.get("content")
    if isinstance(content, list):
        for at, part in enumerate(content):
            _check_part(part, f"{where}.content[{at}]")
    elif content is not None and not isinstance(content, str):
        raise refuse(f"{where}.content: must be text or a list of parts")
    return {name: value for name, value in said.items() if name in MESSAGE_MEMBERS}


def _check_part(part: object, where: str) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    check = _PARTS.get(kind) if isinstance(kind, str) else None
    if check is None:
        raise refuse(f"{where}: must be a part of type {', '.join(_PARTS)}")
    assert isinstance(part, dict)
    check(part, where)


def _check_image(part: dict[str, Any], where: str) -> None:
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    if not is_data(url):
        raise refuse(
            f"{where}.image_url: nothing is fetched for this provider; send the image as a data: URL"
        )


def _check_file(part: dict[str, Any], where: str) -> None:
    file = part.get("file")
    if (
        not isinstance(file, dict)
        or file.keys() - {"file_data", "filename"}
        or not is_data(file.get("file_data"))
    ):
        raise refuse(f"{where}.file: nothing is fetched for this provider; send file_data as a data: URL")


def _check_nothing(part: dict[str, Any], where: str) -> None:
    """There is nothing in it that anybody would fetch."""


_PARTS: Final[Mapping[str, Callable[[dict[str, Any], str], None]]] = {
    "text": _check_nothing,
    "refusal": _check_nothing,
    "input_audio": _check_nothing,
    "image_url": _check_image,
    "file": _check_file,
}


def is_data(url: object) -> bool:
    """Whether a URL is the thing itself, so that nobody fetches anything."""
    return isinstance(url, str) and url.startswith("data:") and ";base64," in url[:200]


def check_tools(tools: object, kinds: Sequence[str | None], where: str = "tools") -> None:
    """Tools that are the client's own; None among the `kinds` is a tool that names none. Raises Refusal."""
    if not isinstance(tools, list):
        raise refuse(f"{where}: must be a list")
    for at, tool in enumerate(tools):
        if not isinstance(tool, dict) or tool.get("type") not in kinds:
            named = " or ".join(filter(None, kinds))
            raise refuse(f"{where}[{at}]: only tools of type {named} are translated")


def shown(name: str) -> str:
    """A member's name as a message may show it."""
    return "".join(char if char.isprintable() else "?" for char in name[:64])


def refuse(message: str) -> Refusal:
    """400: what is asked for is not translated."""
    return Refusal(400, code="not_translated", message=message)

"""Other gateways ask Pith to compress, and send by themselves."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from tests.e2e.test_dialects import TOOL_POLICY, is_cut
from tests.e2e.whole_gateway import LONG, POLICY, gateway
from tests.tracked import ROOT

UPSTREAM = "http://127.0.0.1:9"
"""Where nobody listens: nothing is forwarded."""


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    named = {**POLICY, "name": "half", "mode": "off", "match": {"team": "nobody"}}
    with gateway(tmp_path, UPSTREAM, policies=[named, TOOL_POLICY]) as port:
        yield f"http://127.0.0.1:{port}"


REQUESTS: dict[str, tuple[str, str]] = {
    "chat_completions": (
        '{ "messages":[{"role":"tool","content":%s}],"temperature": 1.10,"model":"gpt-4o","seed":1E2 }',
        "messages",
    ),
    "responses": (
        '{"input":[{"type":"function_call_output","output":%s}],"x":[ ],"model":"gpt-4o"}',
        "input",
    ),
    "anthropic_messages": (
        '{"messages":[{"role":"user","content":[{"type":"text","text":%s,"cache_control":{"type":"ephemeral"}}]}],'
        '"model":"claude-sonnet-4-5","max_tokens":1.0e3}',
        "messages",
    ),
}


@pytest.mark.parametrize("dialect", REQUESTS)
def test_the_request_comes_back_byte_for_byte_but_for_its_texts(url: str, dialect: str) -> None:
    shape, _ = REQUESTS[dialect]
    before, after = (part.encode() for part in shape.split("%s"))
    literal = json.dumps(LONG).replace("committee", "commit\\u0074ee")
    asked = b'{"dialect":"%b","request":%b}' % (dialect.encode(), before + literal.encode() + after)
    answer = httpx.post(f"{url}/pith/v1/compress", content=asked, timeout=30)
    raw = answer.content
    start = raw.index(b',"request":') + len(b',"request":')
    came = raw[start : raw.index(b',"decision":', start)]
    assert came.startswith(before)
    assert came.endswith(after)
    text = came[len(before) : len(came) - len(after)]
    assert is_cut(json.loads(text))
    assert b"commit\\u0074ee" in text
    said = answer.json()
    assert said["results"][0]["text"] == json.loads(text)
    assert said["decision"]["policy"] == "test"


def test_the_same_message_gives_the_same_bytes_with_others_and_without(url: str) -> None:
    def sent(*messages: str) -> list[Any]:
        request = {"model": "gpt-4o", "messages": [{"role": "user", "content": text} for text in messages]}
        answer = httpx.post(f"{url}/pith/v1/compress", json={"request": request}, timeout=30)
        return [message["content"] for message in answer.json()["request"]["messages"]]

    assert sent(LONG, LONG + "More.")[0] == sent(LONG)[0]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (b'{"request":{},"request":{}}', "body is not read alike by everyone (unparsable)"),
        (b'{"request":{"messages":[]},"dialect":"responses"}', "not a responses request body (no_text)"),
        (b'{"request":{},"dialect":"chat"}', "use chat_completions, responses, anthropic_messages"),
    ],
)
def test_what_cannot_be_read_is_refused(url: str, asked: bytes, message: str) -> None:
    answer = httpx.post(f"{url}/pith/v1/compress", content=asked, timeout=30)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


@pytest.fixture(scope="module")
def example() -> ModuleType:
    """LiteLLM's side, with LiteLLM's own base class."""
    spec = importlib.util.spec_from_file_location("pith_compress", ROOT / "deploy/litellm/pith_compress.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CALLS: dict[str, dict[str, Any]] = {
    "completion": {"messages": [{"role": "user", "content": LONG}]},
    "acompletion": {"messages": [{"role": "user", "content": LONG}]},
    "aresponses": {"input": LONG, "instructions": LONG},
    "anthropic_messages": {"system": "Be kind.", "messages": [{"role": "user", "content": LONG}]},
}


async def ask(callback: Any, data: dict[str, Any], call_type: str) -> Any:
    async with callback.client:
        return await callback.async_pre_call_hook(None, None, data, call_type)


@pytest.mark.parametrize("call_type", CALLS)
async def test_litellms_callback_replaces_texts_and_nothing_else(
    example: ModuleType, url: str, call_type: str
) -> None:
    known = {"model": "gpt-4o", "metadata": {"key": "kept"}, "stream": True}
    changed = await ask(example.PithCompress(url), {**known, **CALLS[call_type]}, call_type)
    assert {name: changed[name] for name in known} == known
    assert changed.get("instructions", LONG) == LONG
    text = changed["input"] if "input" in changed else changed["messages"][0]["content"]
    assert is_cut(text)


async def test_litellms_callback_leaves_other_calls_alone(example: ModuleType, url: str) -> None:
    data = {"model": "text-embedding-3-small", "input": LONG}
    assert await ask(example.PithCompress(url), data, "aembedding") is data


async def test_litellms_callback_names_a_policy(example: ModuleType, url: str) -> None:
    data = {"model": "gpt-4o", **CALLS["completion"]}
    assert await ask(example.PithCompress(url, "half"), data, "completion") == data


async def test_without_pith_the_request_goes_on_as_it_came(example: ModuleType) -> None:
    data = {"model": "gpt-4o", **CALLS["completion"]}
    assert await ask(example.PithCompress(UPSTREAM), data, "completion") == data

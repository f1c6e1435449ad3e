"""A gateway with virtual keys in front of an upstream that keeps what it was sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai

from gateway.access.keys import VirtualKey
from gateway.app import create_app
from gateway.config import load as load_config
from tests.e2e.conftest import serving
from tests.e2e.openai_upstream import OpenAIUpstream
from tests.e2e.whole_gateway import POLL_S, chat, configuration
from tests.fakes import LengthScorer

PROVIDER_KEY = "sk-provider-2f81c0"
CHAT = "/v1/chat/completions"


def plain(key: VirtualKey) -> dict[str, Any]:
    """As `keys:` in a configuration says it."""
    said: dict[str, Any] = json.loads(key.model_dump_json(exclude_defaults=True))
    return said


@dataclass
class Guarded:
    """A gateway under test."""

    port: int
    upstream: OpenAIUpstream
    scorer: LengthScorer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, key: bytes) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=key.decode(), max_retries=0)

    def ask(self, method: str, path: str, key: bytes | None = None, **more: Any) -> httpx.Response:
        headers = {**more.pop("headers", {}), **({"authorization": f"Bearer {key.decode()}"} if key else {})}
        return httpx.request(method, self.url + path, headers=headers, timeout=30, **more)

    def chat(self, key: bytes | None, text: str = "Hi.", **more: Any) -> httpx.Response:
        headers = more.pop("headers", {})
        return self.ask("POST", CHAT, key, json=chat(text, **more), headers=headers)


@contextmanager
def guarded(folder: Path, *keys: VirtualKey, **settings: Any) -> Iterator[Guarded]:
    """Running, with a key of the provider's from the environment."""
    upstream, scorer = OpenAIUpstream(), LengthScorer()
    with serving(upstream.app()) as port:
        url = f"http://127.0.0.1:{port}"
        settings = {"upstreams": {"openai": {"url": url, "key": "env:PROVIDER"}}, **settings}
        if settings.pop("takes_callers_keys", False):
            settings["upstreams"] = {"openai": {"url": url}}
        file = configuration(folder, url, keys=[plain(key) for key in keys], **settings)
        config = load_config(file, {"PROVIDER": PROVIDER_KEY}, {})
        with serving(create_app(config, scorer, poll_s=POLL_S)) as own:
            yield Guarded(own, upstream, scorer)

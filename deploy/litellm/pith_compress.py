"""A callback for LiteLLM's proxy: has Pith compress what is to be sent, and sends the rest as it is.

Put this file beside LiteLLM's configuration and name it there:

    litellm_settings:
      callbacks: pith_compress.compress

PITH_URL says where Pith is (http://127.0.0.1:8080), PITH_POLICY which policy to use (the one that matches),
PITH_KEY the virtual key to ask with, where Pith wants one. Whatever goes wrong, the request goes on as it is.
"""

from __future__ import annotations

import logging
import os
from typing import Any

import httpx
from litellm.integrations.custom_logger import CustomLogger

logger = logging.getLogger(__name__)

DIALECTS = {
    "completion": "chat_completions",
    "acompletion": "chat_completions",
    "responses": "responses",
    "aresponses": "responses",
    "anthropic_messages": "anthropic_messages",
    "aanthropic_messages": "anthropic_messages",
}
FIELDS = ("messages", "input", "instructions", "system")
"""Where texts are; the rest of what LiteLLM knows of a request is none of Pith's business."""
PATIENCE_S = 2.0


class PithCompress(CustomLogger):
    """Replaces the texts of a request by what Pith makes of them."""

    def __init__(self, url: str, policy: str | None = None, key: str | None = None) -> None:
        super().__init__()
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self.client = httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE_S, trust_env=False)
        self._policy = policy

    async def async_pre_call_hook(  # the signature is LiteLLM's
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: Any
    ) -> dict[str, Any]:
        """What LiteLLM goes on with."""
        if dialect := DIALECTS.get(str(call_type)):
            sent = {name: data[name] for name in FIELDS if data.get(name) is not None}
            request = {"model": data.get("model"), **sent}
            asked = {"request": request, "dialect": dialect, "policy": self._policy}
            try:
                answer = await self.client.post("/pith/v1/compress", json=asked)
                answer.raise_for_status()
                compressed = answer.json()["request"]
                data = {**data, **{name: compressed[name] for name in sent}}
            except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
                logger.warning("not compressed: %s", type(error).__name__)
        return data


compress = PithCompress(
    os.environ.get("PITH_URL", "http://127.0.0.1:8080"),
    os.environ.get("PITH_POLICY"),
    os.environ.get("PITH_KEY"),
)

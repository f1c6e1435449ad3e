"""Which dialect a request speaks, told from its method and path."""

from __future__ import annotations

import re
from typing import Final

from gateway.dialects import Dialect
from gateway.dialects.anthropic_messages import COUNT_TOKENS, MESSAGES
from gateway.dialects.chat_completions import CHAT_COMPLETIONS
from gateway.dialects.responses import RESPONSES

DIALECTS: Final = {dialect.name: dialect for dialect in (CHAT_COMPLETIONS, RESPONSES, MESSAGES)}
"""By the name under which they are asked for."""

_PATHS: Final = (
    (re.compile(r"(?:/openai)?(?:/v1)?/chat/completions"), CHAT_COMPLETIONS),
    (re.compile(r"/openai/deployments/[^/]+/chat/completions"), CHAT_COMPLETIONS),
    (re.compile(r"(?:/openai)?(?:/v1)?/responses"), RESPONSES),
    (re.compile(r"(?:/anthropic)?(?:/v1)?/messages"), MESSAGES),
    (re.compile(r"(?:/anthropic)?(?:/v1)?/messages/count_tokens"), COUNT_TOKENS),
)
"""OpenAI's, Azure's and Anthropic's, and as clients ask whose base URL ends without `/v1`."""

_DEPLOYMENT: Final = re.compile(r"/openai/deployments/([^/]+)/")


def dialect_of(method: str, path: str) -> Dialect | None:
    """Where texts are compressed; every other request is passed through unread."""
    if method != "POST":
        return None
    return next((dialect for pattern, dialect in _PATHS if pattern.fullmatch(path)), None)


def deployment_of(path: str) -> str | None:
    """Azure's name for the model, which its older paths hold and its bodies may not."""
    match = _DEPLOYMENT.match(path)
    return match[1] if match else None

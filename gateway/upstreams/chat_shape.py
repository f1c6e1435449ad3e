"""Chat completions through litellm, which speaks them itself (pure)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from gateway.refusal import error_body
from gateway.upstreams.providers import call_arguments
from gateway.upstreams.shape import Asked, Chunks
from gateway.upstreams.translation import DONE, completion, data, event


def translate(request: dict[str, Any], provider: str) -> Asked:
    """Raises Refusal."""
    return Asked(call_arguments(request, provider), _whole, _events, _failed)


def _whole(answer: Any) -> bytes:
    return completion(answer.model_dump(warnings=False))


async def _events(chunks: Chunks) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        yield event(chunk.model_dump(warnings=False))
    yield DONE


def _failed(message: str, kind: str) -> bytes:
    return data(error_body(message, kind, None))

"""Compression as others do it: harder the farther back a message is, so old messages are rewritten."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from compressor import CompressionParams, Engine, Scorer

Json = dict[str, Any]

RATES: Final = ((2, 1.0), (8, 0.6))
"""The last two messages stay; those before, up to the eighth, at 0.6; what is older at `OLD`."""
OLD: Final = 0.3
MIN_CHARACTERS: Final = 2000


class Naive:
    """Compresses the texts of users and tools by their place from the end."""

    def __init__(self, scorer: Scorer) -> None:
        self._engine = Engine(scorer)
        self._known: dict[tuple[str, float], str] = {}

    async def messages(self, messages: Sequence[Json]) -> list[Json]:
        """What is sent instead."""
        n = len(messages)
        return [await self._message(message, n - i) for i, message in enumerate(messages)]

    async def aclose(self) -> None:
        await self._engine.aclose()

    async def _message(self, message: Json, place: int) -> Json:
        rate = next((rate for last, rate in RATES if place <= last), OLD)
        text = message["content"]
        if rate == 1.0 or message["role"] not in ("user", "tool") or len(text) < MIN_CHARACTERS:
            return message
        if (text, rate) not in self._known:
            [done] = await self._engine.compress([text], CompressionParams(rate=rate))
            self._known[text, rate] = done.text
        return {**message, "content": self._known[text, rate]}


def rewritten(naive: Naive, messages: Sequence[Json], loop: asyncio.AbstractEventLoop) -> list[Json]:
    """`Naive.messages`, from outside the loop."""
    return loop.run_until_complete(naive.messages(messages))

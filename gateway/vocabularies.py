"""The vocabularies of target models, in memory when they are needed.

The usual one is loaded at the start. Another takes 0.2 s at the first request for such a model: on a thread,
for the event loop cannot wait for it, and before the request's time for scores begins.
"""

from __future__ import annotations

import asyncio

from compressor import counter
from compressor.tokens import is_loaded


async def have_vocabulary(encoding: str) -> None:
    """Return once tokens of this encoding can be counted at once."""
    if not is_loaded(encoding):
        await asyncio.to_thread(counter, encoding)

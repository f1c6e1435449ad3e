"""gateway.vocabularies: a vocabulary that is not there is loaded away from the event loop."""

from __future__ import annotations

import asyncio

from compressor import counter
from compressor.tokens import is_loaded
from gateway.vocabularies import have_vocabulary


async def test_it_is_there_when_it_was_waited_for() -> None:
    await have_vocabulary("p50k_base")
    assert is_loaded("p50k_base")


async def test_many_who_wait_get_one() -> None:
    await asyncio.gather(*(have_vocabulary("p50k_base") for _ in range(8)))
    assert counter("p50k_base") is counter("p50k_base")


async def test_what_is_there_is_not_waited_for() -> None:
    counter("o200k_base")
    waiting = have_vocabulary("o200k_base")
    try:
        waiting.send(None)
    except StopIteration:
        return
    raise AssertionError("it gave the loop away")

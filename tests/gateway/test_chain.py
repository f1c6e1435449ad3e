from __future__ import annotations

import asyncio
import math

import pytest

from gateway.cache.memory import MemoryCache
from gateway.chain import Chains, Link, named_in_path
from gateway.hashing import Secret

SECRET = Secret(b"s" * 32)
LINK = Link("ab" * 32, "openai")


@pytest.fixture
def cache() -> MemoryCache:
    return MemoryCache(1 << 20, lambda: 0.0)


async def noted(chains: Chains, link: Link = LINK) -> None:
    chains.note("tenant", "resp_1", link)
    await asyncio.sleep(0)  # its turn


async def test_what_was_noted_is_found_by_the_same_tenant(cache: MemoryCache) -> None:
    chains = Chains(cache, SECRET)
    await noted(chains)
    assert await chains.find("tenant", "resp_1") == LINK
    assert await chains.find("tenant", "resp_2") is None
    assert await chains.find("other", "resp_1") is None


async def test_the_first_note_stands(cache: MemoryCache) -> None:
    chains = Chains(cache, SECRET)
    await noted(chains)
    await noted(chains, Link(None, "elsewhere"))
    assert await chains.find("tenant", "resp_1") == LINK


async def test_the_model_of_an_answer_without_usage_is_noted(cache: MemoryCache) -> None:
    chains = Chains(cache, SECRET)
    await noted(chains, Link(None, "openai", "gpt-4o"))
    assert await chains.find("tenant", "resp_1") == Link(None, "openai", "gpt-4o")


async def test_a_link_may_have_no_conversation(cache: MemoryCache) -> None:
    chains = Chains(cache, SECRET)
    await noted(chains, Link(None, "openai"))
    assert await chains.find("tenant", "resp_1") == Link(None, "openai")


@pytest.mark.parametrize(
    "value", [b"", b"{", b"1", b"{}", b'{"upstream":1}', b'{"upstream":"a","conversation":1}']
)
async def test_garbage_is_nothing_noted(cache: MemoryCache, value: bytes) -> None:
    key = SECRET.keyed(b"chain", b"tenant", b"resp_1")
    await cache.put_if_absent(key, value, math.inf)
    assert await Chains(cache, SECRET).find("tenant", "resp_1") is None


async def test_a_name_with_half_a_character_is_a_name(cache: MemoryCache) -> None:
    assert await Chains(cache, SECRET).find("tenant", "\ud83d") is None


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/responses/resp_1", "resp_1"),
        ("/responses/resp_1/cancel", "resp_1"),
        ("/openai/v1/responses/resp_1/input_items", "resp_1"),
        ("/v1/responses", None),
        ("/v1/responses/", None),
        ("/v1/chat/completions/x", None),
    ],
)
def test_the_path_names_a_kept_answer(path: str, name: str | None) -> None:
    assert named_in_path(path) == name

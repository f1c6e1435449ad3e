"""A whole request compressed for another gateway: how its texts are worked on."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compressor import Compressed, CompressionParams
from gateway.access.principal import Principal
from gateway.offload import INLINE_BYTES
from gateway.sidecar import Answer, compress_request
from policies.match import PolicySet
from tests.gateway.pipeline import pipeline, policy_set

POLICY = policy_set({"name": "half", "params": {"rate": 0.5, "min_tokens": 0, "roles": ["user", "tool"]}})


@dataclass
class Watched:
    """The first half of a text, as spans that say which thread looks at them."""

    n_characters: int
    threads: set[int]

    def __array__(self, dtype: object = None, copy: bool | None = None) -> NDArray[np.int32]:
        self.threads.add(threading.get_ident())
        return np.array([[0, self.n_characters // 2]], np.int32)


@dataclass
class FirstHalf:
    """A compressor that remembers how it was called, and who read its results."""

    calls: list[list[str]] = field(default_factory=list)
    readers: set[int] = field(default_factory=set)
    tenants: set[str] = field(default_factory=set)

    async def compress(
        self,
        texts: Sequence[str],
        params: CompressionParams,
        *,
        tenant: str = "",
        deadline_s: float | None = None,
    ) -> list[Compressed]:
        self.calls.append(list(texts))
        self.tenants.add(tenant)
        kept: list[Any] = [Watched(len(text), self.readers) for text in texts]
        halves = [text[: len(text) // 2] for text in texts]
        return [Compressed(half, 2, 1, spans) for half, spans in zip(halves, kept, strict=True)]


async def asked(compressor: FirstHalf, *messages: tuple[str, str], policies: PolicySet = POLICY) -> Answer:
    services = replace(pipeline(policies).services, compressor=compressor)
    request = {"model": "gpt-4o", "messages": [{"role": role, "content": text} for role, text in messages]}
    body = {"request": request}
    answer = await compress_request(json.dumps(body).encode(), body, Principal("tenant", "key"), services)
    services.offload.close()
    return answer


@pytest.mark.parametrize(("scope", "tenant"), [("tenant", "tenant"), ("shared", "shared")])
async def test_scores_are_shared_as_the_policy_says(scope: str, tenant: str) -> None:
    compressor = FirstHalf()
    policy = {"name": "p", "cache_scope": scope, "params": {"rate": 0.5, "min_tokens": 0}}
    await asked(compressor, ("user", "ab"), policies=policy_set(policy))
    assert compressor.tenants == {tenant}


async def test_texts_that_are_asked_for_alike_are_compressed_at_one_go() -> None:
    compressor = FirstHalf()
    answer = await asked(
        compressor, ("user", "ab"), ("tool", "cdef"), ("assistant", "as it is"), ("user", "gh")
    )
    assert compressor.calls == [["ab", "cdef", "gh"]]
    said = [message["content"] for message in json.loads(answer.request)["messages"]]
    assert said == ["a", "cd", "as it is", "g"]
    assert [result.text for result in answer.results] == ["a", "cd", "g"]


async def test_in_shadow_mode_results_are_shown_and_only_marks_are_taken_out() -> None:
    shadow = policy_set({"name": "s", "mode": "shadow", "params": {"rate": 0.5, "marks": ["user"]}})
    text = 'one <pith keep>two</pith> "three"'
    answer = await asked(FirstHalf(), ("user", text), policies=shadow)
    assert json.loads(answer.request)["messages"] == [{"role": "user", "content": 'one two "three"'}]
    assert len(answer.results) == 1


async def test_a_long_text_is_cut_apart_from_the_event_loop() -> None:
    compressor = FirstHalf()
    await asked(compressor, ("user", "word " * INLINE_BYTES))
    assert compressor.readers
    assert threading.get_ident() not in compressor.readers

"""gateway.texts: what is remembered, what is recorded for a conversation; both give the same bytes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest

from compressor import Compressed, CompressionParams, counter
from compressor.flow import whole
from compressor.render import slice_text
from compressor.types import SkipReason
from gateway.cache.memory import MemoryCache
from gateway.conversation import Pins
from gateway.hashing import Secret
from gateway.offload import Offload
from gateway.texts import Finished, Text, Texts

SECRET = Secret(b"s" * 32)
PARAMS = CompressionParams(rate=0.5)
TOKENIZER = PARAMS.tokenizer


class FirstHalf:
    """A compressor that keeps the first half of every text; leaves texts whole when told to."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.skip: SkipReason | None = None
        self.rewritten: str | None = None

    async def compress(
        self,
        texts: Sequence[str],
        params: CompressionParams,
        *,
        tenant: str = "",
        deadline_s: float | None = None,
    ) -> list[Compressed]:
        self.texts += texts
        if self.skip:
            return [whole(text, params, self.skip) for text in texts]
        if self.rewritten is not None:
            return [_rewritten(text, self.rewritten) for text in texts]
        return [_half(text) for text in texts]


def _half(text: str) -> Compressed:
    kept = np.array([[0, len(text) // 2]], np.int32)
    count = counter(TOKENIZER).count
    return Compressed(slice_text(text, kept), count(text), count(slice_text(text, kept)), kept, cache="miss")


def _rewritten(text: str, new: str) -> Compressed:
    count = counter(TOKENIZER).count
    return Compressed(new, count(text), count(new), np.empty((0, 2), np.int32), is_rewritten=True)


@pytest.fixture
def compressor() -> FirstHalf:
    return FirstHalf()


@pytest.fixture
async def texts(compressor: FirstHalf) -> AsyncIterator[Texts]:
    offload = Offload(threads=1)
    memo, shared = MemoryCache(1 << 20, lambda: 0.0), MemoryCache(1 << 20, lambda: 0.0)
    yield Texts(compressor, memo, Pins(shared, SECRET, offload), SECRET, offload)
    offload.close()


def text(value: str, params: CompressionParams | None = PARAMS) -> Text:
    return Text(json.dumps(value).encode(), TOKENIZER, params)


def result_of(literal: bytes, finished: Finished) -> str:
    """The text that goes on."""
    if finished.kept is None:
        return str(json.loads(literal))
    return str(
        json.loads(b'"' + b"".join(literal[start:end] for start, end in finished.kept.tolist()) + b'"')
    )


async def finish(texts: Texts, *asked: Text, conversation: str = "c", tenant: str = "t") -> list[Finished]:
    return await texts.finish(tenant, conversation, asked, 1.0)


async def test_spans_of_the_text_become_spans_of_its_literal(texts: Texts) -> None:
    asked = text("héllo \n wörld 🌍 and more")
    [finished] = await finish(texts, asked)
    assert result_of(asked.literal, finished) == "héllo \n wörl"


async def test_what_was_finished_once_is_remembered(texts: Texts, compressor: FirstHalf) -> None:
    asked = text("one two three four")
    [first], [second] = await finish(texts, asked), await finish(texts, asked, conversation="other")
    assert compressor.texts == ["one two three four"]
    assert (first.cache, second.cache) == ("miss", "hit")
    assert second.kept is not None
    assert first.kept is not None
    assert second.kept.tolist() == first.kept.tolist()
    assert (second.origin_tokens, second.compressed_tokens) == (first.origin_tokens, first.compressed_tokens)


@pytest.mark.parametrize("other", [{"tenant": "u"}, {}])
async def test_other_tenants_and_params_are_asked_anew(
    texts: Texts, compressor: FirstHalf, other: dict[str, str]
) -> None:
    await finish(texts, text("one two three four"))
    params = PARAMS if other else CompressionParams(rate=0.4)
    await finish(texts, text("one two three four", params), **other)
    assert len(compressor.texts) == 2


async def test_texts_left_alone_are_counted_and_nothing_else(texts: Texts, compressor: FirstHalf) -> None:
    [finished] = await finish(texts, text("one two three", None))
    assert (finished.kept, finished.origin_tokens, finished.compressed_tokens) == (None, 3, 3)
    assert (finished.skip, compressor.texts) == (None, [])


@pytest.mark.parametrize("reason", ["deadline", "overloaded", "scorer_down"])
async def test_left_whole_for_a_moment_is_left_whole_for_the_conversation(
    texts: Texts, compressor: FirstHalf, reason: SkipReason
) -> None:
    asked = text("one two three four")
    compressor.skip = reason
    [first] = await finish(texts, asked)
    compressor.skip = None
    [later], [elsewhere] = await finish(texts, asked), await finish(texts, asked, conversation="other")
    assert (first.kept, first.skip) == (None, reason)
    assert (later.kept, later.skip) == (None, reason), "also when its scores are known by now"
    assert elsewhere.kept is not None
    [still] = await finish(texts, asked)
    assert still.kept is None


@pytest.mark.parametrize("reason", ["short", "structured", "no_gain", "verify_failed", "compat_failed"])
async def test_left_whole_for_good_is_remembered(
    texts: Texts, compressor: FirstHalf, reason: SkipReason
) -> None:
    compressor.skip = reason
    [first], [second] = await finish(texts, text("one two")), await finish(texts, text("one two"))
    assert (first.skip, second.skip, len(compressor.texts)) == (reason, reason, 1)


async def test_what_is_no_cut_of_the_text_takes_its_place_and_is_not_remembered(
    texts: Texts, compressor: FirstHalf
) -> None:
    compressor.rewritten = 'a "new" text'
    asked = text("one two")
    [first], [second] = await finish(texts, asked), await finish(texts, asked)
    assert (first.kept, first.rewritten) == (None, b'"a \\"new\\" text"')
    assert (first.origin_tokens, first.compressed_tokens, first.skip) == (2, 5, None)
    assert (second.rewritten, compressor.texts) == (first.rewritten, ["one two"] * 2)


async def test_a_text_that_is_no_unicode_is_left_alone(texts: Texts, compressor: FirstHalf) -> None:
    lone = Text(b'"\\ud800 one two"', TOKENIZER, PARAMS)
    [finished, other] = await finish(texts, lone, text("one two"))
    assert (finished.kept, finished.skip) == (None, "no_gain")
    assert other.kept is not None
    assert compressor.texts == ["one two"]


async def test_no_texts_at_all(texts: Texts) -> None:
    assert await finish(texts) == []

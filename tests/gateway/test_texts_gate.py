"""gateway.texts with a gate: judged once, at first sight; the verdict binds the conversation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest

from compressor import CompressionParams
from gateway.benefit import Verdict
from gateway.cache.memory import MemoryCache
from gateway.conversation import Pins
from gateway.offload import Offload
from gateway.texts import Finished, Texts
from tests.gateway.test_texts import PARAMS, SECRET, FirstHalf, text

LONG, OTHER = "one two three four five six seven eight", "nine ten eleven twelve thirteen fourteen"


@dataclass
class Judge:
    """A gate of the test's own; remembers what it was asked."""

    verdict: Verdict
    is_recorded: bool = True
    asked: list[list[int]] = field(default_factory=list)

    def judge(self, finished: Sequence[Finished], new: Sequence[int]) -> Verdict:
        self.asked.append(list(new))
        return Verdict(min(self.verdict.n_whole, len(new)), self.verdict.is_close)


@pytest.fixture
async def texts() -> AsyncIterator[Texts]:
    offload = Offload(threads=1)
    memo, shared = MemoryCache(1 << 20, lambda: 0.0), MemoryCache(1 << 20, lambda: 0.0)
    yield Texts(FirstHalf(), memo, Pins(shared, SECRET, offload), SECRET, offload)
    offload.close()


async def skips(texts: Texts, *values: str, gate: Judge, conversation: str = "c") -> list[str | None]:
    finished = await texts.finish("t", conversation, [text(value) for value in values], 1.0, gate)
    assert all((one.skip is None) == one.is_cut for one in finished)
    return [one.skip for one in finished]


WHOLE, CLOSE, CLEAR = Verdict(1, True), Verdict(0, True), Verdict(0, False)


async def test_what_does_not_pay_is_left_whole_and_stays_so(texts: Texts) -> None:
    assert await skips(texts, LONG, OTHER, gate=Judge(WHOLE)) == ["no_benefit", None]
    again = Judge(CLEAR)
    assert await skips(texts, LONG, OTHER, gate=again) == ["no_benefit", None]
    assert again.asked == [], "both are decided"


async def test_what_was_compressed_stays_compressed_although_it_would_be_judged_otherwise(
    texts: Texts,
) -> None:
    assert await skips(texts, LONG, gate=Judge(CLOSE)) == [None]
    later = Judge(WHOLE)
    assert await skips(texts, LONG, OTHER, gate=later) == [None, "no_benefit"]
    assert later.asked == [[1]], "only what is new"


async def test_a_text_that_stands_there_twice_goes_on_alike(texts: Texts) -> None:
    assert await skips(texts, LONG, LONG, gate=Judge(WHOLE)) == ["no_benefit"] * 2


@pytest.mark.parametrize(("first", "second"), [(WHOLE, CLOSE), (CLOSE, WHOLE)])
async def test_of_two_that_are_judged_at_one_time_the_first_to_be_recorded_decides(
    texts: Texts, first: Verdict, second: Verdict
) -> None:
    one, other = await asyncio.gather(
        skips(texts, LONG, gate=Judge(first)), skips(texts, LONG, gate=Judge(second))
    )
    assert one == other


async def test_another_conversation_is_judged_afresh(texts: Texts) -> None:
    await skips(texts, LONG, gate=Judge(WHOLE))
    assert await skips(texts, LONG, gate=Judge(CLEAR), conversation="d") == [None]


async def test_a_clear_verdict_needs_no_record(texts: Texts) -> None:
    first, second = Judge(CLEAR), Judge(CLEAR)
    await skips(texts, LONG, gate=first)
    await skips(texts, LONG, gate=second)
    assert (first.asked, second.asked) == ([[0]], [[0]])


async def test_where_nothing_is_applied_no_verdict_binds(texts: Texts) -> None:
    assert await skips(texts, LONG, gate=Judge(WHOLE, is_recorded=False)) == ["no_benefit"]
    assert await skips(texts, LONG, gate=Judge(CLEAR)) == [None]


async def test_what_is_not_compressed_is_not_judged(texts: Texts) -> None:
    gate = Judge(WHOLE)
    alone = text(LONG, None)
    marked = text(OTHER, CompressionParams(rate=0.5, marks=True, tokenizer=PARAMS.tokenizer))
    await texts.finish("t", "c", [alone, marked], 1.0, gate)
    assert gate.asked == []

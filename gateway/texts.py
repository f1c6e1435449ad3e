"""The texts of one request to what becomes of each: remembered, left whole as recorded, or compressed now.

What one string literal came to under given parameters is a pure function (law 3), so it is remembered in this
process: a conversation already seen costs one keyed hash and one look-up a message. Values hold spans and
counts, never text. What depended on the moment (a deadline missed, a scorer down) is not remembered but
recorded for the conversation, so that its later turns forward the same bytes (law 4).
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol

import numpy as np
import orjson

from compressor import Compressed, CompressionParams, Compressor, counter
from compressor.flow import whole
from compressor.turns import give_way
from compressor.types import Spans
from gateway.benefit import Verdict
from gateway.conversation import COMPRESSED, Pins
from gateway.hashing import Secret
from gateway.offload import Offload
from gateway.splice import decode, raw_spans
from gateway.types import Cache

logger = logging.getLogger(__name__)

MEMO_TTL_S = 24 * 3600.0
NO_BENEFIT: Final = "no_benefit"
"""The skip reason of a text that is left whole because compressing it would not pay."""
_HEAD = struct.Struct("<III")
_SKIPS = ("", "short", "structured", "no_gain", "verify_failed", "compat_failed")
"""Outcomes that depend on the text and the parameters alone, by their code in the memo."""
_UNSCORED = ("short", "structured")
"""Outcomes for which no scores were wanted."""


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal of a request body, quotes included, and what is asked for it."""

    literal: bytes
    tokenizer: str
    params: CompressionParams | None
    """None: left alone, only counted."""
    is_unmarked: bool = False
    """Left alone but for its in-text marks, which are cut out of whatever goes on."""

    def left_alone(self) -> Text:
        """The same text, not to be compressed."""
        return Text(self.literal, self.tokenizer, None, self.params is not None and self.params.marks)


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """What became of a text. `kept` are byte spans of the literal; None leaves it as it is."""

    kept: Spans | None
    origin_tokens: int
    compressed_tokens: int
    skip: str | None = None
    cache: str | None = None
    rewritten: bytes | None = None
    """The literal to put in its place (fidelity compat): it is text, so it is not remembered."""

    @property
    def is_cut(self) -> bool:
        """Something else goes on than what came."""
        return self.kept is not None or self.rewritten is not None

    @property
    def sent_tokens(self) -> int:
        """Of what goes on, where it is applied."""
        return self.compressed_tokens if self.is_cut else self.origin_tokens

    def left_whole(self, skip: str) -> Finished:
        """The same text, as it came."""
        return Finished(None, self.origin_tokens, self.origin_tokens, skip, self.cache)


class Gate(Protocol):
    """Judges whether texts that would be compressed are better left whole."""

    @property
    def is_recorded(self) -> bool:
        """Whether the verdict binds the conversation: not where nothing is applied."""

    def judge(self, finished: Sequence[Finished], new: Sequence[int]) -> Verdict:
        """How many of the new texts, by their indices, are left whole."""


class Texts:
    """Finishes texts. Never raises for trouble of the compressor: that is a `skip`."""

    def __init__(
        self, compressor: Compressor, memo: Cache, pins: Pins, secret: Secret, offload: Offload
    ) -> None:
        self._compressor = compressor
        self._memo = memo
        self._pins = pins
        self._secret = secret
        self._offload = offload

    async def finish(
        self,
        tenant: str,
        conversation: str,
        texts: Sequence[Text],
        deadline_s: float,
        gate: Gate | None = None,
    ) -> list[Finished]:
        """One result a text, in order."""
        deadline = asyncio.get_running_loop().time() + deadline_s
        size = sum(len(text.literal) for text in texts)
        digests = await self._offload(size, self._digests, tenant, texts)
        reasons = await self._left_whole(tenant, conversation, texts, digests)
        asked = [text.left_alone() if why else text for text, why in zip(texts, reasons, strict=True)]
        keys = await self._offload(size, self._keys, asked, digests)
        results = [_unpack(value) for value in await self._memo.get_many(keys)]
        missing = [i for i, result in enumerate(results) if result is None]
        done = await self._work(tenant, [asked[i] for i in missing], deadline) if missing else []
        for i, result in zip(missing, done, strict=True):
            results[i] = result
            await self._remember(tenant, conversation, keys[i], digests[i], result)
        finished = [
            replace(result, skip=why) if why else result
            for result, why in zip(results, reasons, strict=True)
            if result is not None
        ]
        if gate is not None:
            new = [i for i in _worth_judging(asked, finished) if reasons[i] is None]
            await self._judge(tenant, conversation, gate, digests, finished, new)
        return finished

    async def _judge(
        self,
        tenant: str,
        conversation: str,
        gate: Gate,
        digests: Sequence[bytes],
        finished: list[Finished],
        new: Sequence[int],
    ) -> None:
        """Leave whole, and record, what does not pay; what might look different later is recorded, too.

        What was recorded first is in force: the same text may stand here twice, or be judged elsewhere now.
        """
        verdict = gate.judge(finished, new) if new else Verdict(0, is_close=False)
        bound = new if verdict.is_close else new[: verdict.n_whole]
        reasons = [NO_BENEFIT if n < verdict.n_whole else COMPRESSED for n in range(len(bound))]
        if gate.is_recorded:
            record = partial(self._pins.leave_whole, tenant, conversation)
            digested = [digests[i] for i in bound]
            reasons = await asyncio.gather(*map(record, digested, reasons))
        for i, why in zip(bound, reasons, strict=True):
            if why:
                finished[i] = finished[i].left_whole(why)

    def _digests(self, tenant: str, texts: Sequence[Text]) -> list[bytes]:
        return [self._secret.keyed(b"text", tenant.encode(), text.literal) for text in texts]

    def _keys(self, texts: Sequence[Text], digests: Sequence[bytes]) -> list[bytes]:
        """Memo keys: what is asked is spelled once, not once per text."""
        asked = [(text.tokenizer, text.params, text.is_unmarked) for text in texts]
        spelled = {ask: repr(ask).encode() for ask in set(asked)}
        return [
            self._secret.keyed(b"memo", digest, spelled[ask])
            for ask, digest in zip(asked, digests, strict=True)
        ]

    async def _left_whole(
        self, tenant: str, conversation: str, texts: Sequence[Text], digests: Sequence[bytes]
    ) -> list[str | None]:
        covered = [i for i, text in enumerate(texts) if text.params is not None]
        reasons: list[str | None] = [None] * len(texts)
        found = await self._pins.left_whole(tenant, conversation, [digests[i] for i in covered])
        for i, reason in zip(covered, found, strict=True):
            reasons[i] = reason
        return reasons

    async def _work(self, tenant: str, texts: Sequence[Text], deadline: float) -> list[Finished]:
        """Texts not remembered: count those to be left alone, compress the others, all by one deadline."""
        size = sum(len(text.literal) for text in texts)
        decoded = await self._offload(size, _decode_all, texts)
        results: list[Finished | None] = list(await self._offload(size, _count_all, texts, decoded))
        groups: dict[CompressionParams, list[int]] = {}
        for i, text in enumerate(texts):
            if text.params is not None and results[i] is None:
                groups.setdefault(text.params, []).append(i)
        deadline_s = max(0.0, deadline - asyncio.get_running_loop().time())
        compressed = await asyncio.gather(
            *(
                self._compress([decoded[i] or "" for i in members], params, tenant, deadline_s)
                for params, members in groups.items()
            )
        )
        for members, group in zip(groups.values(), compressed, strict=True):
            literals = [texts[i].literal for i in members]
            for i, result in zip(members, await self._offload(size, _map_all, literals, group), strict=True):
                results[i] = result
        return [result for result in results if result is not None]

    async def _compress(
        self, texts: Sequence[str], params: CompressionParams, tenant: str, deadline_s: float
    ) -> list[Compressed]:
        try:
            return await self._compressor.compress(texts, params, tenant=tenant, deadline_s=deadline_s)
        except Exception:  # the fail-open line, close by: texts sent before keep their bytes (law 4)
            logger.exception("compression failed; the texts go on whole")
            size = sum(map(len, texts))
            return await self._offload(size, lambda: [whole(text, params, "scorer_down") for text in texts])

    async def _remember(
        self, tenant: str, conversation: str, key: bytes, digest: bytes, result: Finished
    ) -> None:
        if result.rewritten is not None:
            return
        if (result.skip or "") in _SKIPS:
            await self._memo.put_if_absent(key, _pack(result), MEMO_TTL_S)
        elif result.skip is not None:
            await self._pins.leave_whole(tenant, conversation, digest, result.skip)


def _worth_judging(texts: Sequence[Text], finished: Sequence[Finished]) -> list[int]:
    """Texts that would be compressed. In-text marks are cut out in any case, so such a text is not judged."""
    return [
        i
        for i, (text, result) in enumerate(zip(texts, finished, strict=True))
        if result.is_cut and text.params is not None and not text.params.marks
    ]


def _decode_all(texts: Sequence[Text]) -> list[str | None]:
    return [decode(text.literal) for text in texts]


def _count_all(texts: Sequence[Text], decoded: Sequence[str | None]) -> list[Finished | None]:
    """Results for texts that are only counted, or are no Unicode text; None for those to compress."""
    results: list[Finished | None] = [None] * len(texts)
    counted: dict[str, list[int]] = {}
    for i, (text, value) in enumerate(zip(texts, decoded, strict=True)):
        if value is not None and text.is_unmarked:
            give_way()
            unmarked = whole(value, CompressionParams(marks=True, tokenizer=text.tokenizer), "no_gain")
            results[i] = _map(text.literal, unmarked)
        elif value is None or text.params is None:
            counted.setdefault(text.tokenizer, []).append(i)
    for tokenizer, members in counted.items():
        values = [decoded[i] for i in members]
        spelled = [
            texts[i].literal.decode() if v is None else v for i, v in zip(members, values, strict=True)
        ]
        for i, tokens in zip(members, counter(tokenizer).count_all(spelled), strict=True):
            results[i] = Finished(None, tokens, tokens, "no_gain" if texts[i].params else None)
    return results


def _map_all(literals: Sequence[bytes], compressed: Sequence[Compressed]) -> list[Finished]:
    """Character spans of the texts to byte spans of their literals."""
    return [_map(literal, result) for literal, result in zip(literals, compressed, strict=True)]


def _map(literal: bytes, result: Compressed) -> Finished:
    if result.is_rewritten:
        counts = result.origin_tokens, result.compressed_tokens
        return Finished(None, *counts, result.skip, result.cache, orjson.dumps(result.text))
    spans = raw_spans(literal, result.kept)
    is_whole = len(spans) <= 1 and int((spans[:, 1] - spans[:, 0]).sum()) == len(literal) - 2
    kept = None if is_whole else spans
    return Finished(kept, result.origin_tokens, result.compressed_tokens, result.skip, result.cache)


def _pack(result: Finished) -> bytes:
    spans = b"" if result.kept is None else b"s" + np.ascontiguousarray(result.kept, "<i4").tobytes()
    return _HEAD.pack(_SKIPS.index(result.skip or ""), result.origin_tokens, result.compressed_tokens) + spans


def _unpack(value: bytes | None) -> Finished | None:
    if value is None:
        return None
    skip, origin_tokens, compressed_tokens = _HEAD.unpack_from(value)
    spans = value[_HEAD.size :]
    kept = np.frombuffer(spans, "<i4", offset=1).reshape(-1, 2) if spans else None
    cache = None if _SKIPS[skip] in _UNSCORED else "hit"
    return Finished(kept, origin_tokens, compressed_tokens, _SKIPS[skip] or None, cache)

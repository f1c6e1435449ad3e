"""The tokens of one prompt by message, as it came and as it goes on, and what tells its prefixes apart. Pure.

A message counts its texts and what the chat format adds to it, and with `with_calls` the tools it calls; what
else is in it (images, names) is not counted: `token_error` in the ledger shows how much that is. Texts that
belong to no message (a `system` of its own) come before the first, as the tools do.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from gateway.dialects import ChatRequest
from gateway.hashing import Secret
from gateway.texts import Finished

MESSAGE_TOKENS = 4
"""What the chat format adds to each message: three, and its role (OpenAI's counting guide)."""
ANSWER_TOKENS = 3
"""What it adds once, to the head of the answer."""

_MARK = re.compile(rb'"cache_control"\s*:\s*\{')
"""A client's mark in the bytes of a message: inside a text the quotes would have backslashes before them."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One prompt. Index i of a chain or of counts stands for the first i messages."""

    origin_tokens: tuple[int, ...]
    sent_tokens: tuple[int, ...]
    origin_chain: tuple[bytes, ...]
    """A keyed hash of each prefix as it came."""
    sent_chain: tuple[bytes, ...]
    """The same as it goes on."""
    marks: tuple[int, ...]
    """Which prefixes end with a mark of the client's."""
    answered: tuple[int, ...]
    """Which prefixes come before an answer of the model's, and the whole: what was sent by itself once."""
    is_exact: bool

    @property
    def mark(self) -> int | None:
        """The last mark."""
        return self.marks[-1] if self.marks else None


def shape_of(
    body: bytes, request: ChatRequest, finished: Sequence[Finished], secret: Secret, is_exact: bool
) -> Shape:
    """The shape of a request whose texts go on as they are finished."""
    n_messages = len(request.messages)
    starts = [message.start for message in request.messages]
    origin, went, edits = [0] * (n_messages + 1), [0] * (n_messages + 1), [b""] * (n_messages + 1)
    for site, result in zip(request.texts, finished, strict=True):
        at = bisect_right(starts, site.start)
        if at and site.start >= request.messages[at - 1].end:  # of no message, wherever its key stands
            at = 0
        origin[at] += result.origin_tokens
        went[at] += result.sent_tokens
        if result.is_cut:
            edits[at] += _edit(result)
    overhead = [0, *[MESSAGE_TOKENS] * n_messages]
    digests = [secret.keyed(b"message", message.identity(body)) for message in request.messages]
    return Shape(
        origin_tokens=_summed(origin, overhead),
        sent_tokens=_summed(went, overhead),
        origin_chain=tuple(_chain(secret, b"origin", digests, [b""] * (n_messages + 1))),
        sent_chain=tuple(_chain(secret, b"sent", digests, edits)),
        marks=tuple(_marks(body, request)),
        answered=tuple(_answered(request)),
        is_exact=is_exact,
    )


def with_calls(shape: Shape, tokens: Sequence[int]) -> Shape:
    """The same with what is billed besides texts: `tokens` of the tools, then of each message's calls."""
    added = tuple(accumulate(tokens))
    return replace(
        shape,
        origin_tokens=tuple(map(sum, zip(shape.origin_tokens, added, strict=True))),
        sent_tokens=tuple(map(sum, zip(shape.sent_tokens, added, strict=True))),
    )


def as_it_came(shape: Shape) -> Shape:
    """The same where nothing is applied: what goes on is what came."""
    return replace(shape, sent_tokens=shape.origin_tokens, sent_chain=shape.origin_chain)


def _edit(result: Finished) -> bytes:
    """What tells one outcome of a text from another."""
    if result.rewritten is not None:
        return result.rewritten
    return b"" if result.kept is None else np.ascontiguousarray(result.kept, "<i4").tobytes()


def _summed(texts: Sequence[int], overhead: Sequence[int]) -> tuple[int, ...]:
    sums = list(accumulate(map(sum, zip(texts, overhead, strict=True))))
    sums[-1] += ANSWER_TOKENS
    return tuple(sums)


def _chain(secret: Secret, kind: bytes, digests: Sequence[bytes], edits: Sequence[bytes]) -> Iterator[bytes]:
    rolling = secret.keyed(b"chain", kind, edits[0])
    yield rolling
    for digest, edit in zip(digests, edits[1:], strict=True):
        rolling = secret.keyed(rolling, digest, edit)
        yield rolling


def _marks(body: bytes, request: ChatRequest) -> Iterator[int]:
    if not request.messages:
        return
    outside = (body[: request.messages[0].start], body[request.messages[-1].end :])
    if any(map(_MARK.search, outside)):
        yield 0
    for i, message in enumerate(request.messages, start=1):
        if _MARK.search(body, message.start, message.end):
            yield i


def _answered(request: ChatRequest) -> Iterator[int]:
    for i, message in enumerate(request.messages):
        if message.role == "assistant":
            yield i
        elif message.role != "system" and i and request.messages[i - 1].role == "system":
            yield i  # what conversations share
    yield len(request.messages)

"""Values that travel through the compressor, and the two Protocols other code plugs into.

Array conventions: `n` is the number of words of a text; spans are half-open, in characters of the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from compressor.chars import Codes as Codes
from compressor.chars import Hashes as Hashes
from compressor.chars import hash_spans, inside_of
from compressor.params import CompressionParams

Span: TypeAlias = tuple[int, int]
"""Half-open [start, end) in characters."""

Spans: TypeAlias = NDArray[np.int32]
"""Half-open character spans, shape [k, 2], ordered and disjoint."""

Bools: TypeAlias = NDArray[np.bool_]
Ints: TypeAlias = NDArray[np.int32]
Scores: TypeAlias = NDArray[np.uint16]
"""Score per word on the grid k / 4096, k in 0 … 4096; higher is kept sooner."""

SCORE_ONE = 4096
"""The score that means probability 1."""

SkipReason: TypeAlias = Literal[
    "short",
    "structured",
    "no_gain",
    "deadline",
    "overloaded",
    "scorer_down",
    "verify_failed",
    "compat_failed",
]
"""Why the compressor left a text whole (the gateway has reasons of its own besides)."""

CacheState: TypeAlias = Literal["hit", "miss"]


class Flag:
    """Bits of `Words.flags`."""

    HAS_DIGIT = 1
    TITLE = 2
    """First character is a capital."""
    UPPER = 4
    """Two or more letters, all capitals."""
    HAS_LETTER = 8
    CJK = 16
    HANGUL = 32
    PUNCT = 64
    """Nothing but punctuation and symbols."""
    NEWLINE = 128
    INNER = 256
    """Letters or digits held together or adorned by punctuation."""


@dataclass(frozen=True, eq=False)
class Words:
    """The words of one text, in order, and what vectorised rules need to know about each.

    The gap before word i is `text[ends[i-1]:starts[i]]` (from 0 for the first): white space without
    newlines. A newline ("\\n", or "\\r\\n") is a word of its own. `flags` holds bits of `Flag`. What many
    rules ask for is found out when it is first asked for.
    """

    codes: Codes
    starts: Ints
    ends: Ints
    flags: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def lengths(self) -> Ints:
        """In characters."""
        return self.ends - self.starts

    @cached_property
    def first_codes(self) -> Codes:
        """The first character of each word."""
        return self.codes[self.starts]

    @cached_property
    def has_gap(self) -> Bools:
        """Which words have white space before them, on their line or at the beginning of the text."""
        has_gap = np.empty(len(self), np.bool_)
        has_gap[:1] = self.starts[:1] > 0
        np.greater(self.starts[1:], self.ends[:-1], out=has_gap[1:])
        return has_gap

    @cached_property
    def is_newline(self) -> Bools:
        """Newlines."""
        return np.asarray(self.flags & Flag.NEWLINE != 0)

    @cached_property
    def newlines(self) -> NDArray[np.intp]:
        """Indices of newlines."""
        return self.is_newline.nonzero()[0]

    @cached_property
    def is_punct(self) -> Bools:
        """Words of nothing but punctuation and symbols."""
        return np.asarray(self.flags & Flag.PUNCT != 0)

    @cached_property
    def puncts(self) -> NDArray[np.intp]:
        """Indices of words of punctuation."""
        return self.is_punct.nonzero()[0]

    @cached_property
    def is_ink(self) -> Bools:
        """Words with letters or digits."""
        return np.asarray(self.flags & (Flag.PUNCT | Flag.NEWLINE) == 0)

    @cached_property
    def has_flags(self) -> int:
        """The union of all flags."""
        return int(np.bitwise_or.reduce(self.flags, initial=0))

    @cached_property
    def hashes(self) -> Hashes:
        """Hash of each word, case-folded (`chars.hash_word`), when first asked for.

        They are not keyed: whoever has them can look words up, so they are neither recorded nor remembered.
        """
        return hash_spans(self.codes, self.starts, inside_of(len(self.codes), self.starts, self.ends))


@dataclass(frozen=True, slots=True, eq=False)
class Compressed:
    """One text's result. `kept` are character spans of the original, in order, that concatenate to `text`."""

    text: str
    origin_tokens: int
    compressed_tokens: int
    kept: Spans
    skip: SkipReason | None = None
    cache: CacheState | None = None
    is_rewritten: bool = False
    """`text` is not cut from the original (fidelity compat): then `kept` is empty."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What the scores of a chunk depend on besides the scorer, where that is this chunk alone."""

    content: bytes
    n_scores: int


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """What a scorer sees at once. `n_tokens` is what it costs in a batch; `payload` is the scorer's own."""

    n_tokens: int
    payload: object
    subject: Subject | None = None
    """None: its scores depend on more of the text than the chunk."""


class Scorer(Protocol):
    """Gives every token of a text a score for being kept."""

    @property
    def fingerprint(self) -> str:
        """Name of weights, tokenizer, words and chunks version: equal fingerprints give equal scores."""

    def encode(self, text: str, words: Words) -> list[Chunk]:
        """Pure, on any thread: the chunks to score, in text order."""

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        """On the device thread: per chunk, the scores of its tokens in [0, 1]."""

    def merge(self, words: Words, chunks: Sequence[Chunk], scores: Sequence[NDArray[np.float32]]) -> Scores:
        """Pure, on any thread: token scores of all chunks of a text to scores per word, shape [n]."""


class Compressor(Protocol):
    """Anything that compresses texts: the local engine, the caching wrapper, a remote one, a fake."""

    async def compress(
        self,
        texts: Sequence[str],
        params: CompressionParams,
        *,
        tenant: str = "",
        deadline_s: float | None = None,
    ) -> list[Compressed]:
        """One result a text, in order. Trouble is a `skip` reason on the result, never an exception."""

"""Token spans to windows: how a text longer than a scorer's limit is cut into chunks.

Laws: cores tile the tokens exactly, in order, so every token is scored by exactly one window; a window
contains its core and is never longer than `Limits.tokens`; no token is dropped; equal tokens give equal
windows.

A window is its core and a halo on either side: tokens that give context and whose scores are thrown away.
Cuts prefer blank lines to line ends to sentence ends to word ends; only a word longer than a window is cut
inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from compressor.spans import sums
from compressor.types import Ints, Words
from compressor.words import Flag

CHUNKS_VERSION = "2"
"""Part of every fingerprint: changes whenever the same tokens would be cut or averaged otherwise."""

Ranks: TypeAlias = NDArray[np.uint8]
"""For each token, how good a cut the place after it is: one of `Rank`."""

_SENTENCE_ENDS = np.array(sorted(map(ord, ".!?…。！？．")), np.uint32)


class Rank:
    """How good a cut is, worst first."""

    INSIDE_WORD = 0
    WORD = 1
    SENTENCE = 2
    LINE = 3
    PARAGRAPH = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """How long windows and halos may be, in tokens, specials not counted."""

    tokens: int
    """Most tokens in a window."""
    halo_min: int
    """A halo is at least this long, unless the text ends before."""
    halo_max: int
    """And at most this long; in between it begins or ends at the best cut."""

    @classmethod
    def of(cls, tokens: int) -> Limits:
        """Halos of 6 to 16 tokens, less where windows are short: of a long text 5 % is scored twice."""
        halo_max = min(16, tokens // 24)
        return cls(tokens, halo_max * 3 // 8, halo_max)


@dataclass(frozen=True, slots=True)
class Window:
    """Half-open token ranges: what the scorer sees, and the part whose scores count."""

    start: int
    end: int
    core_start: int
    core_end: int


def rank_cuts(words: Words, starts: Ints, ends: Ints) -> Ranks:
    """The rank of the cut after each token, from the token spans [starts, ends) in characters."""
    n = len(starts)
    ranks = np.zeros(n, np.uint8)
    if not n or not len(words):
        return ranks
    first = np.searchsorted(words.ends, starts, side="right")  # first word that ends after the token starts
    last = np.searchsorted(words.starts, ends, side="left")  # first word that starts where it ends or later
    following = np.append(first[1:], len(words))
    is_end = following >= last
    closing = np.clip(last - 1, 0, None)
    is_sentence = np.isin(words.codes[words.ends - 1], _SENTENCE_ENDS)[closing]
    # a newline may be a token or none at all, so count those from this token's word up to the next token's
    lines = sums((words.flags & Flag.NEWLINE) != 0, np.minimum(first, following), following)
    ranks[is_end] = Rank.WORD
    ranks[is_end & is_sentence] = Rank.SENTENCE
    ranks[is_end & (lines == 1)] = Rank.LINE
    ranks[is_end & (lines > 1)] = Rank.PARAGRAPH
    return ranks


def windows(ranks: Ranks, limits: Limits) -> list[Window]:
    """Windows whose cores tile the tokens. One window if all fit."""
    n = len(ranks)
    found: list[Window] = []
    start = core_start = 0
    while core_start < n:
        if n - start <= limits.tokens:
            found.append(Window(start, n, core_start, n))
            break
        core_end = _core_end(ranks, core_start, start + limits.tokens - limits.halo_min)
        furthest = min(start + limits.tokens, core_end + limits.halo_max)
        end = _best_cut(ranks, core_end + limits.halo_min, furthest, latest=False)
        found.append(Window(start, end, core_start, core_end))
        start = _best_cut(ranks, max(core_end - limits.halo_max, 0), max(core_end - limits.halo_min, 0))
        core_start = core_end
    return found


def _core_end(ranks: Ranks, core_start: int, furthest: int) -> int:
    """The best cut in the last eighth before `furthest`, else the last word end, else `furthest` itself."""
    nearest = furthest - (furthest - core_start) // 8
    end = _best_cut(ranks, nearest, furthest)
    if ranks[end - 1] != Rank.INSIDE_WORD:
        return end
    word_ends = np.flatnonzero(ranks[core_start : nearest - 1])
    return core_start + int(word_ends[-1]) + 1 if len(word_ends) else furthest


def _best_cut(ranks: Ranks, nearest: int, furthest: int, *, latest: bool = True) -> int:
    """The best cut in [nearest, furthest]; of equals the latest or the earliest; 0 is as good as any."""
    if nearest == 0:
        return 0
    before = ranks[nearest - 1 : furthest]
    if latest:
        return furthest - int(np.argmax(before[::-1]))
    return nearest + int(np.argmax(before))

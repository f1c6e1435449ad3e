"""gateway.cache.analyses: bounded, and the least recently used go first."""

from __future__ import annotations

from compressor.analysis import analyse
from compressor.params import CompressionParams
from compressor.remembered import Remembered
from gateway.cache.analyses import ENTRY_OVERHEAD, Analyses

ONE = Remembered.of(analyse("one or two words of the text", CompressionParams()))
COST = ONE.size_bytes + ENTRY_OVERHEAD


def test_the_least_recently_used_goes_first() -> None:
    analyses = Analyses(2 * COST)
    analyses.keep(b"a", ONE)
    analyses.keep(b"b", ONE)
    assert analyses.find(b"a") is ONE
    analyses.keep(b"c", ONE)
    assert [analyses.find(key) for key in (b"a", b"b", b"c")] == [ONE, None, ONE]
    assert (len(analyses), analyses.size_bytes) == (2, 2 * COST)


def test_what_is_kept_is_counted_once() -> None:
    analyses = Analyses(2 * COST)
    analyses.keep(b"a", ONE)
    analyses.keep(b"a", ONE)
    assert (len(analyses), analyses.size_bytes) == (1, COST)


def test_what_is_larger_than_the_room_is_not_kept() -> None:
    analyses = Analyses(COST - 1)
    analyses.keep(b"a", ONE)
    assert (analyses.find(b"a"), analyses.size_bytes) == (None, 0)

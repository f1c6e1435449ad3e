"""gateway.cache.analyses: bounded, and the least recently used go first."""

from __future__ import annotations

import numpy as np

from compressor.analysis import Weights
from compressor.findings import Findings, find, without_text
from compressor.params import CompressionParams
from gateway.cache.analyses import ENTRY_OVERHEAD, WEIGHTS_SHARE, Analyses, Kept

COST = 3 + ENTRY_OVERHEAD


def test_the_least_recently_used_goes_first() -> None:
    kept = Kept(2 * COST, len)
    kept.keep(b"a", "one")
    kept.keep(b"b", "two")
    assert kept.find(b"a") == "one"
    kept.keep(b"c", "six")
    assert [kept.find(key) for key in (b"a", b"b", b"c")] == ["one", None, "six"]
    assert (len(kept), kept.size_bytes) == (2, 2 * COST)


def test_what_is_kept_is_counted_once() -> None:
    kept = Kept(2 * COST, len)
    kept.keep(b"a", "one")
    kept.keep(b"a", "two")
    assert (kept.find(b"a"), len(kept), kept.size_bytes) == ("one", 1, COST)


def test_what_is_larger_than_the_room_is_not_kept() -> None:
    kept = Kept(COST - 1, len)
    kept.keep(b"a", "one")
    assert (kept.find(b"a"), kept.size_bytes) == (None, 0)


def test_each_kind_has_its_share() -> None:
    found = without_text(find("one or two words of the text", CompressionParams()))
    assert isinstance(found, Findings)
    analyses = Analyses(16 * ENTRY_OVERHEAD)
    for number in range(9):
        analyses.findings.keep(b"%d" % number, found)
        analyses.contents.keep(b"%d" % number, found)
        analyses.weights.keep(b"%d" % number, Weights(7, np.ones(7, np.int32)))
    assert [len(kept) for kept in (analyses.findings, analyses.contents, analyses.weights)] == [6, 6, 2]
    assert 2 * analyses.findings.size_bytes < (1 - WEIGHTS_SHARE) * 16 * ENTRY_OVERHEAD
    analyses.findings.keep(b"left", "structured")
    assert analyses.findings.find(b"left") == "structured"

"""compressor.select: the golden cases of each way of selecting, and its laws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compressor.params import CompressionParams
from compressor.select import UNFORCED_FLOOR, Candidates, by_rate, select
from compressor.types import Bools


def candidates(
    scores: Sequence[int], weights: Sequence[int] = (), forced: str = "", protected: str = ""
) -> Candidates:
    n = len(scores)

    def mask(marks: str) -> Bools:
        return np.array([mark == "x" for mark in marks.ljust(n, ".")], np.bool_)

    return Candidates(
        np.array(scores, np.uint16), np.array(weights or [1] * n, np.int32), mask(forced), mask(protected)
    )


def shown(kept: Bools) -> str:
    return "".join("x" if keep else "." for keep in kept)


def test_rate_keeps_the_best_words_that_fit() -> None:
    assert shown(by_rate(candidates([10, 40, 20, 30]), 0.5)) == ".x.x"


def test_ties_go_to_the_earlier_word() -> None:
    assert shown(by_rate(candidates([7, 7, 7, 7]), 0.5)) == "xx.."


def test_weights_are_what_is_spent() -> None:
    assert shown(by_rate(candidates([40, 30, 20, 10], [3, 1, 1, 1]), 0.5)) == "x..."


def test_forced_words_are_counted_within_the_rate() -> None:
    assert shown(by_rate(candidates([10, 40, 30, 20], forced="x..."), 0.5)) == "xx.."


def test_protected_words_cost_nothing() -> None:
    assert shown(by_rate(candidates([10, 20, 40, 30], protected="xx.."), 0.5)) == "xxx."


def test_a_quarter_of_the_unforced_words_stays() -> None:
    kept = by_rate(candidates([1] * 8 + [50, 40, 30, 20], forced="x" * 8), 0.3)
    assert shown(kept) == "x" * 8 + "x..."


def test_a_text_is_never_emptied_by_a_rate() -> None:
    assert shown(by_rate(candidates([5]), 0.5)) == "x"


def test_target_tokens_spends_on_the_whole_text() -> None:
    chosen = select(candidates([1, 2, 3, 4], protected="x..."), CompressionParams(target_tokens=2), 0.5)
    assert shown(chosen) == "x..x"


def test_target_tokens_never_goes_below_protected_and_forced() -> None:
    chosen = select(
        candidates([1, 2, 3, 4], protected="xx..", forced="..x."), CompressionParams(target_tokens=1), 1.0
    )
    assert shown(chosen) == "xxx."


def test_threshold_keeps_scores_at_or_above_it() -> None:
    chosen = select(candidates([2047, 2048, 4096, 0]), CompressionParams(threshold=0.5), 0.5)
    assert shown(chosen) == ".xx."


def test_threshold_is_clamped_by_min_and_max_rate() -> None:
    scores = [4000, 3000, 200, 100]
    low = select(candidates(scores), CompressionParams(threshold=1.0, min_rate=0.5), 0.5)
    high = select(candidates(scores), CompressionParams(threshold=0.0, max_rate=0.75), 0.5)
    assert (shown(low), shown(high)) == ("xx..", "xxx.")


parts = st.lists(
    st.tuples(st.integers(0, 4096), st.integers(0, 9), st.sampled_from([".", "f", "p"])),
    min_size=1,
    max_size=40,
)


@given(parts, st.floats(0.01, 1.0), st.floats(0.01, 1.0))
def test_rate_laws(rows: list[tuple[int, int, str]], one: float, other: float) -> None:
    scores, weights, kinds = zip(*rows, strict=True)
    marks = "".join(kinds)
    pool = candidates(
        scores, weights, marks.replace("f", "x").replace("p", "."), marks.replace("p", "x").replace("f", ".")
    )
    low, high = by_rate(pool, min(one, other)), by_rate(pool, max(one, other))
    assert (low | pool.forced | pool.protected).tolist() == low.tolist(), "forced and protected stay"
    assert not (low & ~high).any(), "a higher rate keeps all a lower one keeps"
    assert by_rate(pool, 1.0).all(), "rate 1 keeps everything"
    free = ~(pool.forced | pool.protected)
    budget = max(
        min(one, other) * pool.weights[~pool.protected].sum()
        - pool.weights[pool.forced & ~pool.protected].sum(),
        min(min(one, other), UNFORCED_FLOOR) * pool.weights[free].sum(),
    )
    assert pool.weights[low & free].sum() <= budget or (low & free).sum() == 1, "one word stays in any case"
    dropped = np.flatnonzero(free & ~low)
    if len(dropped):
        best = dropped[np.argmax(pool.scores[dropped])]
        assert pool.weights[low & free].sum() + pool.weights[best] > budget, (
            "the next best would not have fitted"
        )

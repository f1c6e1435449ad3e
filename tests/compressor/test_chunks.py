"""Windows: cores tile the tokens, nothing is too long, nothing is cut off, cuts fall where text allows."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor.chunks import Limits, Rank, Window, rank_cuts, windows
from compressor.types import Ints
from compressor.words import split
from gateway.demo.corpus import PROSE, prose

RANKS = st.lists(st.sampled_from([0, 0, 0, 1, 1, 1, 1, 2, 3, 4]), max_size=400).map(
    lambda ranks: np.array(ranks, np.uint8)
)
LIMITS = st.integers(1, 400).map(Limits.of) | st.integers(1, 90).map(lambda n: Limits(n, n // 12, n // 6))
WIDE = Limits(510, 32, 64)


def spans(*pairs: tuple[int, int]) -> tuple[Ints, Ints]:
    return np.array([start for start, _ in pairs], np.int32), np.array([end for _, end in pairs], np.int32)


@given(RANKS, LIMITS)
def test_cores_tile_the_tokens(ranks: np.ndarray, limits: Limits) -> None:
    found = windows(ranks, limits)
    assert [window.core_start for window in found] == [0, *(w.core_end for w in found)][: len(found)]
    assert (found[-1].core_end if found else 0) == len(ranks)
    assert all(window.core_start < window.core_end for window in found)


@given(RANKS, LIMITS)
def test_windows_contain_their_core_and_are_never_too_long(ranks: np.ndarray, limits: Limits) -> None:
    for window in windows(ranks, limits):
        assert 0 <= window.start <= window.core_start
        assert window.core_end <= window.end <= len(ranks)
        assert window.end - window.start <= limits.tokens


@given(RANKS, LIMITS)
def test_halos_are_within_their_limits_unless_the_text_ends(ranks: np.ndarray, limits: Limits) -> None:
    for window in windows(ranks, limits):
        left, right = window.core_start - window.start, window.end - window.core_end
        assert left <= limits.halo_max
        assert left >= limits.halo_min or window.start == 0
        assert right <= limits.halo_max
        assert right >= limits.halo_min or window.end == len(ranks)


@pytest.mark.parametrize("name", PROSE)
@pytest.mark.parametrize("tokens", [4000, 20_000])
def test_halos_cost_five_percent_at_most(name: str, tokens: int) -> None:
    """Of what goes to the model. Words stand in for tokens: where cuts may fall is what decides."""
    words = split(prose(name, tokens, Random(1)))
    ranks = rank_cuts(words, words.starts, words.ends)
    given_tokens = sum(window.end - window.start for window in windows(ranks, Limits.of(510)))
    assert 1.01 < given_tokens / len(ranks) <= 1.05


def test_halos_cost_no_more_where_no_cut_is_better_than_another() -> None:
    given_tokens = sum(w.end - w.start for w in windows(np.ones(50_000, np.uint8), Limits.of(510)))
    assert given_tokens <= 1.05 * 50_000


@given(RANKS, LIMITS)
def test_a_core_ends_inside_a_word_only_if_it_holds_no_word_end(ranks: np.ndarray, limits: Limits) -> None:
    for window in windows(ranks, limits)[:-1]:
        if ranks[window.core_end - 1] == Rank.INSIDE_WORD:
            assert not ranks[window.core_start : window.core_end].any()


@given(RANKS, LIMITS)
def test_equal_tokens_give_equal_windows(ranks: np.ndarray, limits: Limits) -> None:
    assert windows(ranks, limits) == windows(ranks.copy(), limits)


def test_no_tokens_give_no_windows() -> None:
    assert windows(np.empty(0, np.uint8), Limits.of(512)) == []


def test_what_fits_is_one_window() -> None:
    assert windows(np.zeros(510, np.uint8), Limits.of(510)) == [Window(0, 510, 0, 510)]


def test_a_word_longer_than_a_window_is_cut_inside_and_scored_whole() -> None:
    found = windows(np.zeros(1200, np.uint8), WIDE)
    assert len(found) == 3
    assert found[0] == Window(0, 510, 0, 478)
    assert found[-1].core_end == 1200


def test_a_line_of_600_tokens_is_two_windows() -> None:
    ranks = np.full(600, Rank.WORD, np.uint8)
    assert windows(ranks, WIDE) == [Window(0, 510, 0, 478), Window(446, 600, 478, 600)]


def test_a_paragraph_end_is_preferred_to_a_later_sentence_end() -> None:
    ranks = np.full(600, Rank.WORD, np.uint8)
    ranks[420] = Rank.PARAGRAPH
    ranks[470] = Rank.SENTENCE
    ranks[380] = Rank.LINE  # in reach of the halo
    first, second = windows(ranks, WIDE)
    assert (first.core_start, first.core_end) == (0, 421)
    assert second.start == 381


def test_a_better_cut_too_far_back_is_not_taken() -> None:
    ranks = np.full(600, Rank.WORD, np.uint8)
    ranks[100] = Rank.PARAGRAPH
    assert windows(ranks, WIDE)[0].core_end == 478


def test_a_lone_word_end_far_back_is_taken_rather_than_cutting_a_word() -> None:
    ranks = np.zeros(600, np.uint8)
    ranks[100] = Rank.WORD
    assert windows(ranks, WIDE)[0].core_end == 101


def test_a_halo_reaches_back_to_the_start_of_the_text_at_most() -> None:
    ranks = np.zeros(600, np.uint8)
    ranks[10] = Rank.WORD
    first, second = windows(ranks, WIDE)[:2]
    assert first == Window(0, 43, 0, 11)
    assert (second.start, second.core_start) == (0, 11)


@pytest.mark.parametrize(
    ("tokens", "halo_min", "halo_max"), [(510, 6, 16), (8192, 6, 16), (126, 1, 5), (24, 0, 1), (1, 0, 0)]
)
def test_halos_shrink_with_short_windows(tokens: int, halo_min: int, halo_max: int) -> None:
    assert Limits.of(tokens) == Limits(tokens, halo_min, halo_max)


def test_ranks_without_newline_tokens() -> None:
    text = "Stop here. Then\nmore\n\nend"
    starts, ends = spans((0, 2), (2, 4), (5, 9), (9, 10), (11, 15), (16, 20), (22, 25))
    assert rank_cuts(split(text), starts, ends).tolist() == [
        Rank.INSIDE_WORD,  # St|op
        Rank.WORD,  # Stop
        Rank.WORD,  # here
        Rank.SENTENCE,  # .
        Rank.LINE,  # Then
        Rank.PARAGRAPH,  # more
        Rank.WORD,  # end
    ]


def test_ranks_with_newline_tokens_and_glued_spaces() -> None:
    text = "go on\nto\n\nend"
    starts, ends = spans((0, 2), (2, 5), (5, 6), (6, 8), (8, 10), (10, 13))
    assert rank_cuts(split(text), starts, ends).tolist() == [
        Rank.WORD,
        Rank.WORD,
        Rank.LINE,  # the newline itself
        Rank.WORD,
        Rank.PARAGRAPH,  # one token of two newlines
        Rank.WORD,
    ]


def test_a_token_that_reaches_into_the_next_word_is_no_cut() -> None:
    starts, ends = spans((0, 4), (4, 5))
    assert rank_cuts(split("ab cd"), starts, ends).tolist() == [Rank.INSIDE_WORD, Rank.WORD]


def test_ranks_of_nothing() -> None:
    none = np.empty(0, np.int32)
    assert rank_cuts(split(""), none, none).tolist() == []
    assert rank_cuts(split(" "), *spans((0, 1))).tolist() == [Rank.INSIDE_WORD]

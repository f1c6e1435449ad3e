"""Word scores from token scores by offsets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compressor.alignment import word_scores
from compressor.types import SCORE_ONE, Scores
from compressor.words import split


def merged(text: str, *tokens: tuple[int, int, float], unknown: tuple[int, ...] = ()) -> list[float]:
    """Word scores in [0, 1] from (start, end, score) tokens."""
    starts, ends, scores = (np.array([token[at] for token in tokens]) for at in range(3))
    is_known = np.array([at not in unknown for at in range(len(tokens))], np.bool_)
    found = word_scores(
        split(text), starts.astype(np.int32), ends.astype(np.int32), is_known, scores.astype(np.float32)
    )
    assert found.dtype == np.uint16
    return [float(score) / SCORE_ONE for score in found]


def test_a_word_is_the_plain_mean_of_its_tokens() -> None:
    assert merged("abcd ef", (0, 1, 0.25), (1, 4, 0.75), (5, 7, 1.0)) == [0.5, 1.0]


def test_a_space_glued_to_a_token_belongs_to_no_word() -> None:
    assert merged("ab cd", (0, 2, 0.0), (2, 5, 1.0)) == [0.0, 1.0]


def test_a_token_over_two_words_counts_for_both() -> None:
    assert merged("a\n\nb", (0, 1, 0.0), (1, 3, 0.5), (3, 4, 1.0)) == [0.0, 0.5, 0.5, 1.0]


def test_a_word_without_tokens_has_the_score_of_the_nearest_and_of_the_earlier_of_two() -> None:
    assert merged("a\nb", (0, 1, 0.25), (2, 3, 0.5)) == [0.25, 0.25, 0.5]
    assert merged("a\n\n\nb", (0, 1, 0.25), (4, 5, 0.5)) == [0.25, 0.25, 0.25, 0.5, 0.5]
    assert merged("\nb\n", (1, 2, 0.5)) == [0.5, 0.5, 0.5]


def test_unknown_tokens_inherit() -> None:
    assert merged("a x b", (0, 1, 0.25), (2, 3, 1.0), (4, 5, 0.5), unknown=(1,)) == [0.25, 0.25, 0.5]
    assert merged("ax", (0, 1, 0.25), (1, 2, 1.0), unknown=(1,)) == [0.25]


def test_where_nothing_is_known_all_is_kept() -> None:
    assert merged("x y", (0, 1, 0.1), (2, 3, 0.1), unknown=(0, 1)) == [1.0, 1.0]
    none: Scores = word_scores(
        split("x y"),
        np.empty(0, np.int32),
        np.empty(0, np.int32),
        np.empty(0, np.bool_),
        np.empty(0, np.float32),
    )
    assert none.tolist() == [SCORE_ONE, SCORE_ONE]


def test_no_words_have_no_scores() -> None:
    assert merged(" ", (0, 1, 0.5)) == []


def test_a_token_without_characters_counts_only_inside_a_word() -> None:
    assert merged("ab cd", (0, 2, 0.25), (3, 3, 1.0), (3, 5, 0.5)) == [0.25, 0.5]


def test_scores_are_on_the_grid() -> None:
    assert merged("a", (0, 1, 1 / 3)) == [round(4096 / 3) / 4096]


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=30), st.integers(1, 4))
def test_each_word_is_near_the_mean_of_its_own_tokens(scores: list[float], length: int) -> None:
    text = " ".join("x" * length for _ in range(-(-len(scores) // length)))
    at = [word * (length + 1) + letter for word in range(len(scores)) for letter in range(length)]
    found = merged(text, *((at[i], at[i] + 1, score) for i, score in enumerate(scores)))
    for word, score in enumerate(found):
        own = scores[word * length : (word + 1) * length]
        assert abs(score - sum(own) / len(own)) <= 0.5 / 4096 + 1e-9

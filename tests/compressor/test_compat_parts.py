"""The pure parts of fidelity compat: where chunks end, where words begin, what a percentile is counted in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from compressor.compat_chunks import BATCH_ROWS, Family, ForceTokens, Rows, batches, chunk_texts
from compressor.compat_select import drop_repeats, label, percentile, zero_repeats
from compressor.compat_words import Probability, WordRules, word_probabilities


class Spelled:
    """A vocabulary of words between blanks: ids are lengths, "." a token, "" and what has blanks none."""

    family: Family = "xlm-roberta"
    specials = frozenset({"<s>"})

    def tokenize(self, text: str) -> list[str]:
        return text.split()

    def ids(self, tokens: Sequence[str]) -> list[int]:
        return [len(token) for token in tokens]

    def tokens(self, ids: Sequence[int]) -> list[str]:
        return ["x" * id for id in ids]

    def join(self, tokens: Sequence[str]) -> str:
        return " ".join(tokens)


def cuts(text: str, ends: frozenset[str] = frozenset({"."})) -> list[int]:
    return [len(chunk.split()) for chunk in chunk_texts(text, ends, Spelled())]


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("", []),
        ("w " * 510, [510]),
        ("w " * 511, [511]),
        ("w " * 512, [511, 1]),
        ("w " * 200 + ". " + "w " * 400, [201, 400]),
        (". " + "w " * 600, [511, 90]),
        ("w " * 510 + ". " + "w", [511, 1]),
        ("w. " * 600, [511, 89]),
    ],
)
def test_chunks_end_after_the_last_end_that_fits(text: str, lengths: list[int]) -> None:
    assert cuts(text) == lengths


def test_rows_are_512_long_and_50_share_a_pass() -> None:
    chunks = batches(["a bb"] * (BATCH_ROWS + 1) + ["w " * 511], Spelled())
    first, second = [chunk.payload for chunk in chunks]
    assert isinstance(first, Rows)
    assert isinstance(second, Rows)
    assert (first.ids.shape, second.ids.shape, chunks[1].n_tokens) == ((50, 512), (2, 512), 1024)
    assert first.ids[0, :5].tolist() == [5, 1, 2, 5, 5], "[CLS] a bb [SEP] [PAD]"
    assert first.mask[0].sum() == 4
    assert second.ids[1, [0, 511]].tolist() == [5, 1], "a full chunk loses its [SEP]"


def test_literals_that_are_no_token_get_placeholders_by_position() -> None:
    forced = ForceTokens.of((".", "\n", "no way", "\n\n"), Spelled())
    assert dict(forced.placed) == {"\n": "[NEW1]", "no way": "[NEW2]", "\n\n": "[NEW3]"}
    assert forced.hide("no way\n\n.") == "[NEW2][NEW1][NEW1].", "one after the other"
    assert forced.show("[NEW2][NEW1][NEW1].") == "no way\n\n."
    assert forced.with_names((".", "\n")) == {".", "\n", "[NEW1]"}
    with pytest.raises(AssertionError, match="101 force_tokens: give at most 100"):
        ForceTokens.of(("x",) * 101, Spelled())


@pytest.mark.parametrize(
    ("family", "tokens", "words"),
    [
        ("xlm-roberta", ["▁one", "ly", "<s>", ",", "./", "[NEW0]", "nul"], ["▁onely", ",", "./", "\nnul"]),
        ("xlm-roberta", ["▁a", "kept", "s"], ["▁a", "kepts"]),
        ("bert", ["one", "##ly", ",", "a", "##kept", "##s", "[NEW0]"], ["onely", ",", "a", "##kepts", "\n"]),
    ],
)
def test_words(family: Family, tokens: list[str], words: list[str]) -> None:
    forced = ForceTokens(("\n", "kept"), {"\n": "[NEW0]"})
    rules = WordRules(family, frozenset({"<s>"}), forced, reserve_digit=False)
    merged = rules.merge(tokens, np.linspace(0.1, 0.9, len(tokens), dtype=np.float32))
    assert merged.words == words
    for word, probabilities in zip(merged.words, merged.probabilities, strict=True):
        assert (probabilities[0] == 1.0) == ("kept" in word or "\n" in word)
    for unforced in merged.unforced:
        assert set(unforced) == {unforced[0]}, "that of the first, repeated"


def test_digits_are_forced_token_by_token() -> None:
    rules = WordRules("xlm-roberta", frozenset(), ForceTokens((), {}), reserve_digit=True)
    merged = rules.merge(["▁v", "1", "x", "▁٣"], np.full(4, 0.25, np.float32))
    assert merged.probabilities == [[0.25, 1.0, 0.25], [1.0]]
    assert word_probabilities(merged.probabilities, "mean") == [0.5, 1.0]
    assert word_probabilities(merged.probabilities, "first") == [0.25, 1.0]


def test_a_word_that_goes_on_with_nothing_is_an_error() -> None:
    with pytest.raises(IndexError):
        WordRules("bert", frozenset(), ForceTokens((), {}), reserve_digit=False).merge(
            ["##ly"], np.ones(1, np.float32)
        )


def test_a_python_float_makes_the_percentile_one_of_float64() -> None:
    values = [np.float32(0.1), np.float32(0.7), np.float32(0.3)]
    assert percentile(values, 41).dtype == np.float32  # type: ignore[union-attr] # NumPy's
    assert percentile([*values, 1.0], 41).dtype == np.float64  # type: ignore[union-attr] # NumPy's
    with pytest.raises(IndexError):
        percentile([], 50)


def test_labels_weigh_words_by_their_tokens_and_equals_go_together() -> None:
    words, probabilities = ["a", "bbb", "c"], [np.float32(0.9), np.float32(0.5), np.float32(0.1)]
    assert label(words, probabilities, 0.5, len) == [True, False, False]
    assert label(words, probabilities, 0.8, len) == [True, False, False]
    assert label(words, [np.float32(0.5)] * 3, 0.5, len) == [False] * 3
    assert label(words, [1.0] * 3, 0.5, len) == [True] * 3


def test_repeats_of_a_forced_word_go() -> None:
    words = [".", ".", "x", ".", "y", ".", "?", "."]
    probabilities: list[Probability] = [1.0, 1.0, np.float32(0.1), 1.0, np.float32(0.9), 1.0, 1.0, 1.0]
    zeroed = zero_repeats(words, probabilities, 0.1, (".", "?"))
    assert [at for at, probability in enumerate(zeroed) if probability == 0.0] == [1, 3]
    labels = [True, True, False, True, True, True, False, True]
    assert drop_repeats(words, labels, (".", "?")) == [True, False, False, False, True, True, False, False]

"""compressor.tokens: counts as tiktoken gives them, weights that add up, model names."""

from __future__ import annotations

import pytest
import tiktoken
from hypothesis import example, given
from hypothesis import strategies as st

from compressor.tokens import BESIDE_CHARACTERS, counter, encoding_for
from compressor.words import split
from tests.compressor.texts import texts


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-4o-mini", ("o200k_base", True)),
        ("gpt-4-0613", ("cl100k_base", True)),
        ("openai/gpt-4o", ("o200k_base", True)),
        ("gpt2", ("o200k_base", False)),  # its ranks are not at hand
        ("llama-9-huge", ("o200k_base", False)),
        (None, ("o200k_base", False)),
    ],
)
def test_encoding_for(model: str | None, expected: tuple[str, bool]) -> None:
    assert encoding_for(model) == expected


def test_special_tokens_in_user_text_are_ordinary_text() -> None:
    assert counter("cl100k_base").count("<|endoftext|>") > 1


def test_an_unknown_encoding_is_named() -> None:
    with pytest.raises(ValueError, match="no_such_base"):
        counter("no_such_base")


@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
@given(text=texts)
def test_weights_add_up_to_the_count(encoding: str, text: str) -> None:
    words = split(text)
    weights = counter(encoding).weigh(counter(encoding).encode(text), words)
    count = counter(encoding).count(text)
    assert count == len(tiktoken.get_encoding(encoding).encode(text, disallowed_special=()))
    assert (weights >= 0).all()
    assert weights.sum() <= count
    if text.strip() == text and len(words):
        assert weights.sum() == count


@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base", "p50k_base", "o200k_harmony"])
@example(many=["a <|endoft", "ext|> b", "<|endoftext|>", ""])
@example(many=["half a \ud83d", "\ude00 character"])
@example(many=["word " * (BESIDE_CHARACTERS // 5), "tail", " " * BESIDE_CHARACTERS, ""])
@given(many=st.lists(st.one_of(texts, st.sampled_from(["<|endoftext|>", "<|end", "oftext|>", "\ud800"]))))
def test_texts_encoded_at_one_go_are_encoded_one_by_one(encoding: str, many: list[str]) -> None:
    target = counter(encoding)
    assert [tokens.tolist() for tokens in target.encode_all(many)] == [
        target.encode(text).tolist() for text in many
    ]
    assert target.count_all(many) == list(map(target.count, many))


def test_a_word_costs_the_tokens_that_end_inside_it() -> None:
    text = "Hello internationalization 회의는 끝."
    target = counter("o200k_base")
    weights = target.weigh(target.encode(text), split(text))
    alone = [target.count(word) for word in ("Hello", " internationalization", " 회의는", " 끝", ".")]
    assert weights.tolist() == alone
    assert target.count(text) == sum(alone)


@pytest.mark.parametrize("blank", [" ", "\t", "\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["o200k_base", "p50k_base"])
def test_a_megabyte_of_blanks_is_counted(encoding: str, blank: str) -> None:
    text = "a" + blank * (1_200_000 // len(blank)) + "b"
    tokens = counter(encoding).encode(text)
    weights = counter(encoding).weigh(tokens, split(text))
    assert 2 <= weights.sum() == len(tokens) == counter(encoding).count(text)


def test_an_estimate_is_near_the_count_and_exact_for_short_texts() -> None:
    target = counter("o200k_base")
    sentence = "The committee of the city decided on the long agenda, and 회의는 끝났다. "
    assert target.estimate(sentence) == target.count(sentence)
    assert target.estimate(sentence * 500) == pytest.approx(target.count(sentence * 500), rel=0.03)

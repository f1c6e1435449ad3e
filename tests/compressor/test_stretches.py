"""compressor.scorers.stretches: tokens of stretches are those of the text, for every kind of tokenizer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer, normalizers, pre_tokenizers

from compressor.scorers.stretches import LONGEST, Stretches, is_local
from compressor.scorers.tokenizer import TextTokenizer
from tests.compressor.texts import texts
from tests.compressor.tiny_models import FAMILIES


def definition(family: str, change: Callable[[Tokenizer], None] = lambda _: None) -> Any:
    tokenizer, _ = FAMILIES[family]({})
    change(tokenizer)
    return json.loads(tokenizer.to_str())


def stripped(tokenizer: Tokenizer) -> None:
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=True)


def composed(tokenizer: Tokenizer) -> None:
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Punctuation(),
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.Metaspace(prepend_scheme="always"),
        ]
    )


LOCAL = {
    "unigram": definition("xlm-roberta"),
    "wordpiece": definition("bert"),
    "accents": definition("bert", stripped),
    "sequences": definition("xlm-roberta", composed),
}
PAIRS = {name: (TextTokenizer(one, name), TextTokenizer(one, name)) for name, one in LOCAL.items()}
"""One that remembers stretches between examples, and one that is asked for whole texts."""

hostile = st.text(
    st.sampled_from(
        [*" \t\n\r\v\f\x85\xa0\u2028\u3000\x1c\x00", *"aé\u0301\u200d\u200b\u0600▁#가각\u1100ﬁ①½ﷺ🏽@1234567"]
    )
)


@pytest.mark.parametrize("name", LOCAL)
@example(text="")
@example(text=" \n")
@example(text="a \u0301b\u00a0c\u2003d\u3000e\x1cf\x85g")
@example(text="notes: " + "회의록" * LONGEST + " the meeting " + "x" * (LONGEST + 1) + " end")
@given(text=st.one_of(texts, hostile))
def test_the_tokens_are_those_of_the_whole_text(name: str, text: str) -> None:
    remembering, fresh = PAIRS[name]
    text = text.encode("utf-8", "replace").decode()
    ids, spans = fresh._whole(text)
    found = remembering._stretches and remembering._stretches.encode(text)
    if found:
        assert found[0].tolist() == ids.tolist()
        assert found[1].tolist() == spans.tolist()
    assert remembering.encode(text).ids.tolist() == ids.tolist()


def test_ordinary_texts_are_encoded_by_their_stretches() -> None:
    by_stretches = PAIRS["wordpiece"][0]._stretches
    assert by_stretches is not None
    assert by_stretches.encode("The meeting began at noon: 회의는 열두 시에.") is not None
    assert by_stretches.encode("会議は正午に始まりました。" * 3) is None, "one stretch, and new every time"
    assert by_stretches.encode("e\u0301") is None


def test_what_may_name_somebody_is_not_remembered() -> None:
    by_stretches = Stretches(PAIRS["wordpiece"][0]._each)
    text = "In 2024 the notes of the meeting went to jo@example.org and to +49-170-123 by ４４４４４ of it."
    assert by_stretches.encode(text) is not None
    words = {"In", "2024", "the", "notes", "of", "meeting", "went", "to", "and", "by", "it."}
    assert set(by_stretches._shelf.places) == words


def test_what_is_remembered_has_a_bound() -> None:
    tokenizer = PAIRS["wordpiece"][1]
    by_stretches = Stretches(tokenizer._each, most_tokens=50)
    for at in range(100):
        text = f"text {at} of many"
        found = by_stretches.encode(text)
        assert found is not None
        assert found[0].tolist() == tokenizer._whole(text)[0].tolist()
        assert by_stretches._shelf.n <= 50


def metaspace_first(tokenizer: Tokenizer) -> None:
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="first")]
    )


def metaspace_alone(tokenizer: Tokenizer) -> None:
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()


def replaced(tokenizer: Tokenizer) -> None:
    tokenizer.normalizer = normalizers.Replace(" ", "▁")


def with_words(tokenizer: Tokenizer) -> None:
    tokenizer.add_tokens(["New York"])


@pytest.mark.parametrize("change", [metaspace_first, metaspace_alone, replaced, with_words])
def test_tokenizers_that_look_further_are_not_local(change: Callable[[Tokenizer], None]) -> None:
    assert not is_local(definition("xlm-roberta", change))


@pytest.mark.parametrize(
    ("family", "expected"),
    [("bert", True), ("xlm-roberta", True), ("roberta", False), ("modernbert", False)],
)
def test_which_families_are_local(family: str, expected: bool) -> None:
    assert is_local(definition(family)) is expected


def test_dropout_is_not_local() -> None:
    one = definition("bert")
    assert not is_local({**one, "model": {**one["model"], "dropout": 0.1}})
    assert not is_local({**one, "pre_tokenizer": None})

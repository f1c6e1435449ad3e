"""User text is read as text by tokenizers of every kind of model."""

from __future__ import annotations

from typing import Any

import pytest

from compressor.errors import ModelError
from compressor.scorers.tokenizer import TextTokenizer


def definition(
    model: dict[str, Any], added: list[dict[str, Any]], frame: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": frame,
        "decoder": None,
        "model": model,
    }


def added(at: int, content: str, special: bool = True) -> dict[str, Any]:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": at, "content": content, "special": special, **flags}


UNIGRAM = {
    "type": "Unigram",
    "unk_id": 1,
    "vocab": [["<s>", 0.0], ["<unk>", 0.0], ["a", -2.0], ["<", -3.0], ["s", -3.0], [">", -3.0]],
    "byte_fallback": False,
}
SPECIALS = [added(0, "<s>"), added(1, "<unk>")]
FRAME = {"type": "BertProcessing", "sep": ["<s>", 0], "cls": ["<s>", 0]}


def test_a_control_token_among_unigram_pieces_is_spelled_out() -> None:
    tokens = TextTokenizer(definition(UNIGRAM, SPECIALS), "m").encode("a<s>")
    assert tokens.ids.tolist() == [2, 3, 4, 5]
    assert list(zip(tokens.starts.tolist(), tokens.ends.tolist(), strict=True)) == [
        (0, 1),
        (1, 2),
        (2, 3),
        (3, 4),
    ]


def test_a_control_token_among_wordpiece_words_is_unknown_at_most() -> None:
    model = {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": {"[UNK]": 0, "[CLS]": 1, "a": 2},
    }
    tokens = TextTokenizer(definition(model, [added(0, "[UNK]"), added(1, "[CLS]")]), "m").encode("a [CLS]")
    assert tokens.ids.tolist() == [2, 0]
    assert tokens.is_known.tolist() == [True, False]


def test_stored_truncation_is_off() -> None:
    assert len(TextTokenizer(definition(UNIGRAM, SPECIALS), "m").encode("a " * 50).ids) == 50


def test_the_frame_is_the_post_processors() -> None:
    framed = TextTokenizer(definition(UNIGRAM, SPECIALS, FRAME), "m")
    assert (framed.prefix, framed.suffix) == ([0], [0])
    bare = TextTokenizer(definition(UNIGRAM, SPECIALS), "m")
    assert (bare.prefix, bare.suffix) == ([], [])


def test_ordinary_added_tokens_keep_their_ids_and_count() -> None:
    tokenizer = TextTokenizer(
        definition(UNIGRAM, [*SPECIALS, added(6, "<mask>"), added(7, "ok", special=False)]), "m"
    )
    assert tokenizer.encode("a ok").ids.tolist() == [2, 7]
    assert tokenizer.n_ids == 8


def test_control_tokens_above_the_vocabulary_do_not_count() -> None:
    assert TextTokenizer(definition(UNIGRAM, [*SPECIALS, added(6, "[NEW0]")]), "m").n_ids == 6


def test_a_vocabulary_without_an_unknown_token_knows_all() -> None:
    model = {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}
    tokenizer = TextTokenizer(definition(model, []), "m")
    assert tokenizer.encode("ab").is_known.tolist() == [True, True]


def test_no_text_is_no_tokens() -> None:
    tokens = TextTokenizer(definition(UNIGRAM, SPECIALS), "m").encode("")
    assert [len(part) for part in (tokens.ids, tokens.starts, tokens.ends, tokens.is_known)] == [0, 0, 0, 0]


def test_a_definition_that_does_not_load_is_named() -> None:
    broken = definition({**UNIGRAM, "type": "Bigram"}, SPECIALS)
    with pytest.raises(ModelError, match=r"model 'm': tokenizer\.json does not load"):
        TextTokenizer(broken, "m")
    with pytest.raises(ModelError, match=r"model 'm': tokenizer\.json has no 'model'"):
        TextTokenizer({"version": "1.0"}, "m")


def test_a_post_processor_that_changes_the_text_is_refused() -> None:
    template = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}],
        "pair": [],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}},
    }
    with pytest.raises(ModelError, match=r"makes \[0\] of 'a' with control tokens and \[.*\] without"):
        TextTokenizer(definition(UNIGRAM, SPECIALS, template), "m")


def test_a_beginning_without_a_character_of_its_own_is_as_unknown_as_what_it_begins() -> None:
    vocabulary: Any = UNIGRAM["vocab"]
    model = {**UNIGRAM, "vocab": [*vocabulary, ["▁", -2.0], ["▁a", -2.0]]}
    pieces = [
        {"type": "WhitespaceSplit"},
        {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},
    ]
    spaced = definition(model, SPECIALS) | {"pre_tokenizer": {"type": "Sequence", "pretokenizers": pieces}}
    tokens = TextTokenizer(spaced, "m").encode("a 😀 a")
    assert tokens.starts.tolist() == [0, 2, 2, 4]
    assert tokens.is_known.tolist() == [True, False, False, True]

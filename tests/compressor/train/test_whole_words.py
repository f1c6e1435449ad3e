"""Whole words: they win where they stand alone, and leave all else as it was."""

from __future__ import annotations

from compressor.train.whole_words import widened
from tests.compressor.tiny_embedded import tiny_tokenizer


def tokens(text: str, *words: str) -> list[str]:
    return widened(tiny_tokenizer(), words).encode(text, add_special_tokens=False).tokens


def test_a_word_added_is_one_piece_and_only_by_itself() -> None:
    assert tokens("taste") == ["▁", "t", "a", "st", "e"]
    assert tokens("taste", "taste") == ["▁taste"]
    assert tokens("taste patient the", "taste")[1:] == ["▁patient", "▁the"]


def test_old_pieces_keep_their_places() -> None:
    narrow, wide = tiny_tokenizer(), widened(tiny_tokenizer(), ["taste", "test"])
    assert {piece: wide.token_to_id(piece) for piece in narrow.get_vocab()} == narrow.get_vocab()
    assert wide.get_vocab_size() == narrow.get_vocab_size() + 2


def test_a_word_in_one_piece_or_in_bytes_is_not_added() -> None:
    assert widened(tiny_tokenizer(), ["the"]).get_vocab_size() == tiny_tokenizer().get_vocab_size()
    assert tokens("서버", "서버") == ["▁서버"]


def test_the_mark_alone_before_a_piece_is_replaced() -> None:
    assert tokens("st") == ["▁", "st"]
    assert tokens("st", "st") == ["▁st"]

"""The tokenizer: learnt pieces, bytes for what has none, and nothing special that a text could spell."""

from __future__ import annotations

from compressor.train.vocabulary import BYTES, SPECIALS, make_tokenizer, tokenizer_of

COUNTS = {"patient": 400.0, "ibuprofen": 300.0, "서버": 300.0, "the": 900.0, "a": 5.0}


def test_what_was_learnt_is_spelled_and_the_rest_is_bytes() -> None:
    tokenizer = make_tokenizer(COUNTS, 330)
    assert "".join(tokenizer.encode("The PATIENT").tokens) == "▁the▁patient"
    found = tokenizer.encode("🙂").ids
    assert 0 not in found
    assert found[-4:] == [tokenizer.token_to_id(f"<0x{byte:02X}>") for byte in "🙂".encode()]


def test_the_likelier_pieces_win() -> None:
    pieces = [("▁", -5.0), ("▁the", -1.0), ("t", -4.0), ("h", -4.0), ("e", -4.0), ("▁th", -3.0)]
    assert tokenizer_of(pieces).encode("THE the").tokens == ["▁the", "▁the"]


def test_no_text_spells_a_special_piece_or_a_byte() -> None:
    tokenizer = make_tokenizer(COUNTS, 330)
    for text in (*(name[1:] for name in SPECIALS), *BYTES[65:70]):
        assert not set(tokenizer.encode(text).tokens) & {*SPECIALS, text}

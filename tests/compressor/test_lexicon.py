"""The shipped word tables: what they hold, and that look-ups are exact."""

from __future__ import annotations

import gzip
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor.chars import codes_of, hash_words
from compressor.lexicon import (
    LANGUAGES,
    Language,
    cohesion,
    fingerprint,
    frequency,
    parse_cohesion,
    parse_frequency,
)

COHESION = "# comment\npair\t中\t国央\npair\t食\tべ\nfold\t国\t國\n".encode()
FREQUENCY = b"# comment\nen\t7.7\tthe\nen\t5.0\tcat the-cat\nde\t4.2\tcat hund\n"


def _shipped_rows(name: str) -> list[list[str]]:
    text = gzip.decompress((files("compressor") / "data" / name).read_bytes()).decode()
    return [line.split("\t") for line in text.splitlines() if not line.startswith("#")]


def test_a_listed_pair_is_cohesive_and_its_reverse_is_not() -> None:
    table = parse_cohesion(COHESION)
    assert table.is_cohesive(codes_of("中中食国"), codes_of("国食べ中")).tolist() == [
        True,
        False,
        True,
        False,
    ]


def test_traditional_characters_count_as_simplified() -> None:
    table = parse_cohesion(COHESION)
    assert table.is_cohesive(codes_of("中"), codes_of("國")).tolist() == [True]
    assert table.simplified(codes_of("中國𠀀")).tolist() == codes_of("中国𠀀").tolist()


def test_characters_beyond_the_table_hold_to_nothing() -> None:
    others = codes_of("a𠀀🙂中")
    assert not parse_cohesion(COHESION).is_cohesive(others, others[::-1]).any()


def test_an_empty_look_up_is_empty() -> None:
    assert cohesion().is_cohesive(codes_of(""), codes_of("")).tolist() == []
    assert frequency().zipf(hash_words([]), "en").tolist() == []


def test_zipf_is_by_language_and_zero_where_unknown() -> None:
    table = parse_frequency(FREQUENCY)
    hashes = hash_words(["cat", "the", "hund", "dog", "the-cat"])
    assert table.zipf(hashes, "en").tolist() == pytest.approx([5.0, 7.7, 0, 0, 5.0])
    assert table.zipf(hashes, "de").tolist() == pytest.approx([4.2, 0, 4.2, 0, 0])


def test_every_shipped_word_is_found_with_its_value() -> None:
    table = frequency()
    for language, zipf, text in _shipped_rows("frequency.tsv.gz")[::9]:
        found = table.zipf(hash_words(text.split(" ")), _language(language))
        assert np.allclose(found, float(zipf)), (language, zipf)


def test_every_shipped_pair_is_cohesive() -> None:
    table = cohesion()
    for kind, left, right in _shipped_rows("cohesion.tsv.gz"):
        if kind == "pair":
            assert table.is_cohesive(codes_of(left * len(right)), codes_of(right)).all(), left


def _language(name: str) -> Language:
    return next(language for language in LANGUAGES if language == name)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "the patient was told to come back in two weeks"),
        ("de", "der Vertrag wurde nicht von der Regierung unterschrieben"),
        ("fr", "le gouvernement a signé le contrat avec les deux entreprises"),
        ("es", "el gobierno firmó el contrato con las dos empresas"),
        ("pt", "o governo assinou o contrato com as duas empresas e não quis"),
    ],
)
def test_the_language_of_a_sentence_is_told(language: Language, text: str) -> None:
    table = frequency()
    rows = table.rows(hash_words(text.lower().split()))
    assert table.latin_languages(rows, np.ones(len(rows), np.int64))[0] == language


def test_a_text_in_two_languages_is_read_by_both() -> None:
    table = frequency()
    words = (
        "the contract der Vertrag with the company mit der Firma and the people und die Leute".lower().split()
    )
    found = table.latin_languages(table.rows(hash_words(words)), np.ones(len(words), np.int64))
    assert set(found) == {"en", "de"}


def test_no_words_at_all_still_name_a_language() -> None:
    assert frequency().latin_languages(np.zeros(0, np.int32), np.zeros(0, np.int64))[0] == "en"


@given(st.lists(st.integers(1, 2**64 - 1), max_size=50))
def test_hashes_of_no_listed_word_are_unknown(hashes: list[int]) -> None:
    # 209,000 words of 2**64 hashes: a chance hit is out of the question
    assert not frequency().rows(np.array(hashes, np.uint64)).any()


def test_threads_that_ask_together_get_the_same_table() -> None:
    with ThreadPoolExecutor(4) as pool:
        assert len({id(table) for table in pool.map(lambda _: frequency(), range(8))}) == 1


def test_the_fingerprint_is_stable() -> None:
    assert fingerprint() == fingerprint()
    assert len(fingerprint()) == 16


@pytest.mark.parametrize("particle", ["は", "が", "を", "に", "で", "と", "も", "の"])
def test_japanese_particles_are_cut_off_nouns(particle: str) -> None:
    nouns = "会社学校電車問題政府東京人"
    assert not cohesion().is_cohesive(codes_of(nouns), codes_of(particle * len(nouns))).any()


@pytest.mark.parametrize("word", ["经济", "經濟", "中华人民共和国", "可能性", "政府", "食べ", "使わ", "いう"])
def test_words_hold_together(word: str) -> None:
    assert cohesion().is_cohesive(codes_of(word[:-1]), codes_of(word[1:])).all()


def test_tables_state_their_licence_and_are_small() -> None:
    sizes = 0
    for name in ("frequency.tsv.gz", "cohesion.tsv.gz"):
        data = (files("compressor") / "data" / name).read_bytes()
        sizes += len(data)
        assert data[4:8] == b"\0\0\0\0", "the gzip header carries no time"
        assert b"CC BY-SA 4.0" in gzip.decompress(data)[:400]
    assert sizes < 1_500_000

"""The model-free scorer: laws it keeps on any text, and what it must know about words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor.chars import hash_words
from compressor.lexicon import LANGUAGES
from compressor.scorers.frequency import FrequencyScorer, group_of, score
from compressor.scorers.frequency_features import SIZES, features
from compressor.scorers.frequency_roles import Role, columns_of, parse_roles, roles_of
from compressor.scorers.frequency_types import ENDINGS, find_types
from compressor.scorers.frequency_weights import UNIT, logistic, parse_weights, read_weights
from compressor.types import SCORE_ONE, Chunk, Words
from compressor.words import split

ENGLISH = (
    "Well, thank you all for coming. The patient must not take ibuprofen before the surgery in Boston. "
    "I mean, it is really something that we should think about, you know."
)
KOREAN = "그리고 서버는 데이터를 저장하지 않습니다. 이 문서는 정말 많은 것에 대해 설명하고 있습니다."
CHINESE = "他在一九九八年的时候是国家足球队的队长。这个电视台没有播出比赛。"
JAPANESE = "東京の会社は新しい電車を使わない。それはとても便利なものである。"

texts = st.text(st.sampled_from(list("ab 1,.()\"'\n\r한글은漢字のカナ-é🙂\u0301")), max_size=60) | st.text(
    max_size=40
)


def scores_by_word(text: str) -> dict[str, int]:
    """Score of each word; of the first of equal ones."""
    words = split(text)
    found: dict[str, int] = {}
    for start, end, value in zip(words.starts, words.ends, score(words), strict=True):
        found.setdefault(text[start:end], int(value))
    return found


def run(scorer: FrequencyScorer, text: str) -> list[int]:
    words = split(text)
    chunks = scorer.encode(text, words)
    return [int(value) for value in scorer.merge(words, chunks, scorer.forward(chunks))]


@given(texts)
def test_every_text_gets_one_score_a_word_on_the_grid(text: str) -> None:
    scores = run(FrequencyScorer(), text)
    assert len(scores) == len(split(text))
    assert all(0 <= value <= SCORE_ONE for value in scores)


@given(texts)
def test_every_feature_stays_within_its_table(text: str) -> None:
    words = split(text)
    if len(words):
        found = features(words, find_types(words))
        assert list(found) == list(SIZES)
        for name, values in found.items():
            assert values.shape == (len(words),), name
            assert 0 <= values.min() <= values.max() < SIZES[name], name


@given(st.lists(texts, min_size=2, max_size=4))
def test_scores_do_not_depend_on_what_else_is_in_the_batch(batch: list[str]) -> None:
    scorer = FrequencyScorer()
    chunks = [chunk for text in batch for chunk in scorer.encode(text, split(text))]
    together = scorer.forward(chunks)
    for chunk, values in zip(chunks, together, strict=True):
        assert scorer.forward([chunk])[0].tolist() == values.tolist()


GOLDEN = [341, 2200, 2255, 2263, 1293, 2982, 3130, 2431, 344, 2778, 2628, 2408]


def test_golden_scores() -> None:
    """Bytes other replicas and later versions of numpy must reproduce; a change needs a new VERSION."""
    first = score(split("The quick brown fox did not jump over the lazy dog."))
    assert first.tolist() == GOLDEN


def test_no_words_no_chunks() -> None:
    assert FrequencyScorer().encode("", split("")) == []
    assert run(FrequencyScorer(), "   ") == []


def test_a_foreign_chunk_is_refused() -> None:
    with pytest.raises(TypeError, match="encode"):
        FrequencyScorer().forward([Chunk(1, "text")])


def test_the_fingerprint_names_code_words_and_tables() -> None:
    assert FrequencyScorer().fingerprint == FrequencyScorer().fingerprint
    assert FrequencyScorer().fingerprint.startswith("frequency-1/words-")


@pytest.mark.parametrize(
    ("text", "telling", "empty"),
    [
        (ENGLISH, ["not", "ibuprofen", "surgery", "Boston"], ["the", "is", "really", "Well", "it"]),
        (KOREAN, ["서버는", "데이터를", "저장하지", "않습니다"], ["그리고", "것에", "정말", "이"]),
        (CHINESE, ["足球队", "没有", "电视台"], ["的", "是", "在"]),
        (JAPANESE, ["東京", "会社", "電車"], ["の", "は", "それ", "も"]),
        (
            "Der Vertrag wurde nicht von Angela Schmidt in Hamburg unterschrieben und ist auch nicht gültig.",
            ["nicht", "Vertrag", "Schmidt", "Hamburg", "unterschrieben"],
            ["Der", "wurde", "und", "ist", "auch"],
        ),
        (
            "O governo não assinou o contrato com a empresa de Lisboa, mas também não cancelou o projeto.",
            ["não", "contrato", "Lisboa", "cancelou"],
            ["O", "com", "a", "de"],
        ),
    ],
)
def test_telling_words_score_above_empty_ones(text: str, telling: list[str], empty: list[str]) -> None:
    scores = scores_by_word(text)
    assert min(scores[word] for word in telling) > max(scores[word] for word in empty)


def test_a_word_that_returns_scores_lower_each_time() -> None:
    text = "Kubernetes restarts pods. " + "Later the operator saw that Kubernetes restarts pods. " * 3
    words = split(text)
    scores = score(words)
    found = [
        int(scores[i]) for i in range(len(words)) if text[words.starts[i] : words.ends[i]] == "Kubernetes"
    ]
    assert found[1] > found[-1]


def test_a_line_repeated_word_for_word_scores_lower() -> None:
    line = "Confidential and intended for the addressee only\n"
    words = split(line + "Something else entirely happened here\n" + line)
    scores = score(words).tolist()
    n = len(split(line))
    assert sum(scores[-n:-1]) < sum(scores[: n - 1])


def test_paired_marks_score_alike() -> None:
    text = 'The minister ("Anna Berg, of Malmö") resigned [again] and said (nothing.'
    scores = scores_by_word(text)
    assert scores["["] == scores["]"] == scores["again"]
    assert scores['("'] == scores['")']


def test_nested_and_crossing_lines_brackets() -> None:
    text = "alpha (beta [gamma] delta)\nepsilon ( zeta\neta ) theta"
    words = split(text)
    scores = score(words).tolist()
    by_place = {int(words.starts[i]): scores[i] for i in range(len(words))}
    assert by_place[text.index("(")] == by_place[text.index(")")]
    assert by_place[text.index("[")] == by_place[text.index("]")]
    assert by_place[text.index("( zeta")] != by_place[text.index(") theta")]


def types_by_word(text: str) -> dict[str, tuple[int, int, str]]:
    """Zipf tenths, role and first ending of its kind, by word."""
    words = split(text)
    types = find_types(words)
    return {
        text[start:end]: (
            int(types.tenths[of]),
            int(types.roles[of]),
            ENDINGS[types.endings[of]].split(" ")[0],
        )
        for start, end, of in zip(words.starts, words.ends, types.of, strict=True)
    }


@pytest.mark.parametrize(
    ("word", "stem", "ending"),
    [
        ("데이터를", "데이터", "을"),
        ("학교에서", "학교", "에"),
        ("회사입니다", "회사", "다"),
        ("사용하지", "사용", "지"),
    ],
)
def test_korean_endings_are_stripped_before_the_look_up(word: str, stem: str, ending: str) -> None:
    found, plain = types_by_word(word)[word], types_by_word(stem)[stem]
    assert found == (plain[0], plain[1], ending)
    assert found[0] > 0


def test_an_unknown_stem_keeps_its_ending() -> None:
    assert types_by_word("쀍쀍에서")["쀍쀍에서"] == (0, 0, "에")


def test_function_eojeol_have_the_role_of_their_stem() -> None:
    assert types_by_word("것은 그런")["것은"][1] == Role.GLUE


def test_traditional_words_are_read_as_simplified() -> None:
    assert types_by_word("國家的電視")["電視"][0] == types_by_word("国家的电视")["电视"][0] > 0


def test_apostrophes_are_stripped_before_the_look_up() -> None:
    french = types_by_word("le maire de la ville a dit que l'école et qu'elle est fermée")
    assert french["l'école"][0] == types_by_word("le maire de la ville a dit que école")["école"][0] > 0
    assert french["qu'elle"][0] > 0
    english = types_by_word("the trees and the surgeon's friends are in the garden")
    assert english["surgeon's"][0] == types_by_word("the surgeon and the friends")["surgeon"][0] > 0


def test_japanese_and_chinese_are_told_apart_by_kana() -> None:
    japanese, chinese, mixed = (find_types(split(text)) for text in (JAPANESE, CHINESE, CHINESE * 3 + "のは"))
    assert group_of(japanese) == "ja"
    assert group_of(chinese) == group_of(mixed) == "zh"
    assert group_of(find_types(split(KOREAN))) == "ko"
    assert group_of(find_types(split(ENGLISH))) == group_of(find_types(split("…"))) == "latin"


def test_recurrence_is_counted() -> None:
    types = find_types(split("a b a a"))
    assert types.rank.tolist() == [0, 0, 1, 2]
    assert types.gap.tolist() == [0, 0, 2, 1]
    assert types.counts[types.of].tolist() == [3, 1, 3, 3]


def test_roles_are_by_language() -> None:
    was = hash_words(["was", "was", "nothere"])
    assert roles_of(was, columns_of(["en", "de", "en"])).tolist() == [Role.GLUE, Role.QUESTION, Role.NONE]


def test_the_first_role_listed_wins_and_comments_are_skipped() -> None:
    rows = ["# en GLUE x", "en NEGATION not", "en GLUE not the"]
    assert parse_roles(rows) == {("en", "not"): Role.NEGATION, ("en", "the"): Role.GLUE}


def test_every_language_has_negations() -> None:
    words = {
        "en": "not",
        "ko": "않습니다",
        "zh": "没有",
        "ja": "ない",
        "de": "nicht",
        "fr": "pas",
        "es": "no",
        "pt": "não",
    }
    assert set(words) == set(LANGUAGES)
    found = roles_of(hash_words(list(words.values())), columns_of(list(words)))
    assert (found == Role.NEGATION).all()


def test_the_logistic_is_symmetric_monotone_and_saturates() -> None:
    sums = np.arange(-20 * UNIT, 20 * UNIT, dtype=np.int32)
    scores = logistic(sums).astype(np.int64)
    assert (np.diff(scores) >= 0).all()
    assert logistic(np.array([0], np.int32)).tolist() == [SCORE_ONE // 2]
    assert scores[0] + scores[-1] == SCORE_ONE


def test_weights_of_the_wrong_size_are_refused() -> None:
    text = read_weights().decode().replace('"gap": {\n   "latin": [', '"gap": {\n   "latin": [1, ')
    with pytest.raises(ValueError, match=r"gap\.latin has 6 weights, not 5"):
        parse_weights(text.encode())


def test_words_are_scored_whatever_the_case_of_their_neighbours() -> None:
    words: Words = split("HELLO world")
    assert score(words).dtype == np.uint16

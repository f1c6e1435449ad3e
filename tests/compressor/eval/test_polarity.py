from __future__ import annotations

import pytest

from compressor.eval.polarity import negations


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "It does not run, nor is it cheap.", [("not", "does"), ("nor", "cheap")]),
        ("en", "It isn’t ready. There is no lift.", [("isn’t", "ready"), ("no", "lift")]),
        ("en", "We can never fully recover.", [("never", "fully")]),
        ("en", "Not, I say.", []),
        ("de", "Er kommt nicht. Wir haben keine Zeit.", [("nicht", "kommt"), ("keine", "Zeit")]),
        ("fr", "Il ne faut pas ouvrir.", [("pas", "ouvrir")]),
        ("es", "No hay tren.", [("No", "tren")]),
        ("pt", "Não há comboio.", [("Não", "comboio")]),
        ("ko", "승인되지 않았습니다. 안 갑니다.", [("안", "갑니다"), ("않았습니다", "승인되지")]),
        ("ko", "권한이 없습니다", [("없습니다", "권한이")]),
        ("zh", "不包含运费。不过未批准。", [("不", "包含"), ("未", "批准")]),
        ("zh-hant", "沒有收到", [("沒有", "收到")]),
        ("ja", "料金は含まれません。少ない。", [("ません", "まれ")]),
        ("xx", "not here", []),
    ],
)
def test_what_denies_and_what_is_denied(language: str, text: str, expected: list[tuple[str, str]]) -> None:
    found = negations(text, language)
    assert [(text[slice(*one.denies)], text[slice(*one.denied)]) for one in found] == expected


def test_a_clause_is_not_left() -> None:
    [one] = negations("He did not, the pump stopped.", "en")
    assert one.denied == (3, 6)

from __future__ import annotations

import pytest

from compressor.eval.names import has_lost_speaker, names, speakers
from tests.compressor.eval.test_fates import kept


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "The tower of Skarn Point is old. Rain fell on Hale.", ["Skarn Point", "Hale"]),
        ("en", "Hale is far. We love Hale. I do.", ["Hale", "Hale"]),
        ("en", "- Ships sail", []),
        ("de", "Wir sahen das Haus der Familie.", ["Haus", "Familie"]),
        ("ko", "김하늘 대리가 Kubernetes 문서와 「바다」를 읽었다", ["김하늘", "Kubernetes", "바다"]),
        ("zh", "他在 GitHub 读《红楼》", ["GitHub", "红楼"]),
        ("ja", "東京のカフェで『雪国』を読む", ["カフェ", "雪国"]),
    ],
)
def test_names_by_rule(language: str, text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in names(text, language)] == expected


def test_speakers_of_a_dialogue() -> None:
    text = "Ann: It is late.\nBob Ray: No.\n김하늘: 네."
    assert [text[slice(*label)] for label, _ in speakers(text)] == ["Ann", "Bob Ray", "김하늘"]
    assert speakers("Note: one label is no dialogue.\nA line.\nAnother.") == ()
    assert speakers("One: a\nplain\nplain\nplain\nTwo: b") == ()


def test_a_line_without_its_speaker_is_lost() -> None:
    text = "Ann: It is late.\nBob: No."
    (label, said), _ = speakers(text)
    assert has_lost_speaker(kept(text, "late"), label, said)
    assert not has_lost_speaker(kept(text, "Ann", "late"), label, said)
    assert not has_lost_speaker(kept(text, "Bob"), label, said)

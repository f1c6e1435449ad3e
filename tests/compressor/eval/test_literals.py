from __future__ import annotations

import pytest

from compressor.eval.literals import literals


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("It cost $5.00, not -2.5 %.", ["$5.00", "-2.5 %"]),
        ("3 million of 10–12 and 1,184 °C", ["3 million", "10–12", "1,184 °C"]),
        ("5km at 14:32, 3rd, 8GB", ["5km", "14:32", "3rd", "8GB"]),
        ("3만 5천 원, 12%, 15명", ["3만 5천", "12%", "15"]),
        ("約1200万円", ["1200万"]),
        ("1.250,50 € und 3 Millionen, 20 Prozent", ["1.250,50 €", "3 Millionen", "20 Prozent"]),
        ("20 pour cent, 4 por ciento", ["20 pour cent", "4 por ciento"]),
        ("no figure at all", []),
    ],
)
def test_numbers_are_whole(text: str, numbers: list[str]) -> None:
    assert [text[start:end] for start, end in literals(text)["numbers"]] == numbers


@pytest.mark.parametrize(
    ("text", "dates"),
    [
        ("on 14 March 2026, or March 3rd", ["14 March 2026", "March 3rd"]),
        ("2026-03-14 and 14.3.2026", ["2026-03-14", "14.3.2026"]),
        ("2026년 3월 5일에, 7월", ["2026년 3월 5일", "7월"]),
        ("2026年3月5日に", ["2026年3月5日"]),
        ("am 5. Mai 2025, le 5 mars, 5 de mayo de 2024", ["5. Mai 2025", "5 mars", "5 de mayo de 2024"]),
    ],
)
def test_dates_are_no_numbers(text: str, dates: list[str]) -> None:
    found = literals(text)
    assert [text[start:end] for start, end in found["dates"]] == dates
    assert found["numbers"] == ()


def test_a_url_ends_where_other_scripts_begin() -> None:
    text = "検索はhttps://a.example/bでできる。"
    [(start, end)] = literals(text)["identifiers"]
    assert text[start:end] == "https://a.example/b"


def test_identifiers_are_no_numbers() -> None:
    named = (
        "PX-4471 v1.2.3 https://a.example/b?c=1 x.y@z.example /etc/pith/a.yaml snake_case useState 9f3ab21c"
    )
    found = literals(f"{named}.")
    assert [named[start:end] for start, end in found["identifiers"]] == named.split()
    assert found["numbers"] == ()

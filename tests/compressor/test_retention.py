"""What must come through compression, measured on texts of eight languages with the embedded scorer.

Tier 0 and tier 1 of the quality measurements: no model is asked, every promise is a comparison of strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from compressor import CompressionParams, Engine, load_scorer
from compressor.types import Compressed
from gateway.demo.conversation import text as demo_text
from tests.compressor.retention_texts import CODE, JSON, SAMPLES

RATES = (0.6, 0.5, 0.33)
PAIRS = (("(", ")"), ("[", "]"), ("“", "”"), ("（", "）"), ("「", "」"))
CASES = [(language, rate) for language in SAMPLES for rate in RATES]
ADHERENCE = [("meeting", 0.8), ("meeting", 0.6), ("meeting", 0.5), ("meeting_ko", 0.8), ("meeting_ko", 0.6)]
"""Above these rates the forced words, and a quarter of the others, leave room to choose."""


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(load_scorer("frequency"))


def compressed(engine: Engine, text: str, rate: float) -> Compressed:
    """By the default policy's parameters, but for head and tail, which would keep such short texts whole."""
    [result] = engine.compress_sync([text], CompressionParams(rate=rate, force_tokens=("\n", "?")))
    return result


def numbers(text: str) -> list[str]:
    """Every number with its inner separators."""
    return re.findall(r"\d+(?:[.,:/\-]\d+)*", text)


@pytest.mark.parametrize(("language", "rate"), CASES)
def test_a_text_gets_shorter_and_is_a_selection(engine: Engine, language: str, rate: float) -> None:
    text = SAMPLES[language].text
    result = compressed(engine, text, rate)
    assert result.skip is None
    assert result.compressed_tokens < 0.95 * result.origin_tokens
    rest: Iterator[str] = iter(text)
    assert all(char in rest for char in result.text)


@pytest.mark.parametrize(("language", "rate"), CASES)
def test_every_number_is_intact_and_in_its_place(engine: Engine, language: str, rate: float) -> None:
    text = SAMPLES[language].text
    assert numbers(compressed(engine, text, rate).text) == numbers(text)


@pytest.mark.parametrize(("language", "rate"), CASES)
def test_facts_and_denials_stay_whole(engine: Engine, language: str, rate: float) -> None:
    """Identifiers, dates, amounts, links, paths, code and JSON, and negations with what they deny."""
    sample = SAMPLES[language]
    assert [stretch for stretch in sample.whole if stretch not in sample.text] == []
    result = compressed(engine, sample.text, rate).text
    assert [stretch for stretch in sample.whole if stretch not in result] == []


@pytest.mark.parametrize(("language", "rate"), CASES)
def test_who_speaks_stays(engine: Engine, language: str, rate: float) -> None:
    sample = SAMPLES[language]
    before, after = (text.splitlines() for text in (sample.text, compressed(engine, sample.text, rate).text))
    assert len(after) == len(before)
    for old, new in zip(before, after, strict=True):
        for label in sample.labels:
            assert new.startswith(label) == old.startswith(label), old


@pytest.mark.parametrize(("language", "rate"), CASES)
def test_seams_are_clean(engine: Engine, language: str, rate: float) -> None:
    text, result = SAMPLES[language].text, compressed(engine, SAMPLES[language].text, rate).text
    text, result = (some.replace(CODE, "").replace(JSON, "") for some in (text, result))
    for opener, closer in PAIRS:
        assert result.count(opener) == result.count(closer)
    assert result.count('"') % 2 == text.count('"') % 2
    for line in result.splitlines():
        assert not re.match(r"\s*[,.;:!、，。]", line), line
        assert not re.fullmatch(r"\s*(?:[-*•>#]+\s*)+", line), line
    assert re.search(r"[,;、，。][,;、，。]|\( | \)|[^\n ]  +[^\n ]", result) is None


@pytest.mark.parametrize(("name", "rate"), ADHERENCE)
def test_the_rate_is_met_within_two_points(engine: Engine, name: str, rate: float) -> None:
    result = compressed(engine, demo_text(name), rate)
    assert abs(result.compressed_tokens / result.origin_tokens - rate) <= 0.02

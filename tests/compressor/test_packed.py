"""compressor.packed: findings come back as they were, and bytes of anything else give nothing."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from compressor.findings import Findings, Found, find
from compressor.packed import pack, unpack
from compressor.params import CompressionParams
from tests.compressor.test_findings import assert_equal
from tests.compressor.texts import texts

PARAMS = CompressionParams(force_tokens=("\n", "?"))
TEXT = "- In **2026** (or later) the review did not begin; see https://example.com/a for details.\n" * 3


def found_in(text: str) -> Findings:
    found = find(text, PARAMS)
    assert isinstance(found, Findings)
    return found


@given(texts)
def test_it_comes_back(text: str) -> None:
    found = find(text, PARAMS)
    assert_equal(unpack(pack(found, text), text), found)


@pytest.mark.parametrize("longest", [254, 255, 256, 65_535, 65_536, 70_000])
def test_words_and_gaps_of_any_length_come_back(longest: int) -> None:
    text = "a" * longest + " " * longest + TEXT
    assert_equal(unpack(pack(found_in(text), text), text), found_in(text))


def test_a_text_that_was_left_whole_is_left_again() -> None:
    code = "```\n" + "x = compute(y)\n" * 20 + "```"
    assert [unpack(pack(find(text, PARAMS), text), text) for text in (code, " ")] == ["structured", "short"]
    assert unpack(pack("short", " "), "  ") is None
    assert unpack(pack("short", " ") + b" ", " ") is None


def test_it_is_small_and_holds_no_word() -> None:
    packed = pack(found_in(TEXT * 20), TEXT * 20)
    assert len(packed) < 6 * len(found_in(TEXT * 20).words) + 1000
    for word in ("review", "details", "2026"):
        assert not any(word.encode(encoding) in packed for encoding in ("utf-8", "utf-32-le"))


@given(st.binary(max_size=80) | st.binary(min_size=24, max_size=24).map(lambda head: b"\0\1\0\0" + head))
def test_garbage_is_nothing(garbage: bytes) -> None:
    assert unpack(garbage, TEXT) is None


@given(st.data())
def test_bytes_of_another_text_or_length_are_nothing(data: st.DataObject) -> None:
    packed = pack(found_in(TEXT), TEXT)
    assert unpack(packed, TEXT + ".") is None
    assert unpack(packed[: data.draw(st.integers(0, len(packed) - 1))], TEXT) is None
    assert unpack(packed + data.draw(st.binary(min_size=1)), TEXT) is None


@given(st.data())
def test_whatever_comes_of_spoilt_bytes_points_into_the_text(data: st.DataObject) -> None:
    packed = bytearray(pack(found_in(TEXT), TEXT))
    for _ in range(data.draw(st.integers(1, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    found: Found | None = unpack(bytes(packed), TEXT)
    assume(isinstance(found, Findings))
    assert isinstance(found, Findings)
    words, layout = found.words, found.layout
    n = len(words)
    assert (words.starts >= 0).all()
    assert (words.starts < words.ends).all()
    assert (words.ends <= len(TEXT)).all()
    assert len(words.flags) == len(found.protected) == len(found.forced) == n
    for places, most in ((layout.opening, n - 1), (layout.closing, n - 1), (layout.first, n - 1)):
        assert places.max(initial=0) <= most
    assert layout.past.max(initial=0) <= n
    assert all(0 <= start <= len(TEXT) and 0 <= end <= len(TEXT) for start, end in found.protected_spans)

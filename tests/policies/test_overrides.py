from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.overrides import MAX_UNIT_CHARS, REQUEST_HEADERS, Overrides


def test_no_headers_ask_for_nothing() -> None:
    assert Overrides.from_headers({"content-type": "application/json"}) == Overrides()


def test_all_headers() -> None:
    headers = {"x-pith-policy": "rag", "x-pith-mode": "Shadow", "x-pith-rate": "0.4", "x-pith-unit": "u1"}
    assert Overrides.from_headers(headers) == Overrides("rag", "shadow", 0.4, "u1")


@pytest.mark.parametrize(
    ("headers", "note"),
    [
        ({"x-pith-mode": "onn"}, "x-pith-mode ignored: 'onn' is not on, shadow or off"),
        ({"x-pith-mode": ""}, "x-pith-mode ignored: '' is not on, shadow or off"),
        ({"x-pith-rate": "half"}, "x-pith-rate ignored: 'half' is not a number"),
        ({"x-pith-rate": "nan"}, "x-pith-rate ignored: rate is nan: must be above 0 and at most 1, e.g. 0.5"),
        ({"x-pith-rate": "1.5"}, "x-pith-rate ignored: rate is 1.5: must be above 0 and at most 1, e.g. 0.5"),
        ({"x-pith-unit": ""}, "x-pith-unit ignored: 0 characters, use 1 to 256"),
        ({"x-pith-unit": "u" * (MAX_UNIT_CHARS + 1)}, "x-pith-unit ignored: 257 characters, use 1 to 256"),
    ],
)
def test_what_cannot_be_used_is_ignored_and_said(headers: dict[str, str], note: str) -> None:
    assert Overrides.from_headers(headers) == Overrides(notes=(note,))


def test_a_note_is_short_whatever_was_sent() -> None:
    assert len(Overrides.from_headers({"x-pith-mode": "x" * 10_000}).notes[0]) < 120


def test_without_permission_only_opting_out_and_the_unit_count() -> None:
    headers = {"x-pith-policy": "rag", "x-pith-mode": "on", "x-pith-rate": "0.4", "x-pith-unit": "u1"}
    assert Overrides.from_headers(headers, is_allowed=False) == Overrides(
        unit="u1",
        notes=(
            "x-pith-policy ignored: allow_overrides is false",
            "x-pith-mode ignored: allow_overrides is false",
            "x-pith-rate ignored: allow_overrides is false",
        ),
    )
    assert Overrides.from_headers({"x-pith-mode": "off"}, is_allowed=False) == Overrides(mode="off")


@pytest.mark.parametrize("text", ["off, off", "on, off", "OFF,shadow", "off, nonsense"])
def test_off_among_several_is_off(text: str) -> None:
    assert Overrides.from_headers({"x-pith-mode": text}) == Overrides(mode="off")


@given(st.dictionaries(st.sampled_from(REQUEST_HEADERS), st.text()), st.booleans())
def test_no_header_raises(headers: dict[str, str], is_allowed: bool) -> None:
    overrides = Overrides.from_headers(headers, is_allowed=is_allowed)
    assert overrides.rate is None or 0 < overrides.rate <= 1

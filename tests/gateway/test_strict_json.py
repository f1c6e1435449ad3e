"""What is read, and what is not since readers disagree about it."""

from __future__ import annotations

import pytest

from gateway.strict_json import Ambiguous, decode, decoder


def test_numbers_are_numbers_or_what_is_made_of_them() -> None:
    assert decode(b'{"a":[1,1.50,-2e1]}', decoder()) == {"a": [1, 1.5, -20.0]}
    assert decode(b'{"a":[1,1.50,-2e1]}', decoder(str)) == {"a": ["1", "1.50", "-2e1"]}


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b'{"a":1,"\\u0061":2}', "repeated"),
        (b'{"a":NaN}', "NaN"),
        (b"{", "not JSON"),
        (b'"\xff"', "not JSON"),
        (b"9" * 5_000, "not JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "deep"),
    ],
)
def test_what_readers_disagree_about_is_refused(body: bytes, what: str) -> None:
    with pytest.raises(Ambiguous, match=what):
        decode(body, decoder())

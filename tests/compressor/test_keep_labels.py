"""compressor.keep_labels: who speaks stays."""

from __future__ import annotations

import pytest

from compressor.keep_labels import labels
from compressor.words import split


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Marta: Okay, good morning.\nPriya: Sure.", ["Marta", ":", "Priya", ":"]),
        ("Speaker 2: yes\n", ["Speaker", "2", ":"]),
        ("Dr. Jane Smith: hello", ["Dr", ".", "Jane", "Smith", ":"]),
        ("민지: 네", ["민지", ":"]),
        ("田中：はい", ["田中", "："]),
        ("Q: why?\n\nA: because", ["Q", ":", "A", ":"]),
        ("we met at the station and this is what he said: nothing", []),
        ("This goes on for far too long to be the name of anybody at all: no", []),
        ("no colon here\nNor here", []),
        ("lower: case", []),
        (": nothing before", []),
        ("One\ntwo: three", []),
        ("[2024-03-05 14:03] 민지: 네", ["민지", ":"]),
        ("[10:02] two: words", []),
        ("[x]\nAna: yes", ["Ana", ":"]),
        ("- **Ana:** yes\n> > Bob: no", ["Ana", ":**", "Bob", ":"]),
        ("user: hello\nassistant: hi", ["user", ":", "assistant", ":"]),
        ("the user: hello", []),
        ("", []),
    ],
)
def test_labels(text: str, expected: list[str]) -> None:
    words = split(text)
    found = labels(words)
    spelled = [text[words.starts[i] : words.ends[i]] for i in range(len(words)) if found[i]]
    assert "".join(spelled) == "".join(expected)

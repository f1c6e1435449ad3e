"""The text that every client sends, the facts in it, and the answer that only a reader of them all can give.

The upstream knows none of it: it answers with what it finds in the request that reached it. Imported in the
clients' own environments, so the standard library is all it needs.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]

FACTS: Final = {
    "case": "QX-48213-B",
    "total": "18,456.75 EUR",
    "commit": "9f3c2e1d7ab4",
    "code": "def backoff(attempt: int) -> float:\n    return min(30.0, 0.25 * 2**attempt)",
    "order": '{"sku": "ZT-0091", "quantity": 144, "unit_price": 12.50}',
    "link": "https://tickets.example.com/OPS-2291?view=full&rev=7",
}
_PLACED: Final = {
    "case": "So all of what we talked about today, for the record, goes under case {} in the tracker.",
    "total": "The invoice that finally came in from them was {} and that is, to be honest, quite a lot.",
    "commit": "We went back to commit {} in the end, because everybody knew that it had been fine.",
    "code": "This is what we run there at the moment:\n\n```python\n{}\n```",
    "order": "And the order that was stuck for all of the time was this one:\n\n{}",
    "link": "Whoever wants to read all of it again can find it at {} at any time.",
}
_FOUND: Final = {
    "case": re.compile(r"\b([A-Z]{2}-\d{5}-[A-Z])\b"),
    "total": re.compile(r"(\d{1,3}(?:,\d{3})+\.\d\d EUR)\b"),
    "commit": re.compile(r"\b([0-9a-f]{12})\b"),
    "code": re.compile(r"```python\n(.*?)\n```", re.DOTALL),
    "order": re.compile(r'(\{"sku".*?\})'),
    "link": re.compile(r"(https://tickets\S+)"),
}

QUESTION: Final = "Read the notes of the case and tell me every fact in them."
SCHEMA: Final = {
    "type": "object",
    "properties": {"case": {"type": "string"}, "total": {"type": "string"}},
    "required": ["case", "total"],
    "additionalProperties": False,
}
TOOL_NAME: Final = "read_notes"
TOOL_TEXT: Final = "The notes of a case."
PARAMETERS: Final = {
    "type": "object",
    "properties": {"case": {"type": "string"}},
    "required": ["case"],
    "additionalProperties": False,
}
ARGUMENTS: Final = {"case": FACTS["case"]}
STATUSES: Final = (400, 401, 429, 500, 529)
"""Of the errors that the upstream is asked for."""


def _document() -> str:
    parts = (ROOT / "gateway" / "demo" / "meeting.txt").read_text(encoding="utf-8").split("\n\n")
    for place, (name, sentence) in enumerate(_PLACED.items(), 1):
        parts.insert(4 * place, sentence.format(FACTS[name]))
    return "\n\n".join(parts)


def read_facts(text: str) -> dict[str, str]:
    """Every fact by its name; "?" where it is not in the text."""
    found = {name: pattern.search(text) for name, pattern in _FOUND.items()}
    return {name: match[1] if match else "?" for name, match in found.items()}


def answer_of(facts: dict[str, str]) -> str:
    """An answer that names them, with letters of one to four bytes."""
    return "\n".join(f"{name}: {value}" for name, value in facts.items()) + "\nC'est réglé – 完了 😀"


def structured_of(facts: dict[str, str]) -> dict[str, str]:
    """The same in the shape of SCHEMA."""
    return {name: facts[name] for name in ("case", "total")}


DOCUMENT: Final = _document()
ANSWER: Final = answer_of(FACTS)
STRUCTURED: Final = structured_of(FACTS)
PROMPT: Final = f"{DOCUMENT}\n\n{QUESTION}"


def as_json() -> str:
    """All of it for clients that are not Python."""
    names = ("QUESTION", "SCHEMA", "TOOL_NAME", "TOOL_TEXT", "PARAMETERS", "ARGUMENTS", "STATUSES")
    return json.dumps(
        {name: globals()[name] for name in (*names, "DOCUMENT", "ANSWER", "STRUCTURED", "PROMPT")}
    )

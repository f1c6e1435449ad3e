"""What an agent reads in its loop: a long page a turn, each with facts of its own, and what it must come to.

Imported in the clients' own environments, so the standard library is all it needs.
"""

from __future__ import annotations

import json
import re
from typing import Final

from tests.conformance.clients.facts import DOCUMENT, FACTS

N_TURNS: Final = 8
"""Pages that are read before the agent answers."""
TASK: Final = "Read every page of the notes, one after the other, and list the cases and totals in them."
INSTRUCTIONS: Final = "You are an agent that works with tools. " * 40
PAGE_TOOL: Final = "read_page"
PAGE_SCHEMA: Final = {
    "type": "object",
    "properties": {"page": {"type": "integer"}},
    "required": ["page"],
    "additionalProperties": False,
}
_CASE: Final = re.compile(r"\bQX-\d{5}-[A-Z]\b")
_TOTAL: Final = re.compile(r"\b\d{1,3}(?:,\d{3})+\.\d\d EUR\b")


def page(number: int) -> str:
    """A tool's result of some thousand words."""
    case, total = f"QX-{48213 + number}-B", f"{18 + number},456.75 EUR"
    return DOCUMENT.replace(FACTS["case"], case).replace(FACTS["total"], total)


def found_in(text: str) -> str:
    """An answer with every fact that is there, in order."""
    return json.dumps(_CASE.findall(text) + _TOTAL.findall(text))


ANSWER: Final = found_in("\n".join(page(number) for number in range(N_TURNS)))

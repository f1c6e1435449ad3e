"""As much text as a benchmark wants: the demo's sentences in another order with other figures.

The same seed gives the same text on every machine; another seed gives another one, so that nothing of it is
in any cache. Kinds differ in what they ask of the compressor: speech, rules, records, Korean, JSON and code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

from compressor import counter
from gateway.demo.conversation import text

Json = dict[str, Any]

ENCODING = "o200k_base"
PROSE = ("meeting", "document", "tool_result", "meeting_ko")
"""Texts of the demo that are compressed as prose, by name."""

_SENTENCE_END = re.compile(r"(?<=[.?!])\s+")
_CODE = """def total_{n}(rows: list[dict[str, int]]) -> int:
    \"\"\"Sum of column {n}.\"\"\"
    return sum(row["c{n}"] for row in rows if row["c{n}"] >= {n})
"""


def prose(name: str, tokens: int, random: Random) -> str:
    """About `tokens` tokens of the demo's text `name`, in paragraphs."""
    sentences = _sentences(name)

    def paragraph() -> str:
        return _with_other_figures(" ".join(random.choices(sentences, k=5)), random) + "\n\n"

    return _filled(paragraph, tokens)


def conversation(tokens: int, n_messages: int, seed: int) -> list[Json]:
    """Messages of about equal length: users and tools with prose of several kinds, JSON and code between."""
    random = Random(f"conversation {seed}")  # noqa: S311  # for the same text everywhere, not for secrets
    makers = (
        lambda size: _message("user", prose("meeting", size, random)),
        lambda size: _message("assistant", prose("document", size, random)),
        lambda size: _message("tool", _records(size, random)),
        lambda size: _message("user", prose("document", size, random)),
        lambda size: _message("assistant", prose("tool_result", size, random)),
        lambda size: _message("tool", prose("tool_result", size, random)),
        lambda size: _message("user", prose("meeting_ko", size, random)),
        lambda size: _message("tool", _code(size, random)),
    )
    size = tokens // n_messages
    return [makers[i % len(makers)](size) for i in range(n_messages)]


def _message(role: str, content: str) -> Json:
    said = {"role": role, "content": content}
    return {**said, "tool_call_id": "call_1"} if role == "tool" else said


@cache
def _sentences(name: str) -> list[str]:
    found = _SENTENCE_END.split(text(name))
    return [sentence for sentence in found if "{" not in sentence and "`" not in sentence]


def _with_other_figures(passage: str, random: Random) -> str:
    return re.sub(r"\d", lambda _: str(random.randrange(1, 10)), passage)


def _records(tokens: int, random: Random) -> str:
    """What a tool answers in JSON."""

    def row() -> str:
        note = _with_other_figures(random.choice(_sentences("tool_result")), random)
        return json.dumps({"id": random.randrange(10**6), "note": note, "open": random.random() < 0.5}) + ","

    return "[" + _filled(row, tokens).removesuffix(",") + "]"


def _code(tokens: int, random: Random) -> str:
    """Prose with fenced code in it."""

    def piece() -> str:
        code = "".join(_CODE.format(n=random.randrange(1000)) for _ in range(2))
        return f"{prose('tool_result', 250, random)}```python\n{code}```\n\n"

    return _filled(piece, tokens)


def _filled(piece: Callable[[], str], tokens: int) -> str:
    """Pieces up to `tokens` tokens, at least one."""
    count = counter(ENCODING).count
    pieces, size = [piece()], 0
    while (size := size + count(pieces[-1])) < tokens:
        pieces.append(piece())
    return "".join(pieces)

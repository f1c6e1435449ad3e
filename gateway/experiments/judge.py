"""How two answers are compared by a model that knows neither arm: what it is asked, what it means. Pure.

It is asked twice, the second time with the answers in the other order: a model that prefers what stands first
says so of both orders, and its verdicts cancel out. An answer wins when both replies say so; anything else is
a tie. What stands in the conversation or in an answer is fenced by a mark that nobody can foresee.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

PROMPT: Final = Path(__file__).with_name("judge_prompt.txt").read_text("utf-8")
"""What the judge is told where the policy says nothing else."""

CONVERSATION_CHARACTERS: Final = 40_000
ANSWER_CHARACTERS: Final = 16_000
REASON_CHARACTERS: Final = 500
_READ_CHARACTERS: Final = 4_000
"""Of a reply, the end: a model that thinks aloud says last what it means."""
_HEAD_SHARE: Final = 0.25

Place: TypeAlias = Literal[0, 1, 2]
"""Which answer is better, by where it stood; 0: neither."""

_PLACES: Final[dict[str, Place]] = {
    "1": 1,
    "answer 1": 1,
    "answer1": 1,
    "first": 1,
    "2": 2,
    "answer 2": 2,
    "answer2": 2,
    "second": 2,
    "0": 0,
    "tie": 0,
    "equal": 0,
    "both": 0,
    "neither": 0,
    "none": 0,
}
_SLOT: Final = re.compile(r"\{(conversation|answer_1|answer_2)\}")
_SAID: Final = re.compile(
    r"(?:winner|verdict)[\"'*\s]*(?:[:=]|is)?[\"'*\s\[(]*(1|2|tie|answer ?[12]|neither|both|equal)\b"
)
_ALONE: Final = re.compile(r"[\s\"'`*\[(]*(1|2|tie|answer ?[12])[\s\"'`*\])\.]*")


@dataclass(frozen=True, slots=True)
class Reply:
    """What the judge said."""

    better: Place
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged."""

    conversation: str
    answers: tuple[str, str]

    def swapped(self) -> Case:
        """The same with the answers in the other order."""
        return Case(self.conversation, (self.answers[1], self.answers[0]))


def asked(template: str, case: Case, mark: str) -> str:
    """The judge's prompt. `mark` is a word nobody else knows; slots inside the texts stay as they are."""
    texts = {
        "conversation": shortened(case.conversation, CONVERSATION_CHARACTERS),
        "answer_1": shortened(case.answers[0], ANSWER_CHARACTERS),
        "answer_2": shortened(case.answers[1], ANSWER_CHARACTERS),
    }
    return _SLOT.sub(lambda slot: f"=== {mark} ===\n{texts[slot[1]]}\n=== {mark} ===", template)


def shortened(text: str, most: int) -> str:
    """A text of so many characters at most: its beginning and, three times as much, its end."""
    if len(text) <= most:
        return text
    head = int(most * _HEAD_SHARE)
    n_left_out = len(text) - most
    return f"{text[:head]}\n[{n_left_out} characters left out]\n{text[len(text) - (most - head) :]}"


def read_reply(said: str) -> Reply | None:
    """What the judge means; None where it says nothing that can be read."""
    said = said[-_READ_CHARACTERS:]
    for found in _objects(said):
        members = {str(name).lower(): value for name, value in found.items()}
        place = _place(members.get("winner", members.get("verdict")))
        if place is not None:
            return Reply(place, _reason(members.get("reason")))
    lowered = said.lower()
    alone = _ALONE.fullmatch(lowered)
    found_words = _SAID.findall(lowered) or ([alone[1]] if alone else [])
    place = _place(found_words[-1]) if found_words else None
    return None if place is None else Reply(place)


def agreed(first: Reply, swapped: Reply) -> Place:
    """The better answer, by its place in the first order, where both replies say so."""
    other: dict[Place, Place] = {0: 0, 1: 2, 2: 1}
    return first.better if other[swapped.better] == first.better else 0


def _objects(said: str) -> Iterator[dict[str, Any]]:
    """JSON objects in a text, the last one first."""
    decoder = json.JSONDecoder()
    at = said.rfind("{")
    while at >= 0:
        try:
            found, _ = decoder.raw_decode(said, at)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            yield found
        at = said.rfind("{", 0, at)


def _place(value: object) -> Place | None:
    return _PLACES.get(str(value).strip(" \"'.").lower()) if isinstance(value, str | int) else None


def _reason(value: object) -> str:
    return value[:REASON_CHARACTERS] if isinstance(value, str) else ""

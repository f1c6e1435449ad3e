"""The experiment's texts: pages of a house's handbook, each with facts to be asked for (pure).

A page says in one sentence where a thing is kept, and who asks for it knows whether the answer has it.
Nothing of it is a number or a name that would be kept whatever its score: what is cut too eagerly is lost.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

THINGS: Final = (
    *("spare key of the cellar", "first aid box", "letters for the harbour office", "broken lamps"),
    *("bicycle of the caretaker", "seeds for the garden", "guest towels", "old photographs"),
    *("map of the tunnels", "winter curtains", "choir books", "fishing nets"),
)
PLACES: Final = (
    *("behind the kettle", "under the piano", "in the blue cupboard", "above the bakery"),
    *("beside the chimney", "inside the wooden clock", "below the staircase", "near the fountain"),
    *("in the attic", "on the balcony", "next to the stable", "in the chapel"),
)
_KEEPERS: Final = (
    *("the gardener", "the cook", "the organist", "the porter"),
    *("the nurse", "the carpenter", "the librarian", "the baker"),
)
_BORROWERS: Final = ("the choir", "the night watch", "the children", "the visitors", "the painters")
_TIMES: Final = ("breakfast", "lunch", "supper", "the evening bell", "sunrise", "the market opens")
_TALK: Final = (
    "As everybody who has been here for some time will know, and as we have said a number of times before, "
    "it is always a good idea to ask somebody if you are not quite sure about any of this.",
    "It is worth pointing out that most of what follows has been the way it is for a very long time, and "
    "that there is really no particular reason to change any of it at the moment.",
    "In general, and as a matter of course, people are kindly asked to take a little time to read the whole "
    "of this page before they go on to do anything else with it.",
)
_SHARE_OF_TALK: Final = 0.35


@dataclass(frozen=True, slots=True)
class Page:
    """A page and what stands on it."""

    text: str
    facts: Mapping[str, str]
    """A thing, and the word that says where it is."""


def page(number: int) -> Page:
    """The same page for the same number, everywhere."""
    draw = Random(f"handbook {number}")  # noqa: S311  # for the same text everywhere, not for secrets
    places = draw.sample(PLACES, len(PLACES))
    lines = []
    for thing, place in zip(draw.sample(THINGS, len(THINGS)), places, strict=True):
        keeper, borrower, time = draw.choice(_KEEPERS), draw.choice(_BORROWERS), draw.choice(_TIMES)
        lines.append(
            f"As far as I know {keeper} keeps the {thing} {place}, and it is lent to {borrower} as long as "
            f"it is brought back before {time}."
        )
        if draw.random() < _SHARE_OF_TALK:
            lines.append(draw.choice(_TALK))
    return Page("\n".join(lines), _facts(lines))


def question(thing: str) -> str:
    """What somebody asks who needs the thing."""
    return f"Where is the {thing}?"


def answer(handbook: str, asked: str) -> str:
    """Of an assistant that quotes the line about the thing asked for, as it stands in what it was sent."""
    thing = asked.rstrip("?").split()[-1]
    for line in handbook.splitlines():
        if thing in re.findall(r"\w+", line):
            return f"The handbook says: {line.strip()}"
    return "I am sorry, the handbook does not say."


def _facts(lines: list[str]) -> dict[str, str]:
    """Thing to the last word of its place."""
    facts = {}
    for thing in THINGS:
        for line in lines:
            if f"the {thing} " in line:
                said = line.partition(f"the {thing} ")[2]
                facts[thing] = said.partition(",")[0].split()[-1]
    return facts

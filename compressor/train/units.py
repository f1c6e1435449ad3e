"""What a text is graded by, and when two units count as the same word.

A unit is a white-space word; in Chinese and Japanese, which put no spaces, a character. A teacher that
deletes also touches what stays: it lowers a capital that no longer begins a sentence, loses a comma, cuts a
Korean particle with the words it tied together, or the target of a link. So units are compared by keys, from
strict to loose. Pure; every text has units, down to none at all.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_OUTER = re.compile(r"^[\W_]+|[\W_]+$")
_HEAD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_POSSESSIVE = re.compile(r"(?<=\w)['’]s$")
_PARTICLE = re.compile(
    r"(?<=[가-힣])(?:에서는|에서도|으로는|으로도|에게는|에게서|까지는|까지도|부터는|이라고|이라는|에서|에게|에는|에도|으로|로는|로도"
    r"|까지|부터|처럼|보다|마다|조차|밖에|한테|하고|이나|이란|라고|라는|은|는|이|가|을|를|의|에|도|로|와|과|만|나|란)$"
)
"""Case and topic particles, the longest first: what one word may wear and the same word elsewhere not."""


def is_by_character(language: str) -> bool:
    """Has the language no spaces between its words?"""
    return language.split("-")[0] in ("zh", "ja")


def units_of(text: str, language: str) -> list[str]:
    """The units of a text, in their order; together they are the text without its white space."""
    words = text.split()
    return [char for word in words for char in word] if is_by_character(language) else words


@dataclass(frozen=True, slots=True)
class Keys:
    """One unit as it is compared. Equal at `folded`: the same word; at `stem`, or its head: the same but for
    what a teacher cuts within words."""

    folded: str
    stem: str
    head: str

    @classmethod
    def of(cls, unit: str) -> Keys:
        plain = unicodedata.normalize("NFKC", unit).casefold()
        folded = _OUTER.sub("", plain) or plain or unit
        head = _HEAD.search(folded)
        return cls(folded, stem(folded), head[0] if head else folded)


def stem(folded: str) -> str:
    """The word without its possessive or its Korean particle."""
    return _PARTICLE.sub("", _POSSESSIVE.sub("", folded))

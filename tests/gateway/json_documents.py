"""Random JSON documents in random spellings, with where each value lies, for property tests.

Every character of a string is spelled at random: raw UTF-8, `\\uXXXX` with lower- or upper-case digits
(a surrogate pair beyond the basic plane) or its short escape. White space is at random too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from hypothesis import strategies as st

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

SHORT = {
    '"': '\\"',
    "\\": "\\\\",
    "/": "\\/",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}
AWKWARD = 'aZ09 ,:"\\/\b\n\t\0\x1f\x7f{}[]é߿ࠀ漢￿😀\U0010ffff\u2028\u0301'

characters = st.sampled_from(AWKWARD) | st.characters(exclude_categories=["Cs"])
gaps = st.sampled_from(["", "", "", " ", "\n", "\t \r\n"])


def _hex(character: str, digits: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at] * 256 + units[at + 1]:04{digits}}" for at in range(0, len(units), 2))


def _raw(character: str) -> str:
    if character in SHORT and character != "/":
        return SHORT[character]
    return _hex(character, "x") if character < " " else character


SPELLINGS: Sequence[Callable[[str], str]] = (
    _raw,
    lambda character: SHORT.get(character) or _raw(character),
    lambda character: _hex(character, "x"),
    lambda character: _hex(character, "X"),
)


def _spell(spelled: list[tuple[str, int]]) -> tuple[str, str]:
    literal = "".join(SPELLINGS[spelling](character) for character, spelling in spelled)
    return "".join(character for character, _ in spelled), f'"{literal}"'


literals = st.lists(st.tuples(characters, st.integers(0, 3)), max_size=20).map(_spell)
"""A text and a spelling of it as a string literal."""

scalars = st.sampled_from(
    [(None, "null"), (True, "true"), (False, "false"), (0, "-0"), (1.1, "1.10"), (100.0, "1E2"), (7, "7")]
)


def _array(children: st.SearchStrategy[tuple[Json, str]]) -> st.SearchStrategy[tuple[Json, str]]:
    items = st.lists(st.tuples(gaps, children, gaps), max_size=4)
    return items.map(
        lambda items: (
            [value for _, (value, _), _ in items],
            "[" + ",".join(before + raw + after for before, (_, raw), after in items) + "]",
        )
    )


def _object(children: st.SearchStrategy[tuple[Json, str]]) -> st.SearchStrategy[tuple[Json, str]]:
    member = st.tuples(gaps, literals, gaps, gaps, children, gaps)
    members = st.lists(member, max_size=4, unique_by=lambda member: member[1][0])
    return members.map(
        lambda members: (
            {key: value for _, (key, _), _, _, (value, _), _ in members},
            "{" + ",".join(f"{a}{key}{b}:{c}{raw}{d}" for a, (_, key), b, c, (_, raw), d in members) + "}",
        )
    )


values: st.SearchStrategy[tuple[Json, str]] = st.recursive(
    scalars | literals, lambda children: _array(children) | _object(children), max_leaves=12
)
"""A value and a spelling of it."""

documents: st.SearchStrategy[tuple[Json, bytes]] = st.tuples(gaps, values, gaps).map(
    lambda parts: (parts[1][0], (parts[0] + parts[1][1] + parts[2]).encode())
)


def requests(names: Sequence[str], words: Sequence[str]) -> st.SearchStrategy[Json]:
    """Values built from the names and words of an API, in every wrong place: objects above all."""
    leaves = st.none() | st.booleans() | st.integers() | st.sampled_from(words) | st.text(max_size=5)
    values = st.recursive(
        leaves,
        lambda children: (
            st.lists(children, max_size=4) | st.dictionaries(st.sampled_from(names), children, max_size=6)
        ),
        max_leaves=25,
    )
    return st.dictionaries(st.sampled_from(names), values, max_size=4)

"""What became of each word, for eyes: pure, text in, text out.

Each fate is told by more than colour: dropped words are struck through and dim, forced ones bold, protected
ones underlined; without colours they stand in marks. Words of one fate side by side share it with the gap
between them. Characters that would command a terminal are shown as pictures.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import get_args

import click

from compressor import counter
from compressor.explain import Explained, Fate
from compressor.words import split

_MARKS: dict[Fate, tuple[str, str]] = {
    "kept": ("", ""),
    "dropped": ("[-", "-]"),
    "forced": ("{+", "+}"),
    "protected": ("{=", "=}"),
}
_MEANING: dict[Fate, str] = {
    "kept": "scored high enough",
    "dropped": "scored too low, or stood alone at a seam",
    "forced": "numbers, names, negations, literals: stay at any rate, counted within it",
    "protected": "code, JSON, URLs, tables, head and tail: stay, not counted",
}
_COMMANDS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and newline, what turns the direction of writing, and halves of characters."""


@dataclass(frozen=True, slots=True)
class Look:
    """With the terminal's colours, or with marks."""

    has_color: bool

    def show(self, text: str, fate: Fate) -> str:
        """A stretch of one fate; a line at a time, so that pagers see each begin and end."""
        return "\n".join(self._line(line, fate) if line.strip() else line for line in text.split("\n"))

    def _line(self, line: str, fate: Fate) -> str:
        line = _COMMANDS.sub(_picture, line)
        if not self.has_color:
            opening, closing = _MARKS[fate]
            return f"{opening}{line}{closing}"
        match fate:
            case "dropped":
                return click.style(line, fg="red", dim=True, strikethrough=True)
            case "forced":
                return click.style(line, fg="yellow", bold=True)
            case "protected":
                return click.style(line, fg="cyan", underline=True)
            case "kept":
                return line


def painted(explained: Explained, look: Look) -> str:
    """The text, every word of it, each as it fared."""
    done, parts = 0, []
    for fate, start, end in _stretches(explained):
        parts.append(look.show(explained.text[done:start], "kept"))
        parts.append(look.show(explained.text[start:end], fate))
        done = end
    return "".join([*parts, look.show(explained.text[done:], "kept")])


def _stretches(explained: Explained) -> Iterator[tuple[Fate, int, int]]:
    if explained.result.skip:  # whatever was planned: the text went whole
        return
    for fate, group in groupby(explained.words, key=lambda word: word.fate):
        words = list(group)
        yield fate, words[0].start, words[-1].end


def legend(explained: Explained, encoding: str, look: Look) -> str:
    """A line a fate: how it looks, how many words and tokens of the original it has, what it means."""
    if explained.result.skip:
        return f"left whole: {explained.result.skip}\n"
    tokens = counter(encoding)
    weights = tokens.weigh(tokens.encode(explained.text), split(explained.text)).tolist()
    words, of_fate = Counter[Fate](), Counter[Fate]()
    for word, weight in zip(explained.words, weights, strict=True):
        words[word.fate] += 1
        of_fate[word.fate] += weight
    lines = []
    for fate in get_args(Fate):
        name = look.show(fate, fate) + " " * (
            15 - len(fate) - (0 if look.has_color else 2 * len(_MARKS[fate][0]))
        )
        lines.append(f"{name}{words[fate]:>8,} words {of_fate[fate]:>8,} tokens  {_MEANING[fate]}\n")
    return "".join(lines)


def _picture(command: re.Match[str]) -> str:
    code = ord(command[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"

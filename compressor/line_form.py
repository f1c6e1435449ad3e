"""What the lines of a text look like: clearly code, possibly code, a setting, or a sentence.

A line is judged by its form (share of symbols, how it begins and ends, indentation) and by its function
words, which code hardly has. Inline code and URLs count as neither: a line that names many functions is still
prose.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from compressor.keep_lexicon import function_words
from compressor.lines import Lines
from compressor.spans import CharSet, Positions, sums, words_at
from compressor.types import Bools
from compressor.word_index import WordIndex
from compressor.words import Flag

_DENSE, _SPARSE = 0.15, 0.05
"""Symbols among the characters of a line: code has a median of 0.14, English prose of 0.00."""

_SYMBOLS = CharSet("{}()[];=<>|&$@\\/+~^%_")
_ENDS = CharSet("{};")
_OPEN_ENDS = CharSet("{}();:,[]\\")
_COMMENTS = CharSet("#*;%")


class _Role:
    """Bits: what a word says about its line."""

    KEYWORD = 1
    """At the start of a line of code."""
    SQL = 2
    """In capitals at the start of a line of SQL or of a Dockerfile."""
    PROMPT = 4
    OPERATOR = 8
    TRACE = 16
    """At the start of an indented line of a stack trace."""
    SPOKEN = 32
    """Function word of a natural language."""


_ROLE_WORDS = {
    _Role.KEYWORD: """
        def class import from return if elif else for while try except finally with async await function
        func fn let const var public private protected static void int char float double bool struct
        enum interface type package use using namespace export default switch case break continue throw
        raise pass yield match lambda impl pub mod #include #define #ifdef #ifndef #endif begin end echo
        fi done then do make sudo cd ls git docker pip npm go cargo select insert update delete create
        alter drop traceback""",
    _Role.SQL: """
        select from where insert update delete create alter join left order group values having
        run copy workdir expose cmd entrypoint healthcheck""",
    _Role.PROMPT: "$ >>> % ❯",
    _Role.TRACE: "file at",
    _Role.OPERATOR: """
        = := == != <= >= += -= *= /= -> => :: && || ?? ); }); }, ]; ], { } ${ $( () ();""",
}
_NOT_SPOKEN = """
    and at by can de do else for from had has if in is it may no not on or out per so this to
    use was when where who will with a e i o u s y n end all any each la le es des set text"""
"""Function words of some language that are keywords or names in code."""

_BULLETS = CharSet("-*+•–·")
_SENTENCE_ENDS = CharSet(".?!。？！…")
_LONGEST_VALUE = 6
_LEAST_DENSE = 21
"""One symbol in so many characters is just below `_SPARSE`."""
_FIRST_SIGNS = CharSet("$>%❯@<")
"""Of prompts, decorators and markup."""
_FEWEST_SPOKEN, _SPOKEN_SHARE, _WIDE_SHARE = 2, 0.15, 0.3


@cache
def _vocabulary() -> tuple[WordIndex, NDArray[np.uint8]]:
    """Words with roles, and the roles by row; the last row is for all other words."""
    roles: dict[str, int] = dict.fromkeys(sorted(function_words() - set(_NOT_SPOKEN.split())), _Role.SPOKEN)
    for role, words in _ROLE_WORDS.items():
        for word in words.split():
            roles[word] = roles.get(word, 0) | role
    return WordIndex(list(roles)), np.array([*roles.values(), 0], np.uint8)


def n_suspect(text: str, lines: Lines) -> int:
    """At most so many lines are clear or settings, told from their edges and symbols alone: prose has few."""
    words = lines.words
    full = (lines.first < lines.past).nonzero()[0]
    first, past = lines.first[full], lines.past[full]
    symbols = lines.count_chars(_SYMBOLS)[full]
    n_words = past - first
    suspect = symbols * _LEAST_DENSE >= sums(words.lengths, first, past)
    suspect |= (symbols > 0) & (words.starts[first] > lines.starts[full])  # traces
    suspect |= _OPEN_ENDS.has(words.codes[words.ends[past - 1] - 1])
    suspect |= _FIRST_SIGNS.has(words.first_codes[first]) | ((words.flags[first] & Flag.UPPER) != 0)
    is_pair = words.first_codes[np.minimum(first + 1, len(words) - 1)] == ord(":")
    suspect |= (n_words <= _LONGEST_VALUE) & (is_pair | ("=" in text))
    index, roles = _vocabulary()
    operators = words.puncts[(roles[index.rows(words.hashes[words.puncts])] & _Role.OPERATOR) != 0]
    if len(operators):
        suspect |= lines.count(words.starts[operators].astype(np.intp))[full] > 0
    return int(np.count_nonzero(suspect))


class LineForm:
    """What the lines look like."""

    def __init__(self, lines: Lines, is_quoted: Bools) -> None:
        words = lines.words
        self._lines = lines
        self._starts, self._ends = lines.content_starts(), lines.content_ends()
        self._first, self._last = lines.codes_at(self._starts), lines.codes_at(self._ends - 1)
        self._second = lines.codes_at(self._starts + 1)
        at = np.minimum(lines.first, len(words) - 1)
        self.first_hashes = words.hashes[at]
        self._first_flags = words.flags[at]
        index, roles = _vocabulary()
        self._roles = roles[index.rows(words.hashes)]
        self._first_roles = self._roles[at]
        self._keyword = (self._first_roles & _Role.KEYWORD) != 0
        self._is_indented = self._starts > lines.starts
        self._density = self._symbols(is_quoted) / np.maximum(lines.n_inked(), 1)
        marks = (self._first == ord("/")) & ((self._second == ord("/")) | (self._second == ord("*")))
        marks |= (self._first == ord("-")) & (self._second == ord("-"))
        self._is_heading = (self._first == ord("#")) & (self._second == ord("#"))
        self._is_comment = (marks | _COMMENTS.has(self._first)) & ~self._is_heading
        is_operator = ((self._roles & _Role.OPERATOR) != 0) & ~is_quoted
        self._has_operator = self._count_words(is_operator) > 0
        self._is_wordy = self._wordy(is_quoted)
        self.is_prose = self._is_wordy & ~self._is_indented & ~self._is_comment
        self._is_list = _BULLETS.has(self._first) | ((self._first_flags & Flag.HAS_DIGIT) != 0)
        self._is_list |= self._is_heading | self._is_log()

    def _count_words(self, mask: Bools) -> Positions:
        """How many words of each line are in the mask."""
        return sums(mask, self._lines.first, self._lines.past)

    def _symbols(self, is_quoted: Bools) -> Positions:
        """Symbols of each line outside what is quoted."""
        lines = self._lines
        at = np.flatnonzero(_SYMBOLS.has(lines.words.codes))
        if is_quoted.any():
            at = at[~is_quoted[words_at(lines.words, at)]]
        return lines.count(at)

    def _wordy(self, is_quoted: Bools) -> Bools:
        """Lines with the function words of a sentence, or mostly in Han, Kana or Hangul."""
        words = self._lines.words
        spoken = self._count_words((self._roles & _Role.SPOKEN) != 0)
        wide = self._count_words((words.flags & (Flag.CJK | Flag.HANGUL)) != 0)
        named = self._count_words(((words.flags & (Flag.HAS_LETTER | Flag.HAS_DIGIT)) != 0) & ~is_quoted)
        is_spoken = (spoken >= _FEWEST_SPOKEN) & (spoken >= _SPOKEN_SHARE * named)
        return np.asarray(is_spoken | ((wide >= _FEWEST_SPOKEN) & (wide >= _WIDE_SHARE * named)))

    def _is_log(self) -> Bools:
        """Lines with a time of day: logs are full of symbols, but are records, not code."""
        codes = self._lines.words.codes
        at = np.flatnonzero(codes[1:-1] == ord(":")) + 1
        is_time = ((codes[at - 1] - ord("0")) < 10) & ((codes[at + 1] - ord("0")) < 10)
        return self._lines.count(at[is_time]) >= 2

    def is_clear(self) -> Bools:
        """Lines that hardly anything but code looks like."""
        clear = self._density >= _DENSE
        clear |= _ENDS.has(self._last) & (self._density >= _SPARSE)
        clear |= self._keyword & _OPEN_ENDS.has(self._last)
        clear |= self._has_operator
        clear &= ~self._is_list & ~self._is_wordy
        clear |= ((self._first_roles & _Role.SQL) != 0) & ((self._first_flags & Flag.UPPER) != 0)
        clear |= (self._first_roles & _Role.PROMPT) != 0
        clear |= self._is_indented & ((self._first_roles & _Role.TRACE) != 0) & (self._density > 0)
        clear |= (self._first == ord("@")) & (self._lines.n_words <= 2)
        clear |= (self._first == ord("<")) & (self._last == ord(">")) & ~self._is_wordy
        return np.asarray(clear)

    def is_likely(self) -> Bools:
        """Lines that may be code among code."""
        short = self._lines.n_words <= _LONGEST_VALUE
        likely = self._is_indented & (self._density >= _SPARSE)
        likely |= self._keyword & (short | _OPEN_ENDS.has(self._last))
        likely |= (self._density >= _SPARSE) & short & ~_SENTENCE_ENDS.has(self._last)
        likely |= self._is_indented & short & _OPEN_ENDS.has(self._last)
        likely &= ~self._is_list
        return np.asarray(likely | self._is_comment | (self._is_indented & (self._density >= _DENSE)))

    def is_setting(self) -> Bools:
        """name: value and name=value, with a short value; capitals in a name only before "="."""
        lines, words = self._lines, self._lines.words
        first, second = (np.minimum(lines.first + i, len(words) - 1) for i in range(2))
        is_pair = (words.codes[words.starts[second]] == ord(":")) & (
            words.ends[first] == words.starts[second]
        )
        is_pair &= (words.ends[second] - words.starts[second] == 1) & (lines.n_words >= 2)
        equals = words_at(words, np.flatnonzero(words.codes == ord("=")))
        is_assigned = np.zeros(len(lines), np.bool_)
        if len(equals):
            is_assigned = np.isin(first, equals)
            is_assigned |= np.isin(second, equals) & (words.ends[first] == words.starts[second])
        is_small = (self._first_flags & (Flag.CJK | Flag.HANGUL)) == 0
        is_small &= ((self._first_flags & Flag.TITLE) == 0) | is_assigned
        is_small &= (self._first_flags & Flag.HAS_LETTER) != 0
        is_short = (lines.n_words <= _LONGEST_VALUE) & ~_SENTENCE_ENDS.has(self._last) & ~lines.is_blank
        return np.asarray((is_pair | is_assigned) & is_small & is_short & ~self._is_wordy)

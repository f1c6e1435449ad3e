"""What the model-free scorer looks at: per word, some twenty small integers, indices into tables of weights.

Whole-number arithmetic throughout, so that the same text gives the same features on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from compressor.chars import BASE, folded
from compressor.scorers.frequency_marks import Marks, Sign, Stretches, has
from compressor.scorers.frequency_roles import Role
from compressor.scorers.frequency_types import ENDINGS, Types
from compressor.types import Bools, Ints, Words
from compressor.words import Flag

_SUFFIXES = (
    *("ly", "ng", "ed", "on", "nt", "es", "er", "st", "al"),
    *("us", "ve", "le", "ty", "ss", "ce", "te", "ic", "ry"),
)
_PUNCTUATION_SHAPES = (
    (7, Sign.RULE),
    (6, Sign.QUOTE),
    (5, Sign.CLOSING),
    (4, Sign.OPENING),
    (3, Sign.COLON),
    (2, Sign.COMMA),
)
"""Shapes of punctuation by its first character; of several the one listed last."""
_ZIPF_BINS = 17
_SCRIPTS = 3
_KINDS = 11 + len(Role) - 1

SIZES: Mapping[str, int] = {
    "zipf": _SCRIPTS * _ZIPF_BINS,
    "role": len(Role),
    "ending": len(ENDINGS),
    "suffix": 1 + len(_SUFFIXES),
    "shape": 20,
    "length": _SCRIPTS * 8,
    "rank": 2 * 6,
    "count": 2 * 6,
    "gap": 5,
    "before": _KINDS,
    "after": _KINDS,
    "before2": _KINDS,
    "after2": _KINDS,
    "density": 10,
    "sentence_words": 8,
    "sentence_place": 6,
    "sentence_end": 4,
    "line": 6,
    "line_place": 6,
    "glue": 4,
    "repeated_line": 2,
}
"""Features and how many values each can take."""


def features(words: Words, types: Types) -> dict[str, NDArray[np.intp]]:
    """One array of indices per entry of SIZES, each of shape [n]; n must be positive."""
    marks = Marks.of(words)
    sentences = Stretches.ending_at(marks.is_stop | marks.is_newline)
    lines = Stretches.ending_at(marks.is_newline)
    kind = _kinds(marks, types)
    return {
        **_of_word(words, types, marks, sentences),
        **_of_recurrence(types, marks),
        "before": _shifted(kind, 1),
        "after": _shifted(kind, -1),
        "before2": _shifted(kind, 2),
        "after2": _shifted(kind, -2),
        **_of_sentence(marks, types, sentences),
        **_of_line(words, marks, lines),
        "repeated_line": _repeated_lines(words, marks, lines).astype(np.intp),
    }


def _of_word(words: Words, types: Types, marks: Marks, sentences: Stretches) -> dict[str, NDArray[np.intp]]:
    """The word by itself: how rare, what role, what form."""
    tenths, role = types.tenths[types.of], types.roles[types.of]
    script = np.where((words.flags & Flag.HANGUL) != 0, 1, np.where((words.flags & Flag.CJK) != 0, 2, 0))
    bins = np.where(tenths == 0, 0, np.clip((tenths.astype(np.intp) - 25) // 3, 1, _ZIPF_BINS - 1))
    lengths = words.ends - words.starts
    is_inflected = marks.is_word & (script == 0) & (role == Role.NONE) & (lengths > 4)
    return {
        "zipf": np.where(marks.is_word, script * _ZIPF_BINS + bins, 0),
        "role": role.astype(np.intp),
        "ending": types.endings[types.of].astype(np.intp),
        "suffix": np.where(is_inflected, _suffixes(words), 0),
        "shape": _shapes(words, marks, sentences.place),
        "length": script * 8 + np.clip(lengths, 1, 8) - 1,
    }


def _of_recurrence(types: Types, marks: Marks) -> dict[str, NDArray[np.intp]]:
    """How often the word stands in the text, and where it stood before; content words apart from the rest."""
    is_open = (types.roles[types.of] == Role.NONE) & (types.tenths[types.of] < 58)
    offset = 6 * is_open.astype(np.intp)
    gap = 1 + (types.gap > 12) + (types.gap > 60).astype(np.intp) + (types.gap > 300)
    return {
        "rank": np.where(marks.is_word, offset + _log_bin(types.rank, 6), 0),
        "count": np.where(marks.is_word, offset + _log_bin(types.counts[types.of] - 1, 6), 0),
        "gap": np.where(marks.is_word & (types.gap > 0), gap, 0),
    }


def _shapes(words: Words, marks: Marks, place: NDArray[np.intp]) -> NDArray[np.intp]:
    """0 newline, 1–8 punctuation, 9–10 digits, 11–19 words by script, joiners and case."""
    first, last, flags = marks.first, marks.last, words.flags
    punct = np.full(len(words), 8, np.intp)
    for shape, sign in _PUNCTUATION_SHAPES:
        punct[has(marks.first_signs, sign)] = shape
    punct[marks.is_stop] = 1
    is_upper, is_title = (flags & Flag.UPPER) != 0, (flags & Flag.TITLE) != 0
    is_inner = (flags & Flag.INNER) != 0
    is_katakana = (first >= 0x30A0) & (first <= 0x30FF)
    is_hiragana = (first >= 0x3041) & (first <= 0x309F) & (last >= 0x3041) & (last <= 0x309F)
    is_east = (flags & (Flag.CJK | Flag.HANGUL)) != 0
    word = np.select(
        [
            is_katakana,
            is_hiragana,
            is_east,
            is_inner & is_title,
            is_inner,
            is_upper,
            is_title & (place > 0),
            is_title,
        ],
        [11, 12, 13, 14, 15, 16, 17, 18],
        19,
    )
    number = np.where(marks.is_word, 10, 9)
    return np.select([marks.is_newline, marks.is_punct, marks.is_digit], [0, punct, number], word).astype(
        np.intp
    )


def _suffixes(words: Words) -> NDArray[np.intp]:
    """1 + index into _SUFFIXES of the word's last two letters, 0 for any other."""
    pairs = (folded(words.codes[np.maximum(words.ends - 2, 0)]) << np.uint32(8)) | folded(
        words.codes[words.ends - 1]
    )
    keys = np.array([(ord(suffix[0]) << 8) | ord(suffix[1]) for suffix in _SUFFIXES], np.uint32)
    order = np.argsort(keys)
    at = np.minimum(np.searchsorted(keys[order], pairs), len(keys) - 1)
    return np.where(keys[order][at] == pairs, order[at] + 1, 0)


def _log_bin(values: Ints | NDArray[np.int64], size: int) -> NDArray[np.intp]:
    """0, 1, 2–3, 4–7, … to 0 … size - 1."""
    return np.searchsorted(2 ** np.arange(size - 1), values, side="right")


def _kinds(marks: Marks, types: Types) -> NDArray[np.intp]:
    """A coarse class of each word, for its neighbours to look at; 0 is beyond the text."""
    by_zipf = np.where(
        types.tenths == 0, 5, 6 + np.searchsorted([38, 45, 52, 59], types.tenths, side="right")
    )
    kinds = np.where(types.roles > 0, 10 + types.roles.astype(np.intp), by_zipf)
    return np.select(
        [marks.is_newline, marks.is_stop, marks.is_punct, marks.is_digit, marks.is_word],
        [1, 2, 3, 4, kinds[types.of]],
        3,
    ).astype(np.intp)


def _shifted(kind: NDArray[np.intp], by: int) -> NDArray[np.intp]:
    """The kind of each word's neighbour `by` places before it (after it when negative)."""
    shifted = np.zeros_like(kind)
    if by > 0:
        shifted[by:] = kind[:-by]
    else:
        shifted[:by] = kind[-by:]
    return shifted


def _of_sentence(marks: Marks, types: Types, sentences: Stretches) -> dict[str, NDArray[np.intp]]:
    """How informative the word's sentence is, how long, how it ends, and where in it the word stands."""
    rarity = np.where(types.tenths == 0, 45, np.maximum(72 - types.tenths.astype(np.int64), 0))
    rarity[types.roles >= Role.QUESTION] = 0
    worth = np.where(marks.is_digit, 45, np.where(marks.is_word, rarity[types.of], 0))
    n_words = sentences.sums(marks.is_word | marks.is_digit)
    last = np.append(sentences.first[1:], len(worth)) - 1
    end = marks.is_stop[last].astype(np.intp)
    end[has(marks.first_signs[last], Sign.QUESTION)] = 2
    end[has(marks.first_signs[last], Sign.EXCLAMATION)] = 3
    return {
        "density": np.clip(sentences.sums(worth) // np.maximum(n_words, 1) // 4, 0, 9)[sentences.of],
        "sentence_words": _log_bin(n_words, 8)[sentences.of],
        "sentence_place": np.minimum(sentences.place, 5),
        "sentence_end": end[sentences.of],
    }


def _of_line(words: Words, marks: Marks, lines: Stretches) -> dict[str, NDArray[np.intp]]:
    """Where in its line the word stands, and the kind of line: heading, list, numbered, labelled, markup."""
    head = marks.first_signs[lines.first]
    is_colon = marks.is_punct & has(marks.first_signs, Sign.LABEL) & (lines.place > 0) & (lines.place <= 3)
    kind = np.select(
        [
            has(head, Sign.HASH),
            has(head, Sign.BULLET) & marks.is_punct[lines.first],
            marks.is_digit[lines.first],
            lines.sums(is_colon) > 0,
            has(head, Sign.MARKUP),
        ],
        [1, 2, 3, 4, 5],
        0,
    )
    touches = np.append(words.starts[1:] == words.ends[:-1], False)
    return {
        "line": kind[lines.of].astype(np.intp),
        "line_place": _log_bin(lines.place, 6),
        "glue": np.append(False, touches[:-1]) + 2 * touches.astype(np.intp),
    }


def _repeated_lines(words: Words, marks: Marks, lines: Stretches) -> Bools:
    """Words of a line of three words or more that stood before, word for word."""
    terms = words.hashes * (
        lines.place.astype(np.uint64) * np.uint64(2) + np.uint64(BASE)
    )  # an odd factor a place
    terms[marks.is_newline] = 0
    _, earliest, same = np.unique(np.add.reduceat(terms, lines.first), return_index=True, return_inverse=True)
    lengths = np.diff(lines.first, append=len(words))
    is_repeated = (earliest[same] != np.arange(len(lines.first))) & (lengths > 3)
    repeated: Bools = is_repeated[lines.of]
    return repeated

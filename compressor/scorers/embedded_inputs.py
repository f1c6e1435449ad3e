"""What the embedded model sees of a text: per distinct word its pieces, per word some small integers.

A position of the model is a word, not a token: its pieces only make its vector. So Korean words of six tokens
cost what English ones cost, and no score has to be carried from tokens to words. The integers are those of
the model-free scorer (`frequency_features`: rarity, repetition in the whole text, shape, place), which a
window cannot show, and the group of scripts the text is in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from compressor.scorers.frequency import Sight, look
from compressor.scorers.frequency_features import SIZES
from compressor.scorers.frequency_weights import GROUPS
from compressor.types import Ints, Words

INPUTS_VERSION = "1"
"""Part of every fingerprint: changes whenever the same text would be seen otherwise."""

UNKNOWN, EMPTY, NEWLINE, MASK, BEGIN, END = range(6)
"""Pieces that no text can spell. UNKNOWN is never made: bytes stand for characters without a piece. BEGIN and
END stand around a row, as in the network that the training started from."""
N_SPECIALS = 6
WORD_MARK = "▁"
"""Begins the first piece of a word; left out where it is a piece by itself."""

COLUMNS = ("group", *SIZES)
"""The integers of a word."""
_WIDTHS = (len(GROUPS), *SIZES.values())
OFFSETS = tuple(accumulate(_WIDTHS, initial=0))[:-1]
"""Where the values of each column begin in one table that holds them all."""
NOTHING = sum(_WIDTHS)
"""The row of the table for all columns of BEGIN and END."""
N_VALUES = NOTHING + 1

_SURROGATES = re.compile("[\ud800-\udfff]")
"""JSON can spell half a character; tokenizers take none."""


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Of one text. Types are its distinct words; type i has the pieces [starts[i], starts[i + 1])."""

    pieces: Ints
    starts: NDArray[np.intp]
    """One more than there are types."""
    of: NDArray[np.intp]
    """Type of each word, shape [n]."""
    values: Ints
    """Rows of the one table, shape [n, len(COLUMNS)]."""

    def __len__(self) -> int:
        return len(self.of)

    def pieces_of(self, types: NDArray[np.intp]) -> tuple[Ints, NDArray[np.intp]]:
        """The pieces of some types in a row, and how many each has."""
        starts, sizes = self.starts[types], self.starts[types + 1] - self.starts[types]
        before = np.cumsum(sizes) - sizes
        return self.pieces[np.arange(int(sizes.sum())) + np.repeat(starts - before, sizes)], sizes


def inputs_of(text: str, words: Words, tokenizer: Tokenizer, sight: Sight | None = None) -> Inputs:
    """What the model sees of a text that has words. `sight` is of these words."""
    sight = sight or look(words)
    of = sight.types.of
    at = np.flatnonzero(sight.types.rank == 0)
    first = np.empty(len(at), np.intp)
    first[of[at]] = at
    spans = zip(words.starts[first].tolist(), words.ends[first].tolist(), strict=True)
    spelled = [_SURROGATES.sub("\ufffd", text[start:end]) for start, end in spans]
    pieces, counts = _pieces(spelled, tokenizer)
    starts = np.zeros(len(counts) + 1, np.intp)
    np.cumsum(counts, out=starts[1:])
    return Inputs(pieces, starts, of, values_of(words, sight))


def values_of(words: Words, sight: Sight | None = None) -> Ints:
    """The integers of each word, as rows of the one table."""
    sight = sight or look(words)
    values = np.empty((len(words), len(COLUMNS)), np.int32)
    values[:, 0] = GROUPS.index(sight.group)
    for column, found in enumerate(sight.features.values(), start=1):
        values[:, column] = found + OFFSETS[column]
    return values


def _pieces(spelled: list[str], tokenizer: Tokenizer) -> tuple[Ints, NDArray[np.intp]]:
    """The pieces of all, and how many each has: one at least."""
    # the plural releases the interpreter lock, the singular holds it
    [encoding] = tokenizer.encode_batch([spelled], is_pretokenized=True, add_special_tokens=False)
    ids = np.array(encoding.ids, np.int32)
    says = ids != tokenizer.token_to_id(WORD_MARK)
    ids, of = ids[says], np.array(encoding.word_ids, np.intp)[says]
    counts = np.bincount(of, minlength=len(spelled))
    bare = np.flatnonzero(counts == 0)
    if not len(bare):
        return ids, counts
    stand_in = [NEWLINE if spelled[at] in ("\n", "\r\n") else EMPTY for at in bare.tolist()]
    places = np.searchsorted(of, bare)
    counts[bare] = 1
    return np.insert(ids, places, np.array(stand_in, np.int32)).astype(np.int32), counts

"""What a compressor has to beat: orders in which a text's words are kept, made without a model.

A control has none of Pith's promises: it may break numbers, code and negations. `Budget.fit` cuts each at the
number of tokens the scorer under test came to, text by text. Line breaks cost little and are kept first, but
by the two controls that keep whole stretches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from compressor.eval.textrank import by_sentence
from compressor.scorers.frequency_types import find_types
from compressor.types import SCORE_ONE, Scores, Words

Order: TypeAlias = NDArray[np.intp]
Ranking: TypeAlias = Callable[[str, Words], Order]
"""Indices of the words of a text, those kept first in front."""

STOP_TENTHS = 58
"""Words of at least this Zipf value (tenths), some 150 a language, are its stop words."""


def chance(words: Words) -> NDArray[np.float64]:
    """A number in [0, 1) a word, from the text alone: the same at every run, on every machine."""
    seed = int.from_bytes(hashlib.sha256(words.codes.tobytes()).digest()[:8], "big")
    return np.random.default_rng(seed).random(len(words))


def random(text: str, words: Words) -> Order:
    """By chance."""
    return np.lexsort((chance(words), ~words.is_newline))


def stop_words(text: str, words: Words) -> Order:
    """Stop words and bare punctuation go first, then others by chance."""
    types = find_types(words)
    goes = (types.tenths[types.of] >= STOP_TENTHS) | words.is_punct
    return np.lexsort((chance(words), goes, ~words.is_newline))


def rarest(text: str, words: Words) -> Order:
    """What stands least often in the text first, of those what is rarest in the language."""
    types = find_types(words)
    return np.lexsort((types.tenths[types.of], types.counts[types.of], ~words.is_newline))


def head_and_tail(text: str, words: Words) -> Order:
    """Both ends, towards the middle."""
    at = np.arange(len(words))
    return np.argsort(np.minimum(at, len(words) - 1 - at), kind="stable")


CONTROLS: Mapping[str, Ranking] = {
    "random": random,
    "stop words": stop_words,
    "rarest": rarest,
    "head+tail": head_and_tail,
    "TextRank": by_sentence,
}
"""By the names tables use, in their order."""

RULES = "random+rules"
"""The control that has Pith's promises and nothing else: chance instead of a scorer."""


def chance_scores(words: Words) -> Scores:
    """Chance on the grid of scores."""
    return (chance(words) * SCORE_ONE).astype(np.uint16)

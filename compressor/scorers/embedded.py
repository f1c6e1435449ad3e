"""The embedded scorer: a small encoder of our own, in eight-bit weights, that is part of the package.

A word's score is the mean of two probabilities: that a careful writer who may only delete keeps it in 60 %,
and in 33 %, of the text. The model reads words, not tokens (`embedded_inputs`), in windows of some hundred;
windows are scored one by one, so that no score depends on what else is in the batch. The model-free scorer
has a say besides: it knows more words than a small model can, and makes other mistakes. Brackets and quotes
in pairs are levelled as there. What the model is made of, and how, is in its own README.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compressor.chunks import CHUNKS_VERSION, Limits, Window, rank_cuts, windows
from compressor.errors import ScorerDown
from compressor.scorers.cores import allowed_cores
from compressor.scorers.embedded_folder import SHIPPED, Model, read_model
from compressor.scorers.embedded_inputs import INPUTS_VERSION, NOTHING, Inputs, inputs_of
from compressor.scorers.embedded_session import Session, open_session
from compressor.scorers.frequency import FrequencyScorer, look, score
from compressor.scorers.frequency_marks import Marks
from compressor.scorers.frequency_pairs import level_pairs
from compressor.types import SCORE_ONE, Bools, Chunk, Scores, Words
from compressor.words import WORDS_VERSION, Flag

SHARES: Mapping[str, float] = {"latin": 0.15, "ko": 0.3, "zh": 0.3, "ja": 0.3}
"""What the model-free scorer has to say in the logit, by group of scripts. Chosen on held-out grades: more
costs agreement, above all in English, and less does in Korean, Chinese, French and Spanish."""

PUNCTUATION: Mapping[str, float] = {"latin": 2.0, "ko": 1.0, "zh": 0.0, "ja": 0.0}
"""What punctuation at a word loses of its logit. Grades are of words: they say nothing of a comma, which
costs a token as a word does. Of the answers in passages for training more survive at half (forum posts 81 %
for 78, reviews 74 for 68, Korean as many); in Chinese and Japanese fewer would."""

LIMITS = Limits(tokens=320, halo_min=8, halo_max=24)
"""In words: a graded chunk is one window. Shorter ones cost less attention and more halo; 400 words, with
halos of 16 to 40, took 7 % more time."""

LONGEST = 8_192
"""Words. A longer text is scored without the network, which on two cores would take longer than requests wait
by default, and the text would go on whole. What is scored how depends on the text alone (law 3)."""

_SUREST = np.float32(0.01)
"""Neither is surer of a word than this."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A chunk's payload: a window of a text."""

    inputs: Inputs
    window: Window
    beside: NDArray[np.float32]
    """Of the core's words, what the model-free scorer says, in logits, times its share, less PUNCTUATION."""
    share: float


class EmbeddedScorer:
    """Scores words with the model of a folder. Implements `Scorer`."""

    def __init__(self, model: Model, session: Session, threads: int) -> None:
        self._model = model
        self._session = session
        # one window a thread: windows are too small to be worth sharing out
        self._pool = ThreadPoolExecutor(threads, "pith-embedded")
        versions = f"words-{WORDS_VERSION}/inputs-{INPUTS_VERSION}/chunks-{CHUNKS_VERSION}"
        rest = f"{model.digest} {LIMITS!r} {LONGEST} {SHARES} {PUNCTUATION} {FrequencyScorer().fingerprint}"
        self.fingerprint = f"embedded/{versions}/{hashlib.sha256(rest.encode()).hexdigest()[:16]}"

    @classmethod
    def load(cls, folder: Path = SHIPPED, threads: int | None = None) -> EmbeddedScorer:
        """The model of a folder. Raises ModelError if it is missing, damaged or of another release."""
        model = read_model(folder)
        return cls(model, open_session(model), threads or allowed_cores())

    def encode(self, text: str, words: Words) -> list[Chunk]:
        """One chunk a window of the text; of one that is too long, what the model-free scorer says."""
        if not len(words):
            return []
        if len(words) > LONGEST:
            return [Chunk(1, score(words).astype(np.float32) / np.float32(SCORE_ONE))]
        sight = look(words)
        inputs = inputs_of(text, words, self._model.tokenizer, sight)
        share = SHARES[sight.group]
        beside = logits(score(words, sight).astype(np.float32) / np.float32(SCORE_ONE)) * np.float32(share)
        beside -= np.float32(PUNCTUATION[sight.group]) * at_words(words)
        return [
            Chunk(
                window.end - window.start + 2,
                Row(inputs, window, beside[window.core_start : window.core_end], share),
            )
            for window in windows(rank_cuts(words, words.starts, words.ends), LIMITS)
        ]

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        """The scores of each chunk's core words."""
        return list(self._pool.map(self._scored, batch))

    def merge(self, words: Words, chunks: Sequence[Chunk], scores: Sequence[NDArray[np.float32]]) -> Scores:
        """The same scores on the grid: the cores of a text's windows tile its words."""
        if not chunks:
            return np.zeros(len(words), np.uint16)
        merged: Scores = np.rint(np.concatenate(scores) * np.float32(SCORE_ONE)).astype(np.uint16)
        return level_pairs(words, Marks.of(words), merged)

    def _scored(self, chunk: Chunk) -> NDArray[np.float32]:
        if isinstance(chunk.payload, np.ndarray):
            return chunk.payload
        if not isinstance(chunk.payload, Row):
            raise TypeError(
                f"chunk holds {type(chunk.payload).__name__}: make chunks with this scorer's encode"
            )
        row = chunk.payload
        scores = self._session.run(*vectors(self._model, row))[1:-1]
        if not np.isfinite(scores).all():
            raise ScorerDown("the embedded model's output is not a number: install the package again")
        core = scores[row.window.core_start - row.window.start : row.window.core_end - row.window.start]
        mixed: NDArray[np.float32] = 1 / (
            1 + np.exp(-(logits(core) * np.float32(1 - row.share) + row.beside))
        )
        return mixed


def at_words(words: Words) -> Bools:
    """Which words are punctuation at a word with letters or digits: `(so),` but neither bullets nor ` = `."""
    is_newline = (words.flags & Flag.NEWLINE) != 0
    begins = np.ones(len(words), np.bool_)
    begins[1:] = (words.starts[1:] != words.ends[:-1]) | is_newline[1:] | is_newline[:-1]
    of = np.cumsum(begins) - 1
    has_text = np.bincount(of, (words.flags & (Flag.HAS_LETTER | Flag.HAS_DIGIT)) != 0) > 0
    found: Bools = ((words.flags & Flag.PUNCT) != 0) & has_text[of]
    return found


def logits(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """The logit of each score, none beyond 4.6."""
    clipped = np.clip(scores, _SUREST, 1 - _SUREST)
    found: NDArray[np.float32] = np.log(clipped / (1 - clipped))
    return found


def vectors(model: Model, row: Row) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What the network is given of a window: the vector of each word with its position, [n + 2, width], and
    what is known of each besides; BEGIN and END stand around them."""
    inputs, window = row.inputs, row.window
    n = window.end - window.start
    types, of = np.unique(inputs.of[window.start : window.end], return_inverse=True)
    pieces, sizes = inputs.pieces_of(types)
    dense = model.pieces[pieces] * model.scale[pieces, None]
    means = np.add.reduceat(dense, np.cumsum(sizes) - sizes) / sizes[:, None].astype(np.float32)
    words = np.empty((n + 2, dense.shape[1]), np.float32)
    words[0], words[-1] = model.begin, model.end
    np.take(means, of, axis=0, out=words[1:-1])
    words += model.positions[: n + 2]
    known = np.empty((n + 2, model.values.shape[1]), np.float32)
    known[0] = known[-1] = model.values[NOTHING] * np.float32(inputs.values.shape[1])
    np.sum(model.values[inputs.values[window.start : window.end]], axis=1, out=known[1:-1])
    return words, known

"""Rows of token ids: what a token-classification model is asked, and what becomes of its answer. No torch.

`RowFront` is all of such a scorer but the forward pass, so that where the model runs in a process of its own
the text stays in this one: only ids leave, only a number a token comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from compressor.alignment import word_scores
from compressor.chunks import Limits, Window, rank_cuts, windows
from compressor.compat_chunks import Vocabulary
from compressor.errors import ModelError
from compressor.types import Bools, Chunk, Ints, Scores, Subject, Words

if TYPE_CHECKING:  # tokenizers takes memory, and whoever passes rows on needs none
    from compressor.scorers.tokenizer import TextTokenizer, Tokens


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A chunk's payload: the ids of a row, where its core is, and the characters of the core's tokens."""

    ids: Ints
    core_start: int
    core_end: int
    starts: Ints
    ends: Ints
    is_known: Bools


class RowFront:
    """Texts to rows, and the scores of their tokens to scores of words."""

    def __init__(self, tokenizer: TextTokenizer, limits: Limits, folder: Path | None = None) -> None:
        """`folder` is the model's, for fidelity compat where the model itself is not here."""
        self._tokenizer = tokenizer
        self._limits = limits
        self._folder = folder

    @cached_property
    def compat(self) -> Vocabulary:
        """For fidelity compat, which few ask for. Raises ModelError if the model is none of LLMLingua-2."""
        from transformers import AutoConfig

        from compressor.scorers.compat_vocabulary import CompatVocabulary

        folder = self._folder
        if folder is None:
            raise ModelError("fidelity is 'compat', for which rows alone do not do: ask the scorer itself")
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        vocabulary = CompatVocabulary.load(folder, config)
        if vocabulary.n_ids > config.vocab_size:
            raise ModelError(
                f"model {str(folder)!r}: the embedding has {config.vocab_size} rows, fidelity compat needs "
                f"{vocabulary.n_ids}, those of its placeholders included: use a checkpoint with them"
            )
        return vocabulary

    def encode(self, text: str, words: Words) -> list[Chunk]:
        """One chunk a window of the text."""
        tokens = self._tokenizer.encode(text)
        cuts = windows(rank_cuts(words, tokens.starts, tokens.ends), self._limits)
        prefix = np.array(self._tokenizer.prefix, np.int32)
        suffix = np.array(self._tokenizer.suffix, np.int32)
        return [_chunk(tokens, window, prefix, suffix) for window in cuts]

    def merge(self, words: Words, chunks: Sequence[Chunk], scores: Sequence[NDArray[np.float32]]) -> Scores:
        """Word scores; the cores of a text's chunks are its tokens, each once."""
        rows = [cast(Row, chunk.payload) for chunk in chunks]
        return word_scores(
            words,
            np.concatenate([np.empty(0, np.int32), *(row.starts for row in rows)]),
            np.concatenate([np.empty(0, np.int32), *(row.ends for row in rows)]),
            np.concatenate([np.empty(0, np.bool_), *(row.is_known for row in rows)]),
            np.concatenate([np.empty(0, np.float32), *scores]),
        )


def _chunk(tokens: Tokens, window: Window, prefix: Ints, suffix: Ints) -> Chunk:
    core = slice(window.core_start, window.core_end)
    ids = np.concatenate([prefix, tokens.ids[window.start : window.end], suffix])
    offset = len(prefix) - window.start
    row = Row(
        ids,
        window.core_start + offset,
        window.core_end + offset,
        tokens.starts[core],
        tokens.ends[core],
        tokens.is_known[core],
    )
    content = b"%d %d " % (row.core_start, row.core_end) + ids.astype("<i4").tobytes()
    return Chunk(len(ids), row, Subject(content, row.core_end - row.core_start))

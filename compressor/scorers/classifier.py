"""Scores from any Hugging Face token-classification model: the probability that a token is kept.

Everything is read from the model's own files, nothing from its name: control tokens from the tokenizer's
post-processor, the longest row from the position table, the meaning of the labels from the config. A score
does not depend on what else is in the batch beyond rounding: `passes` says how rows are run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from compressor.chunks import CHUNKS_VERSION, Limits
from compressor.compat_chunks import Rows
from compressor.errors import ModelError, OutOfMemory, ScorerDown
from compressor.scorers.calibration import DTYPES, PRECISIONS, Chosen, Sample, choose
from compressor.scorers.checkpoint import find_device, longest_row, read_model
from compressor.scorers.compat_rows import probabilities
from compressor.scorers.compat_vocabulary import CompatVocabulary
from compressor.scorers.folder import find_model
from compressor.scorers.labels import Keep, keep_label
from compressor.scorers.rows import Row as Row
from compressor.scorers.rows import RowFront
from compressor.scorers.threads import settle_threads
from compressor.scorers.tokenizer import TextTokenizer
from compressor.types import Chunk, Ints, Scores, Words
from compressor.words import WORDS_VERSION

_log = logging.getLogger(__name__)

_SAMPLE = """Please send the report on the second quarter to everyone who attended the meeting on Tuesday,
and make sure that the figures for travel, which were wrong by 12% in the first version, have been corrected
before it goes out. We agreed that nothing is published until Anna has signed it. The budget of 42,000 dollars
was not approved; the committee will look at it again in November, when the costs of the new contract are
known. As I said at the beginning, it would be good to have a short summary at the top.
"""
"""Ordinary text, on which precisions are compared at load."""


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """Where a model comes from and goes to, and what its files say."""

    name: str
    folder: Path
    device: torch.device
    config: Any
    n_rows: int
    """Of its embedding."""
    keep: Keep
    pad_id: int


class ClassifierScorer:
    """A token-classification model on one device."""

    def __init__(
        self, chosen: Chosen, tokenizer: TextTokenizer, limits: Limits, fingerprint: str, origin: Origin
    ) -> None:
        self._chosen = chosen
        self._tokenizer = tokenizer
        self._front = RowFront(tokenizer, limits)
        self.limits = limits
        """How long rows may be: with the tokenizer, all that whoever makes them has to know."""
        self._origin = origin
        self.fingerprint = fingerprint
        self.precision = chosen.precision
        self.summary = f"{origin.device}: {chosen.summary}"
        """How the model is run and why, in one line for the log."""

    @classmethod
    def load(cls, name: str, device: str = "auto", precision: str = "auto") -> ClassifierScorer:
        """The model in the folder `name`, else of that name on the hub. Raises ModelError."""
        where = find_device(device)
        if precision != "auto" and precision not in PRECISIONS:
            raise ModelError(f"precision is {precision!r}: use auto, {', '.join(PRECISIONS)}")
        settle_threads()
        folder = find_model(name)
        tokenizer = TextTokenizer(folder.tokenizer(), name)
        model = read_model(folder.path, name, torch.float32)
        n_rows = model.get_input_embeddings().num_embeddings
        if tokenizer.n_ids > n_rows:
            raise ModelError(
                f"model {name!r}: the tokenizer's ids reach {tokenizer.n_ids - 1}, the embedding has "
                f"{n_rows} rows: tokenizer.json and the weights are not of one model"
            )
        longest = longest_row(model, folder.longest_input())
        limits = Limits.of(longest - len(tokenizer.prefix) - len(tokenizer.suffix))
        if limits.tokens < 1:
            raise ModelError(f"model {name!r}: rows of {longest} tokens leave no room for text")
        keep = keep_label(name, model.config.num_labels, model.config.id2label)
        fingerprint = folder.fingerprint((WORDS_VERSION, CHUNKS_VERSION, repr(limits)))
        sample = Sample(_sample_row(tokenizer, limits), partial(_probabilities, keep))
        pad_id = int(getattr(model.config, "pad_token_id", None) or 0)
        with torch.inference_mode():
            chosen = choose(model, pad_id, sample, where, precision)
        _log.info("model %s on %s: %s", name, where, chosen.summary)
        origin = Origin(name, folder.path, where, model.config, n_rows, keep, pad_id)
        return cls(chosen, tokenizer, limits, fingerprint, origin)

    @property
    def keep(self) -> Keep:
        """What the labels mean."""
        return self._origin.keep

    @property
    def config(self) -> Any:
        """The model's own."""
        return self._origin.config

    @property
    def device(self) -> str:
        """Where it runs: cpu, cuda or cuda:N."""
        return str(self._origin.device)

    @cached_property
    def compat(self) -> CompatVocabulary:
        """For fidelity compat, which few ask for. Raises ModelError if the model is none of LLMLingua-2."""
        origin = self._origin
        vocabulary = CompatVocabulary.load(origin.folder, origin.config)
        if vocabulary.n_ids > origin.n_rows:
            raise ModelError(
                f"model {str(origin.folder)!r}: the embedding has {origin.n_rows} rows, fidelity compat needs"
                f" {vocabulary.n_ids}, those of its placeholders included: use a checkpoint that has them"
            )
        return vocabulary

    @cached_property
    def _package_model(self) -> Any:
        """As the package runs it, for fidelity compat alone: on a CPU in fp32, whatever we choose."""
        origin = self._origin
        dtype = torch.float32 if origin.device.type == "cpu" else DTYPES.get(self.precision, torch.float32)
        return read_model(origin.folder, origin.name, dtype).to(origin.device)

    def encode(self, text: str, words: Words) -> list[Chunk]:
        """One chunk a window of the text."""
        return self._front.encode(text, words)

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        """The probabilities of each chunk's core tokens."""
        if not all(isinstance(chunk.payload, Row) for chunk in batch):
            return self._forward_mixed(batch)
        rows = [cast(Row, chunk.payload) for chunk in batch]
        with self._in_memory(batch), torch.inference_mode():
            found = self._chosen.passes.run([row.ids for row in rows], partial(_probabilities, self.keep))
        scores = [one[row.core_start : row.core_end] for one, row in zip(found, rows, strict=True)]
        if not all(np.isfinite(one).all() for one in scores):
            raise ScorerDown("the model's output is not a number: use precision fp32 or check the weights")
        return scores

    def _forward_mixed(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        """Rows of fidelity compat keep the company they were given, so that nothing rounds otherwise."""
        ours = iter(self.forward([chunk for chunk in batch if isinstance(chunk.payload, Row)]))
        with self._in_memory(batch):
            return [
                probabilities(self._package_model, chunk.payload)
                if isinstance(chunk.payload, Rows)
                else next(ours)
                for chunk in batch
            ]

    @contextmanager
    def _in_memory(self, batch: Sequence[Chunk]) -> Iterator[None]:
        """What says that memory is short, in a word that the worker knows."""
        try:
            yield
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(
                f"{sum(chunk.n_tokens for chunk in batch)} tokens do not fit {self.device}"
            ) from error

    def merge(self, words: Words, chunks: Sequence[Chunk], scores: Sequence[NDArray[np.float32]]) -> Scores:
        """Word scores."""
        return self._front.merge(words, chunks, scores)


def _probabilities(keep: Keep, logits: torch.Tensor) -> torch.Tensor:
    """Of being kept, in fp32."""
    logits = logits.float()
    if keep.other is None:
        return torch.sigmoid(logits[:, keep.index])
    return torch.sigmoid(logits[:, keep.index] - logits[:, keep.other])


def _sample_row(tokenizer: TextTokenizer, limits: Limits) -> Ints:
    ids = tokenizer.encode(_SAMPLE).ids[: limits.tokens]
    return np.concatenate([tokenizer.prefix, ids, tokenizer.suffix]).astype(np.int32)

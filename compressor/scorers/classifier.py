"""Scores from any Hugging Face token-classification model: the probability that a token is kept.

Everything is read from the model's own files, nothing from its name: control tokens from the tokenizer's
post-processor, the longest row from the position table, the meaning of the labels from the config. Rows are
as long as their longest neighbour of like length, so a score does not depend on what else is in the batch
beyond rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from compressor.alignment import word_scores
from compressor.chunks import CHUNKS_VERSION, Limits, Window, rank_cuts, windows
from compressor.compat_chunks import Rows
from compressor.errors import ModelError, ScorerDown
from compressor.scorers.compat_rows import probabilities
from compressor.scorers.compat_vocabulary import CompatVocabulary
from compressor.scorers.folder import find_model
from compressor.scorers.labels import Keep, keep_label
from compressor.scorers.tokenizer import TextTokenizer, Tokens
from compressor.types import Bools, Chunk, Ints, Scores, Words
from compressor.words import WORDS_VERSION

LONGEST_WINDOW = 512
"""The chunk length that compressors of this kind are trained on. Longer rows cost quadratic attention and
hold up their neighbours; models that reach further are still given windows of this size."""

_BUCKET = 32
"""Rows whose lengths round up to the same multiple share a forward pass: at most that much padding a row."""

_PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A chunk's payload: the ids of a row, where its core is, and the characters of the core's tokens."""

    ids: Ints
    core_start: int
    core_end: int
    starts: Ints
    ends: Ints
    is_known: Bools


class ClassifierScorer:
    """A token-classification model on one device."""

    def __init__(
        self,
        model: Any,
        tokenizer: TextTokenizer,
        keep: Keep,
        limits: Limits,
        fingerprint: str,
        folder: Path,
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._limits = limits
        self._pad_id = int(getattr(model.config, "pad_token_id", None) or 0)
        self.keep = keep
        self.fingerprint = fingerprint
        self._folder = folder

    @classmethod
    def load(cls, name: str, device: str = "auto", precision: str = "auto") -> ClassifierScorer:
        """The model in the folder `name`, else of that name on the hub. Raises ModelError."""
        where = _device(device)
        dtype = _dtype(precision, where)
        folder = find_model(name)
        tokenizer = TextTokenizer(folder.tokenizer(), name)
        model = _read_model(folder.path, name, dtype)
        n_rows = model.get_input_embeddings().num_embeddings
        if tokenizer.n_ids > n_rows:
            raise ModelError(
                f"model {name!r}: the tokenizer's ids reach {tokenizer.n_ids - 1}, the embedding has "
                f"{n_rows} rows: tokenizer.json and the weights are not of one model"
            )
        longest = _longest_row(model, folder.longest_input())
        limits = Limits.of(longest - len(tokenizer.prefix) - len(tokenizer.suffix))
        if limits.tokens < 1:
            raise ModelError(f"model {name!r}: rows of {longest} tokens leave no room for text")
        keep = keep_label(name, model.config.num_labels, model.config.id2label)
        fingerprint = folder.fingerprint((WORDS_VERSION, CHUNKS_VERSION, repr(limits)))
        return cls(model.to(where).eval(), tokenizer, keep, limits, fingerprint, folder.path)

    @cached_property
    def compat(self) -> CompatVocabulary:
        """For fidelity compat, which few ask for. Raises ModelError if the model is none of LLMLingua-2."""
        vocabulary = CompatVocabulary.load(self._folder, self._model.config)
        n_rows = self._model.get_input_embeddings().num_embeddings
        if vocabulary.n_ids > n_rows:
            raise ModelError(
                f"model {str(self._folder)!r}: the embedding has {n_rows} rows, fidelity compat needs "
                f"{vocabulary.n_ids}, those of its placeholders included: use a checkpoint that has them"
            )
        return vocabulary

    def encode(self, text: str, words: Words) -> list[Chunk]:
        """One chunk a window of the text."""
        tokens = self._tokenizer.encode(text)
        cuts = windows(rank_cuts(words, tokens.starts, tokens.ends), self._limits)
        prefix = np.array(self._tokenizer.prefix, np.int32)
        suffix = np.array(self._tokenizer.suffix, np.int32)
        return [_chunk(tokens, window, prefix, suffix) for window in cuts]

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        """The probabilities of each chunk's core tokens."""
        if not all(isinstance(chunk.payload, Row) for chunk in batch):
            return self._forward_mixed(batch)
        rows = [cast(Row, chunk.payload) for chunk in batch]
        passes = list(_buckets(rows))
        if not passes:
            return []
        with torch.inference_mode():
            # one copy from the device for all passes
            flat = torch.cat([self._pass([rows[at] for at in members]) for members in passes]).cpu().numpy()
        if not np.isfinite(flat).all():
            raise ScorerDown("the model's output is not a number: use precision fp32 or check the weights")
        scores: dict[int, NDArray[np.float32]] = {}
        position = 0
        for members in passes:
            width = max(len(rows[at].ids) for at in members)
            for at in members:
                scores[at] = flat[position + rows[at].core_start : position + rows[at].core_end]
                position += width
        return [scores[at] for at in range(len(rows))]

    def _forward_mixed(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        """Rows of fidelity compat keep the company they were given, so that nothing rounds otherwise."""
        ours = iter(self.forward([chunk for chunk in batch if isinstance(chunk.payload, Row)]))
        return [
            probabilities(self._model, chunk.payload) if isinstance(chunk.payload, Rows) else next(ours)
            for chunk in batch
        ]

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

    def _pass(self, rows: list[Row]) -> torch.Tensor:
        """One forward pass: probabilities of all tokens of all rows, padding included, in one dimension."""
        lengths = np.array([len(row.ids) for row in rows])
        width = int(lengths.max())
        ids = np.full((len(rows), width), self._pad_id, np.int64)
        for line, row in zip(ids, rows, strict=True):
            line[: len(row.ids)] = row.ids
        inputs = {"input_ids": torch.from_numpy(ids).to(self._model.device)}
        if lengths.min() < width:  # without a mask, attention takes its fast path
            mask = np.arange(width) < lengths[:, None]
            inputs["attention_mask"] = torch.from_numpy(mask.astype(np.int64)).to(self._model.device)
        logits = self._model(**inputs).logits.float()
        if self.keep.other is None:
            return torch.sigmoid(logits[..., self.keep.index]).flatten()
        return torch.sigmoid(logits[..., self.keep.index] - logits[..., self.keep.other]).flatten()


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
    return Chunk(len(ids), row)


def _buckets(rows: Sequence[Row]) -> Iterator[list[int]]:
    """Indices of rows of like length, longest first."""
    by_size: dict[int, list[int]] = {}
    for at, row in enumerate(rows):
        by_size.setdefault(-(-len(row.ids) // _BUCKET), []).append(at)
    for size in sorted(by_size, reverse=True):
        yield by_size[size]


def _device(device: str) -> torch.device:
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise ModelError(f"device is {device!r}: use auto, cpu, cuda or cuda:0") from error
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise ModelError(
            f"device is {device!r}: torch sees {torch.cuda.device_count()} CUDA devices; use auto or cpu"
        )
    return found


def _dtype(precision: str, device: torch.device) -> torch.dtype:
    if precision == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    if precision not in _PRECISIONS:
        raise ModelError(f"precision is {precision!r}: use auto, {', '.join(_PRECISIONS)}")
    return _PRECISIONS[precision]


def _read_model(path: Path, name: str, dtype: torch.dtype) -> Any:
    """The model on the CPU. Everything it needs must be in the weights: nothing is made up at random."""
    from transformers import AutoModelForTokenClassification
    from transformers.utils import logging

    shows_progress = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        model, info = AutoModelForTokenClassification.from_pretrained(
            str(path),
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise ModelError(
            f"model {name!r}: transformers cannot load {path.resolve()}: {error}: "
            "fetch the model again, or choose one that AutoModelForTokenClassification loads"
        ) from error
    finally:
        if shows_progress:
            logging.enable_progress_bar()
    if missing := sorted(info["missing_keys"]):
        raise ModelError(
            f"model {name!r}: the weights lack {', '.join(missing[:3])}: "
            "choose a model trained to classify tokens"
        )
    return model


def _longest_row(model: Any, stated: int | None) -> int:
    """Most tokens in a row, control tokens included.

    Families that count positions from the padding id on (RoBERTa) say so in the position table's
    `padding_idx`: 514 rows with padding at 1 are 512 positions. Without a table (rotary, relative) the
    config's figure is the limit.
    """
    limit = int(getattr(model.config, "max_position_embeddings", None) or LONGEST_WINDOW)
    for path, module in model.named_modules():
        if path.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
            reserved = 0 if module.padding_idx is None else module.padding_idx + 1
            limit = min(limit, module.num_embeddings - reserved)
    return min(limit, stated or limit, LONGEST_WINDOW)

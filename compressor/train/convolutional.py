"""A student without attention: hashed parts of words, what is known of each word, and a few convolutions.

The alternative that `students` measures beside encoders. A word's vector is the mean of those of its runs of
three to five characters, by hash, so there is no vocabulary; eight layers down it sees sixty words around it.
Nothing of it is pretrained.
"""

from __future__ import annotations

import zlib

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from compressor.scorers.embedded_inputs import N_SPECIALS, N_VALUES, Inputs, values_of
from compressor.train.net import Batch
from compressor.types import Words

BUCKETS = 1 << 15
_RUNS = (3, 4, 5)
_DILATIONS = (1, 2, 4, 8, 1, 2, 4, 8)


def hashed_inputs(text: str, words: Words) -> Inputs:
    """A text as the network sees it: buckets of character runs stand where others have pieces."""
    _, first, of = np.unique(words.hashes, return_index=True, return_inverse=True)
    spans = zip(words.starts[first].tolist(), words.ends[first].tolist(), strict=True)
    buckets = [buckets_of(text[start:end]) for start, end in spans]
    starts = np.zeros(len(buckets) + 1, np.intp)
    np.cumsum([len(some) for some in buckets], out=starts[1:])
    pieces = np.array([bucket for some in buckets for bucket in some], np.int32)
    return Inputs(pieces, starts, of, values_of(words))


def buckets_of(word: str) -> list[int]:
    """The buckets of a word's runs, and of the whole."""
    framed = f"<{word.lower()}>"
    runs = [framed[at : at + n] for n in _RUNS for at in range(len(framed) - n + 1)]
    return [
        N_SPECIALS + zlib.crc32(run.encode("utf-8", "replace")) % (BUCKETS - N_SPECIALS)
        for run in [framed, *runs]
    ]


class Convolutional(nn.Module):
    """Takes what `net.Net` takes, and gives what it gives."""

    def __init__(self, width: int = 192, known: int = 64) -> None:
        super().__init__()
        self.pieces = nn.EmbeddingBag(BUCKETS, 96, mode="mean")
        self.values = nn.Embedding(N_VALUES, known)
        self.join = nn.Linear(96 + known, width)
        self.layers = nn.ModuleList(
            nn.Conv1d(width, width, 3, dilation=dilation, padding=dilation) for dilation in _DILATIONS
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in _DILATIONS)
        self.mix = nn.Linear(width + known, 96)
        self.grade = nn.Linear(96, 2)

    def forward(self, batch: Batch, first: int = 0) -> Tensor:
        """Logits of both levels, [rows, words, 2]; where a row begins is all the same to it."""
        known = self.values(batch.values).sum(-2)
        words = functional.embedding(batch.of, self.pieces(batch.pieces, batch.offsets))
        x = functional.gelu(self.join(torch.cat([words, known], -1)))
        shown = 1.0 if batch.is_word is None else batch.is_word[..., None].to(x.dtype)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = x + functional.gelu(layer((norm(x) * shown).transpose(1, 2)).transpose(1, 2))
        logits: Tensor = self.grade(functional.gelu(self.mix(torch.cat([x, known], -1))))
        return logits

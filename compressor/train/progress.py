"""What a network in training scores, and how well that agrees with held-out grades."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from compressor.scorers.embedded_inputs import inputs_of
from compressor.train.agreement import by_language
from compressor.train.frequency_samples import Sample
from compressor.train.net import Net
from compressor.train.rows import Row, collate
from compressor.types import Words

Floats = NDArray[np.float32]

LONGEST = 400
"""Words scored at once; a longer text is scored in equal parts."""


def probabilities(net: Net, tokenizer: Tokenizer, text: str, words: Words) -> Floats:
    """Of each word, the probability of each level, [n, 2]."""
    inputs = inputs_of(text, words, tokenizer)
    edges = np.linspace(0, len(words), -(-len(words) // LONGEST) + 1).astype(int).tolist()
    device = next(net.parameters()).device
    found: list[Floats] = []
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
        for start, end in itertools.pairwise(edges):
            blank = np.zeros((end - start, 2), np.float32)
            batch, _, _ = collate([Row(inputs, start, end, blank, blank[:, 0])])
            found.append(torch.sigmoid(net(batch.to(device))[0, 1:-1].float()).cpu().numpy())
    return np.concatenate(found)


def scoring(*teams: tuple[Net, Tokenizer]) -> Callable[[Sample], Floats]:
    """The expected grade of each word, halved; of several networks the mean."""

    def score(sample: Sample) -> Floats:
        every = [probabilities(net, tokenizer, sample.text, sample.words) for net, tokenizer in teams]
        mean: Floats = np.mean(every, axis=(0, 2))
        return mean

    return score


def report(net: Net, tokenizer: Tokenizer, held_out: Sequence[Sample]) -> str:
    """One line of agreement by language: AUC light, AUC heavy, F1."""
    found = by_language(held_out, scoring((net, tokenizer)))
    return "; ".join(f"{name} {a.light:.3f} {a.heavy:.3f} {a.f1:.3f}" for name, a in found.items())

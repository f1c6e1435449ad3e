"""An embedded model of two small layers, with weights from a seed: all that the shipped one has, small."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from tokenizers import Tokenizer

from compressor.train.export import export
from compressor.train.net import Net, Shape
from compressor.train.vocabulary import tokenizer_of

PIECES = (
    *("▁", "▁the", "▁patient", "▁must", "▁not", "▁take", "▁서버", "▁데이터", "▁모", "▁東京"),
    *("는", "를", "저장하지", "st", "s", "t", "a", "e", "京", "モデル", "ß"),
)


@cache
def tiny_tokenizer() -> Tokenizer:
    return tokenizer_of([(piece, -1.0 - at / 10) for at, piece in enumerate(PIECES)])


def tiny_net(seed: int = 0) -> Net:
    torch.manual_seed(seed)
    shape = Shape(
        tiny_tokenizer().get_vocab_size(), n_layers=2, width=32, inner=64, heads=4, known=8, hidden=16
    )
    net = Net(shape)
    with torch.no_grad():  # wide enough apart that scores differ
        net.grade.weight *= 8
    return net.eval()


def write_tiny(folder: Path, seed: int = 0) -> Path:
    export(tiny_net(seed), tiny_tokenizer().to_str(), folder)
    return folder

"""The network of the embedded scorer, in torch, for training; `export` makes its run-time form.

A BERT encoder over words: a word's vector is the mean of its pieces' plus a projection of what is known of it
besides (`embedded_inputs`). Two outputs a word: the logits of being kept at the light and at the heavy level.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from compressor.scorers.embedded_inputs import N_VALUES

DROPPED = 0.1
"""Share of what a layer adds that is left out in training: some languages have thirty graded chunks."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the sizes of all weights follow from."""

    n_pieces: int
    n_layers: int = 4
    width: int = 384
    inner: int = 1536
    heads: int = 12
    n_positions: int = 512
    n_values: int = N_VALUES
    known: int = 64
    """Width of what is known of a word besides its pieces."""
    hidden: int = 192
    """Width of the head."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows of words. `pieces` and `offsets` make the vector of each of the types; `of` [rows, words]."""

    pieces: Tensor
    offsets: Tensor
    of: Tensor
    values: Tensor
    is_word: Tensor | None
    """Where a row has words, [rows, words]; None where all are full."""

    def to(self, device: torch.device | str) -> Batch:
        """The same on a device."""
        return Batch(
            self.pieces.to(device),
            self.offsets.to(device),
            self.of.to(device),
            self.values.to(device),
            None if self.is_word is None else self.is_word.to(device),
        )


class Layer(nn.Module):
    """Attention and a wide layer, each added to what came in and normalised."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.qkv = nn.Linear(shape.width, 3 * shape.width)
        self.out = nn.Linear(shape.width, shape.width)
        self.norm = nn.LayerNorm(shape.width, eps=1e-12)
        self.up = nn.Linear(shape.width, shape.inner)
        self.down = nn.Linear(shape.inner, shape.width)
        self.inner_norm = nn.LayerNorm(shape.width, eps=1e-12)
        self.drop = nn.Dropout(DROPPED)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        rows, n, width = x.shape
        q, k, v = self.qkv(x).view(rows, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(q, k, v, mask)
        x = self.norm(x + self.drop(self.out(attended.transpose(1, 2).reshape(rows, n, width))))
        inner = functional.gelu(self.up(x))
        normed: Tensor = self.inner_norm(x + self.drop(self.down(inner)))
        return normed


class Net(nn.Module):
    """The whole network."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.pieces = nn.EmbeddingBag(shape.n_pieces, shape.width, mode="mean")
        self.values = nn.Embedding(shape.n_values, shape.known)
        self.project = nn.Linear(shape.known, shape.width, bias=False)
        self.positions = nn.Embedding(shape.n_positions, shape.width)
        self.norm = nn.LayerNorm(shape.width, eps=1e-12)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.n_layers))
        self.mix = nn.Linear(shape.width + shape.known, shape.hidden)
        self.grade = nn.Linear(shape.hidden, 2)

    def vectors(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the pieces say of each word, and what is known besides."""
        of_types = self.pieces(batch.pieces, batch.offsets)
        return functional.embedding(batch.of, of_types), self.values(batch.values).sum(-2)

    def encode(self, words: Tensor, known: Tensor, is_word: Tensor | None, first: int = 0) -> Tensor:
        """Words in their context; `first` is the position of the first."""
        at = torch.arange(first, first + words.shape[1], device=words.device)
        x = self.norm(words + self.project(known) + self.positions(at))
        mask = None if is_word is None else is_word[:, None, None, :]
        for layer in self.layers:
            x = layer(x, mask)
        encoded: Tensor = x
        return encoded

    def grades(self, encoded: Tensor, known: Tensor) -> Tensor:
        """Logits of both levels, [rows, words, 2]."""
        logits: Tensor = self.grade(functional.gelu(self.mix(torch.cat([encoded, known], -1))))
        return logits

    def forward(self, batch: Batch, first: int = 0) -> Tensor:
        words, known = self.vectors(batch)
        return self.grades(self.encode(words, known, batch.is_word, first), known)


def save(net: Net, path: Path) -> None:
    """Write weights and shape, whole or not at all."""
    part = path.with_suffix(".part")
    state = {name: value.detach().contiguous() for name, value in net.state_dict().items()}
    save_file(state, part, metadata={"shape": json.dumps(asdict(net.shape))})
    part.replace(path)


def load(path: Path) -> Net:
    """The network of a file of `save`."""
    with path.open("rb") as file:
        head = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    net = Net(Shape(**json.loads(head["__metadata__"]["shape"])))
    net.load_state_dict(load_file(path))
    return net.eval()

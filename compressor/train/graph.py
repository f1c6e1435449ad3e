"""The encoder as an ONNX graph whose weights lie elsewhere: what `compressor.scorers.embedded` runs.

The graph names its weights and holds none: they are in a file that training reads as well. Inputs are `words`
[1, n, width], the vectors of words with their positions, and `known` [1, n, known], what is known of them
besides. Output `scores` [1, n, 1] is the mean probability of the two levels. Products are of int8 weights and
of activations quantised a window at a time, so a window's scores depend on that window alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compressor.train.net import Shape
from compressor.train.onnx_bytes import FLOAT, INT8, Node, Tensor, model_bytes

_KINDS = {np.dtype(np.float32): FLOAT, np.dtype(np.int8): INT8}
_CONTRIB = "com.microsoft"
_OPSETS = (("", 20), (_CONTRIB, 1))


@dataclass(slots=True)
class _Graph:
    """Nodes as they come, and the weights they name."""

    nodes: list[Node] = field(default_factory=list)
    named: dict[str, None] = field(default_factory=dict)

    def add(self, kind: str, *inputs: str, domain: str = "", **options: int | float | tuple[int, ...]) -> str:
        """One more node; the name of its result."""
        name = f"{kind}{len(self.nodes)}"
        self.nodes.append(Node(kind, inputs, name, domain, tuple(options.items())))
        return name

    def weight(self, name: str) -> str:
        """A weight by its name."""
        self.named[name] = None
        return name

    def product(self, x: str, name: str) -> str:
        """x times an int8 weight, plus its bias; no zero point."""
        parts = [self.weight(f"{name}.weight"), self.weight(f"{name}.scale"), "", self.weight(f"{name}.bias")]
        return self.add("DynamicQuantizeMatMul", x, *parts, domain=_CONTRIB)

    def normed(self, x: str, more: str, name: str) -> str:
        """x + more, normalised. By four operations: onnxruntime's fused ones (SkipLayerNormalization,
        LayerNormalization) take 1.5 µs for 384 numbers, these .3; a fifth of the whole network's time."""
        even = self.add("MeanVarianceNormalization", self.add("Add", x, more), axes=(-1,))
        scaled = self.add("Mul", even, self.weight(f"{name}.weight"))
        return self.add("Add", scaled, self.weight(f"{name}.bias"))


def make_graph(shape: Shape, weights: Mapping[str, NDArray[np.generic]]) -> tuple[bytes, list[str]]:
    """The graph for weights of these names and sizes, and which of them it names."""
    graph = _Graph()
    x = graph.normed("words", graph.add("MatMul", "known", graph.weight("project.weight")), "norm")
    for at in range(shape.n_layers):
        x = _layer(graph, x, f"layers.{at}", shape)
    both = graph.add("Concat", x, "known", axis=-1)
    mixed = graph.add("Gelu", graph.product(both, "mix"))
    logits = graph.add(
        "Add", graph.add("MatMul", mixed, graph.weight("grade.weight")), graph.weight("grade.bias")
    )
    scores = graph.add("MatMul", graph.add("Sigmoid", logits), graph.weight("half"))
    named = [
        Tensor(name, _KINDS[weights[name].dtype], tuple(map(int, weights[name].shape)))
        for name in graph.named
    ]
    inputs = (Tensor("words", FLOAT, (1, "n", shape.width)), Tensor("known", FLOAT, (1, "n", shape.known)))
    outputs = (Tensor("scores", FLOAT, (1, "n", 1)),)
    nodes = [*graph.nodes, Node("Identity", (scores,), "scores")]
    return model_bytes(nodes, inputs, outputs, named, _OPSETS), list(graph.named)


def _layer(graph: _Graph, x: str, name: str, shape: Shape) -> str:
    q, k, v = (graph.product(x, f"{name}.{part}") for part in ("query", "key", "value"))
    attended = graph.add("MultiHeadAttention", q, k, v, domain=_CONTRIB, num_heads=shape.heads)
    x = graph.normed(x, graph.product(attended, f"{name}.out"), f"{name}.norm")
    inner = graph.add("Gelu", graph.product(x, f"{name}.up"))
    return graph.normed(x, graph.product(inner, f"{name}.down"), f"{name}.inner_norm")

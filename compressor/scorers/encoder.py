"""The encoder of BERT, RoBERTa and XLM-RoBERTa over rows laid end to end: nothing is padded, nothing masked.

Law: what comes out for a row depends on that row alone, but for the last bit. Everything but attention works
on all tokens of a pass at once; attention on runs of rows of one length.

Why not transformers' own: it pads rows to a rectangle, expands masks, and multiplies by what torch takes for
the best library. `fits` says which models it can stand for; whoever loads one compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from compressor.scorers.attention import Attend, Pass, attend_by_length, attend_varlen, products_by_onednn
from compressor.scorers.linear import Int8, Linear, Packed, Plain, has_amx, has_bf16, packs_weights

_FAMILIES = frozenset({"bert", "roberta", "xlm-roberta", "camembert"})
"""`model_type`s that are one architecture: they differ in where positions begin."""


@dataclass(frozen=True, slots=True, eq=False)
class Norm:
    """A layer normalisation."""

    weight: torch.Tensor
    bias: torch.Tensor
    eps: float

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Attention and feed-forward; `queries_keys_values` is one product, the scale of scores inside."""

    queries_keys_values: Linear
    attended: Linear
    attended_norm: Norm
    up: Linear
    down: Linear
    norm: Norm


def fits(config: Any) -> bool:
    """Whether the model is one this encoder can stand for."""
    return (
        config.model_type in _FAMILIES
        and config.hidden_act == "gelu"
        and getattr(config, "position_embedding_type", "absolute") in (None, "absolute")
        and not getattr(config, "is_decoder", False)
    )


class Encoder:
    """A token classifier of those families, its weights laid out for one device and precision.

    `n_layers` is for measuring: so many layers alone, whose output means nothing.
    """

    def __init__(self, model: Any, device: torch.device, precision: str, n_layers: int | None = None) -> None:
        self._device = device
        self._dtype = _dtype(device, precision)
        self._is_exact = self._dtype == torch.float32
        body, config = model.base_model, model.config
        self._n_heads = int(config.num_attention_heads)
        self._product = Packed if device.type == "cpu" and packs_weights(self._dtype) else Plain
        self._attend: Attend = attend_by_length if device.type == "cpu" else attend_varlen
        self._words = body.embeddings.word_embeddings.weight.detach().to(device, self._dtype)
        self._places, self.first_place = _places(body.embeddings, device)
        self.longest = len(self._places) - self.first_place
        self._norm = _norm(body.embeddings.LayerNorm, device, torch.float32)
        self._layers = [self._layer(layer, precision) for layer in body.encoder.layer[:n_layers]]
        head = model.classifier
        self._head = head.weight.detach().to(device).float(), head.bias.detach().to(device).float()

    def logits(self, rows: Pass) -> torch.Tensor:
        """Of all tokens of all rows, in fp32."""
        with products_by_onednn(self._is_exact and self._device.type == "cpu" and not has_amx()):
            embedded = functional.embedding(rows.ids, self._words).float()
            x = self._norm(embedded + functional.embedding(rows.places, self._places)).to(self._dtype)
            for layer in self._layers:
                mixed = self._attend(layer.queries_keys_values(x), self._n_heads, rows)
                x = layer.attended_norm(layer.attended(mixed).add_(x))
                x = layer.norm(layer.down(layer.up(x, gelu=True)).add_(x))
            return functional.linear(x.float(), *self._head)

    def _layer(self, layer: Any, precision: str) -> Layer:
        own = layer.attention.self
        scale = own.attention_head_size**-0.5
        parts = [
            (own.query.weight * scale, own.query.bias * scale),
            (own.key.weight, own.key.bias),
            (own.value.weight, own.value.bias),
        ]
        attention, output = layer.attention.output, layer.output
        return Layer(
            self._linear(parts, precision),
            self._linear([(attention.dense.weight, attention.dense.bias)], precision),
            _norm(attention.LayerNorm, self._device, self._dtype),
            self._linear([(layer.intermediate.dense.weight, layer.intermediate.dense.bias)], precision),
            self._linear([(output.dense.weight, output.dense.bias)], precision),
            _norm(output.LayerNorm, self._device, self._dtype),
        )

    def _linear(self, parts: Sequence[tuple[torch.Tensor, torch.Tensor]], precision: str) -> Linear:
        weight = torch.cat([weight.detach() for weight, _ in parts]).to(self._device)
        bias = torch.cat([bias.detach() for _, bias in parts]).to(self._device)
        if precision == "int8":
            return Int8(weight, bias, self._dtype)
        return self._product(weight.to(self._dtype), bias.to(self._dtype))


def _dtype(device: torch.device, precision: str) -> torch.dtype:
    """What activations are held in."""
    if precision == "int8":
        return torch.bfloat16 if has_bf16() else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def _places(embeddings: Any, device: torch.device) -> tuple[torch.Tensor, int]:
    """What is added at each position, the one segment's share included, and the row of the first position."""
    table = embeddings.position_embeddings
    first = 0 if table.padding_idx is None else table.padding_idx + 1
    return (table.weight + embeddings.token_type_embeddings.weight[0]).detach().to(device).float(), first


def _norm(norm: Any, device: torch.device, dtype: torch.dtype) -> Norm:
    return Norm(norm.weight.detach().to(device, dtype), norm.bias.detach().to(device, dtype), norm.eps)

"""The weights of a network in the form that ships, and back: eight bits a weight of products, four of pieces.

`to_shipped` and `to_trainable` are inverse but for rounding. Weights of products use seven of the eight bits:
processors without VNNI add pairs of products in sixteen bits, and would saturate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from compressor.scorers.embedded_folder import levels_of
from compressor.scorers.nibbles import packed
from compressor.train.net import Net, Shape

Weights: TypeAlias = dict[str, NDArray[Any]]

PRODUCT_LIMIT = 63
_PARTS = ("query", "key", "value")
_WHOLE = ("positions.weight", "values.weight", "norm.weight", "norm.bias")


def to_shipped(net: Net) -> Weights:
    """The weights by the names of the run-time graph. Products are stored [in, out]."""
    state = {name: value.detach().float().numpy() for name, value in net.state_dict().items()}
    found: Weights = {name: state[name] for name in _WHOLE}
    found["positions.weight"] = state["positions.weight"].astype(np.float16)
    found["pieces.weight"], found["pieces.scale"] = packed(state["pieces.weight"])
    found["project.weight"] = np.ascontiguousarray(state["project.weight"].T)
    for at in range(net.shape.n_layers):
        _layer_to_shipped(f"layers.{at}", state, found)
    _product(found, "mix", state["mix.weight"], state["mix.bias"])
    found["grade.weight"] = np.ascontiguousarray(state["grade.weight"].T)
    found["grade.bias"] = state["grade.bias"]
    found["half"] = np.full((2, 1), 0.5, np.float32)
    return found


def _layer_to_shipped(name: str, state: Mapping[str, NDArray[np.float32]], found: Weights) -> None:
    weights, biases = (np.split(state[f"{name}.qkv.{kind}"], 3) for kind in ("weight", "bias"))
    for part, weight, bias in zip(_PARTS, weights, biases, strict=True):
        _product(found, f"{name}.{part}", weight, bias)
    for part in ("out", "up", "down"):
        _product(found, f"{name}.{part}", state[f"{name}.{part}.weight"], state[f"{name}.{part}.bias"])
    for part in ("norm", "inner_norm"):
        for kind in ("weight", "bias"):
            found[f"{name}.{part}.{kind}"] = state[f"{name}.{part}.{kind}"]


def _product(found: Weights, name: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
    scale = np.maximum(np.abs(weight).max(axis=1), 1e-8) / np.float32(PRODUCT_LIMIT)
    found[f"{name}.weight"] = np.ascontiguousarray(np.rint(weight / scale[:, None]).astype(np.int8).T)
    found[f"{name}.scale"], found[f"{name}.bias"] = scale.astype(np.float32), bias


def to_trainable(weights: Mapping[str, NDArray[Any]], shape: Shape) -> Net:
    """A network of shipped weights, to train on."""
    state = {name: weights[name].astype(np.float32) for name in _WHOLE}
    state["pieces.weight"] = levels_of(weights) * weights["pieces.scale"].astype(np.float32)[:, None]
    state["project.weight"] = weights["project.weight"].T
    for at in range(shape.n_layers):
        name = f"layers.{at}"
        parts = [_dense(weights, f"{name}.{part}") for part in _PARTS]
        state[f"{name}.qkv.weight"] = np.concatenate([weight for weight, _ in parts])
        state[f"{name}.qkv.bias"] = np.concatenate([bias for _, bias in parts])
        for part in ("out", "up", "down"):
            state[f"{name}.{part}.weight"], state[f"{name}.{part}.bias"] = _dense(weights, f"{name}.{part}")
        for part in ("norm", "inner_norm"):
            for kind in ("weight", "bias"):
                state[f"{name}.{part}.{kind}"] = weights[f"{name}.{part}.{kind}"]
    state["mix.weight"], state["mix.bias"] = _dense(weights, "mix")
    state["grade.weight"], state["grade.bias"] = weights["grade.weight"].T, weights["grade.bias"]
    net = Net(shape)
    net.load_state_dict({name: torch.tensor(np.ascontiguousarray(value)) for name, value in state.items()})
    return net.eval()


def _dense(weights: Mapping[str, NDArray[Any]], name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return weights[f"{name}.weight"].T * weights[f"{name}.scale"][:, None], weights[f"{name}.bias"]

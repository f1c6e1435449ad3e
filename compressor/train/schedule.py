"""What training runs share: groups of weights with their rates, warm-up and decay, and one step."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from compressor.train.net import Net
from compressor.train.peers import Peers


@dataclass(frozen=True, slots=True)
class Rates:
    """Learning rates. Deeper layers learn faster: each layer below takes `layer_decay` of the one above."""

    encoder: float = 2e-4
    pieces: float = 4e-4
    new: float = 1e-3
    """Of the head and of what is known besides the pieces: they begin from nothing."""
    layer_decay: float = 0.9
    weight_decay: float = 0.01


def seed_all(seed: int) -> None:
    """Everything that draws."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def groups(net: Net, rates: Rates, extra: nn.Module | None = None) -> list[dict[str, object]]:
    """The weights of a network, and of heads beside it, with their learning rates."""
    found: list[tuple[float, Iterator[Tensor]]] = [
        (rates.pieces, net.pieces.parameters()),
        (rates.encoder * rates.layer_decay ** len(net.layers), net.positions.parameters()),
        (rates.encoder * rates.layer_decay ** len(net.layers), net.norm.parameters()),
    ]
    for depth, layer in enumerate(net.layers, start=1):
        found.append((rates.encoder * rates.layer_decay ** (len(net.layers) - depth), layer.parameters()))
    heads: list[nn.Module] = [net.values, net.project, net.mix, net.grade, *([extra] if extra else [])]
    found += [(rates.new, head.parameters()) for head in heads]
    return [
        {"params": list(some), "lr": rate, "base": rate, "weight_decay": rates.weight_decay}
        for rate, some in found
    ]


class Stepper:
    """AdamW with warm-up over the first `warm_up` of all steps and linear decay to a twentieth."""

    def __init__(
        self, parameters: list[dict[str, object]], n_steps: int, peers: Peers, warm_up: float = 0.06
    ) -> None:
        self.peers = peers
        self.optimizer = torch.optim.AdamW(parameters, betas=(0.9, 0.98), fused=True)
        self.n_steps = n_steps
        self.n_warm = max(int(warm_up * n_steps), 1)
        self.at = 0

    def step(self, loss: Tensor) -> None:
        """Learn from one loss."""
        loss.backward()  # type: ignore[no-untyped-call] # torch
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * self._factor()
        weights = [weight for group in self.optimizer.param_groups for weight in group["params"]]
        self.peers.average(weights)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.at += 1

    def _factor(self) -> float:
        if self.at < self.n_warm:
            return (self.at + 1) / self.n_warm
        return max(1 - (self.at - self.n_warm) / max(self.n_steps - self.n_warm, 1), 0.05)

    def state(self) -> dict[str, object]:
        """For a checkpoint."""
        return {"optimizer": self.optimizer.state_dict(), "at": self.at}

    def restore(self, state: dict[str, object]) -> None:
        """From a checkpoint's `state`."""
        self.optimizer.load_state_dict(state["optimizer"])  # type: ignore[arg-type] # what `state` put there
        self.at = int(str(state["at"]))

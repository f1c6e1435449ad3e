"""Processes that train one network together: each learns from its share of a step, gradients are averaged.

Processes rather than threads: on cores that others use too, threads wait for each other at every product,
processes once a step. One process is a group of one.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed
from torch import Tensor
from torch.multiprocessing.spawn import start_processes


@dataclass(frozen=True, slots=True)
class Peers:
    """Which of how many this process is."""

    rank: int = 0
    n: int = 1

    @property
    def is_first(self) -> bool:
        """Is this the one that writes and reports?"""
        return self.rank == 0

    def average(self, weights: Iterable[Tensor]) -> None:
        """Make every gradient the mean of all processes'."""
        if self.n == 1:
            return
        some = list(weights)
        for weight in some:
            if weight.grad is None:  # nothing of this process's share touched it
                weight.grad = torch.zeros_like(weight)
        flat = torch.cat([weight.grad.reshape(-1) for weight in some if weight.grad is not None])
        torch.distributed.all_reduce(flat)
        flat /= self.n
        at = 0
        for weight in some:
            assert weight.grad is not None
            weight.grad.copy_(flat[at : at + weight.numel()].view_as(weight))
            at += weight.numel()


def run(work: Callable[..., None], n: int, *arguments: Any) -> None:
    """Run `work(peers, *arguments)` in `n` processes of one thread each and wait for all; one has all cores.

    The processes are forks: what the arguments hold is read once and shared.
    """
    if n == 1:
        work(Peers(), *arguments)
        return
    torch.set_num_threads(1)  # before the fork: threads of the parent are not the children's
    port = _free_port()
    start_processes(_peer, (work, n, port, arguments), nprocs=n, start_method="fork")  # type: ignore[no-untyped-call] # torch


def _peer(rank: int, work: Callable[..., None], n: int, port: int, arguments: tuple[Any, ...]) -> None:
    torch.distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=n
    )
    try:
        work(Peers(rank, n), *arguments)
    finally:
        torch.distributed.destroy_process_group()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""How many threads torch computes with, on a CPU: as many as there are cores for us."""

from __future__ import annotations

import torch

from compressor.scorers.cores import allowed_cores


def settle_threads() -> None:
    """Never more threads than we have cores: torch counts the machine's, and not what a container has of
    them, and threads that wait for each other's turn are slower than fewer. A smaller number is left."""
    torch.set_num_threads(max(1, min(torch.get_num_threads(), allowed_cores())))

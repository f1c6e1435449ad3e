"""How many threads torch computes with, on a CPU: as many as there are cores for us."""

from __future__ import annotations

import os
from pathlib import Path

import torch

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Microseconds of processor time a period and the period, or "max": what a container is given."""


def settle_threads() -> None:
    """Never more threads than we have cores: torch counts the machine's, and not what a container has of
    them, and threads that wait for each other's turn are slower than fewer. A smaller number is left."""
    torch.set_num_threads(max(1, min(torch.get_num_threads(), allowed_cores())))


def allowed_cores(quota: Path = _QUOTA) -> int:
    """By the process's affinity and its control group's quota."""
    has_affinity = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    try:
        limit, period = quota.read_text("ascii").split()
    except (OSError, ValueError):
        return cores
    return cores if limit == "max" else max(1, min(cores, round(int(limit) / int(period))))

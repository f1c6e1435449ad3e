"""Torch computes with as many threads as there are cores for us."""

from __future__ import annotations

import torch

from compressor.scorers.threads import settle_threads


def test_a_smaller_number_is_left() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        settle_threads()
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)

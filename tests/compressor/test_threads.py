"""As many threads as there are cores for us."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from compressor.scorers.threads import allowed_cores, settle_threads


@pytest.mark.parametrize(
    ("said", "cores"), [("50000 100000", 1), ("100000 100000", 1), ("9900000 100000", None)]
)
def test_a_containers_share_counts(tmp_path: Path, said: str, cores: int | None) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text(said)
    assert allowed_cores(quota) == (cores or allowed_cores(tmp_path / "none"))


@pytest.mark.parametrize("said", ["max 100000", "", "what"])
def test_no_share_is_no_limit(tmp_path: Path, said: str) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text(said)
    assert allowed_cores(quota) == allowed_cores(tmp_path / "none") <= (os.cpu_count() or 1)


def test_a_smaller_number_is_left() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        settle_threads()
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)

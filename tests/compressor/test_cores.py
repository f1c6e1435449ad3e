"""How many cores there are for us."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from compressor.scorers.cores import allowed_cores


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

"""Pauses double, within bounds."""

from __future__ import annotations

import pytest

from compressor.pause import PAUSE_MAX_S, PAUSE_S, pause_s


@pytest.mark.parametrize(
    ("n_before", "pause"),
    [(-1, PAUSE_S), (0, PAUSE_S), (1, 1.0), (3, 4.0), (50, PAUSE_MAX_S), (5000, PAUSE_MAX_S)],
)
def test_pauses_double_and_end_somewhere(n_before: int, pause: float) -> None:
    assert pause_s(n_before) == pause

"""Trouble is said once, and so is its end."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from gateway.trouble import Trouble

logger = logging.getLogger(__name__)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ((None, None), []),
        (("slow", "slow"), ["it is slow"]),
        (("slow", "gone"), ["it is slow", "it is gone"]),
        (("slow", None, None), ["it is slow", "it is well"]),
        (("slow", None, "slow"), ["it is slow", "it is well", "it is slow"]),
    ],
)
def test_every_change_is_a_line(
    seen: Sequence[str | None], said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    trouble = Trouble(logger, "it is %s", "it is well")
    for one in seen:
        trouble.see(one)
    assert caplog.messages == said
    assert trouble.last == seen[-1]


def test_trouble_is_an_error_and_its_end_is_not(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    trouble = Trouble(logger, "it is %s", "it is well")
    trouble.see("slow")
    trouble.see(None)
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]

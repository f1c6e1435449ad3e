"""gateway.savings: since when, and the report as data; tests/gateway/cli/test_report.py has its figures."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.savings import parse_since, savings
from gateway.types import ReportRow

NOW = 1_000_000_000.0
ROW = ReportRow(
    group="rag",
    requests=2,
    compressed_requests=1,
    origin_tokens=1000,
    compressed_tokens=750,
    prompt_tokens=760,
    cached_tokens=100,
    completion_tokens=20,
    cost_usd=0.5,
    saved_usd=-0.25,
    unpriced_requests=1,
)


@pytest.mark.parametrize(
    ("written", "since"),
    [
        ("90m", NOW - 5400),
        ("12h", NOW - 43_200),
        ("7d", NOW - 604_800),
        ("2w", NOW - 1_209_600),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC).timestamp()),
        ("2026-11-01T12:00:00+02:00", datetime(2026, 11, 1, 10, tzinfo=UTC).timestamp()),
    ],
)
def test_since_is_a_duration_or_a_moment(written: str, since: float) -> None:
    assert parse_since(written, NOW) == since


@pytest.mark.parametrize("written", ["", "7", "7y", "yesterday", "-7d", "1234567d"])
def test_what_is_neither_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is neither like 7d"):
        parse_since(written, NOW)


def test_the_report_as_data() -> None:
    said = savings([ROW], ["my-model"], "policy", NOW)
    assert (said["by"], said["since"], said["unpriced_models"]) == ("policy", NOW, ["my-model"])
    [row] = said["rows"]
    assert (row["group"], row["saved_tokens"], row["saved_percent"]) == ("rag", 250, 25.0)
    assert (said["total"]["saved_usd"], said["total"]["requests"]) == (-0.25, 2)


def test_the_report_of_nothing() -> None:
    said = savings([], [], "day", None)
    assert said["rows"] == []
    assert (said["total"]["requests"], said["total"]["saved_percent"]) == (0, None)

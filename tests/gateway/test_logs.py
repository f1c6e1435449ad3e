"""gateway.logs: one JSON object a line, and nothing in it that a client wrote but a path and names."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.logs import JsonLines, configure
from gateway.types import Entry
from tests.e2e.test_gateway import LONG, running, user

CANARY = "the albatross has landed"
ENTRY = Entry(
    "pith-1", 0.0, "/v1/chat/completions", 200, model="gpt-4o", skip="short", timing_ms={"total": 7.5}
)


def record(message: str, *, fault: LookupError | None = None, **more: object) -> logging.LogRecord:
    raised: Any = None
    if fault is not None:
        try:
            raise fault
        except LookupError:
            raised = sys.exc_info()
    made = logging.LogRecord("gateway.x", logging.ERROR, __file__, 1, message, None, raised)
    made.created = 0.0
    vars(made).update(more)
    return made


def line(made: logging.LogRecord) -> dict[str, Any]:
    written = JsonLines().format(made)
    assert "\n" not in written
    read: dict[str, Any] = json.loads(written)
    return read


def test_a_line_says_when_who_and_what() -> None:
    assert line(record("ledger writes again")) == {
        "at": "1970-01-01T00:00:00Z",
        "level": "error",
        "logger": "gateway.x",
        "event": "ledger writes again",
    }


def test_only_the_first_line_of_a_message_is_said() -> None:
    assert line(record(f"task failed\n{CANARY}"))["event"] == "task failed"


def test_a_request_brings_its_fields_and_its_milliseconds() -> None:
    said = line(record("request", entry=ENTRY))
    assert (said["id"], said["status"], said["skip"], said["ms"]) == ("pith-1", 200, "short", 7.5)
    assert not {"key_id", "conversation", "timing_ms"} & said.keys()


def test_what_is_no_entry_brings_nothing() -> None:
    assert line(record("request", entry=CANARY)).keys() == {"at", "level", "logger", "event"}


def test_of_a_fault_its_type_and_place_are_said_and_never_its_words() -> None:
    said = line(record("compression failed", fault=LookupError(CANARY)))
    assert said["error"] == "LookupError"
    assert said["trace"][-1].startswith("test_logs.py:")
    assert CANARY not in json.dumps(said)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything the process logs, as `pith serve` would write it."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    written = io.StringIO()
    configure(written, logging.DEBUG)
    try:
        yield written
    finally:
        root.handlers[:], _ = before
        root.setLevel(before[1])


def test_neither_prompt_nor_key_is_logged_whatever_fails(log: io.StringIO, tmp_path: Path) -> None:
    with running(tmp_path) as pith:
        headers = {"authorization": "Bearer sk-canary-albatross", "x-app": CANARY}
        pith.chat([user(f"{CANARY} {LONG}")], headers)
        pith.scorer.error = RuntimeError(CANARY)
        pith.chat([user(f"{CANARY}! {LONG}")], headers)
        pith.chat([user(CANARY)], {**headers, "x-pith-rate": CANARY, "x-pith-policy": CANARY})
        pith.upstream.received.clear()
    with running(tmp_path, upstreams={"openai": {"url": "http://127.0.0.1:9"}}) as pith:
        assert pith.chat([user(f"{CANARY} {LONG}")], headers).status_code == 502
    lines = [json.loads(written) for written in log.getvalue().splitlines()]
    assert [said["status"] for said in lines if said["event"] == "request"] == [200, 200, 200, 502]
    assert "scorer_down" in {said.get("skip") for said in lines}
    ours = [
        said
        for said in lines
        if said["logger"].split(".")[0] in ("gateway", "compressor", "policies", "uvicorn", "asyncio")
    ]
    assert ours
    assert "albatross" not in json.dumps(ours)

"""gateway.logs: what may stand in a line, and what may not, whatever was raised and by whom."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.logs import MAX_EVENT_CHARS, MAX_FIELD_CHARS, JsonLines, configure
from gateway.types import Entry, Usage

FIELDS = {"at", "level", "logger", "event"}


def line(message: str, *args: object, error: BaseException | None = None, **extra: object) -> dict[str, Any]:
    exc_info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("gateway.x", logging.ERROR, __file__, 1, message, args, exc_info)
    record.__dict__.update(extra)
    text = JsonLines().format(record)
    assert text.isascii()
    assert text.splitlines() == [text]
    read: dict[str, Any] = json.loads(text)
    return read


def test_a_record_is_one_object() -> None:
    said = line("mode changed from %s to %s", "on", "off", headers={"authorization": "canary"})
    assert said.keys() == FIELDS
    assert said["level"] == "error"
    assert said["logger"] == "gateway.x"
    assert said["event"] == "mode changed from on to off"
    assert said["at"].endswith("Z")


def test_of_an_error_its_type_and_place_are_told_and_not_its_words() -> None:
    try:
        raise ValueError("canary")
    except ValueError as error:
        said = line("failed", error=error)
    assert said.keys() == FIELDS | {"error", "trace"}
    assert said["error"] == "ValueError"
    assert "test_of_an_error" in said["trace"][-1]
    assert "canary" not in json.dumps(said)


def test_what_follows_the_first_line_is_not_told() -> None:
    assert line("Task exception was never retrieved\nfuture: <Task canary>")["event"] == (
        "Task exception was never retrieved"
    )


def test_an_entry_is_told_by_its_listed_fields() -> None:
    entry = Entry(
        id="pith-1",
        created_at=0.0,
        path="/v1/chat/completions",
        status=200,
        key_id="k1",
        team="search",
        conversation="c0ffee",
        policy_version="canary",
        tokenizer="canary",
        model="gpt-4o",
        usage=Usage(100, 7, cached_tokens=64),
        timing_ms={"read": 0.5, "total": 1.5},
    )
    said = line("request", entry=entry, upstream="openai")
    assert (said["id"], said["model"], said["status"]) == ("pith-1", "gpt-4o", 200)
    assert (said["upstream"], said["key_id"], said["team"]) == ("openai", "k1", "search")
    assert said["conversation"] == "c0ffee"
    assert (said["prompt_tokens"], said["completion_tokens"], said["cached_tokens"]) == (100, 7, 64)
    assert (said["ms"], said["stage_ms"]) == (1.5, {"read": 0.5})
    assert "canary" not in json.dumps(said)


def test_what_is_not_known_is_null() -> None:
    said = line("request", entry=Entry(id="pith-1", created_at=0.0, path="/", status=499))
    assert said["upstream"] is said["prompt_tokens"] is said["ms"] is None
    assert said["stage_ms"] == {}


def test_a_worker_tells_its_number() -> None:
    record = logging.LogRecord("gateway.x", logging.INFO, __file__, 1, "hello", (), None)
    assert json.loads(JsonLines(worker=3).format(record))["worker"] == 3
    assert "worker" not in json.loads(JsonLines().format(record))


def test_something_else_called_entry_is_not_told() -> None:
    assert line("request", entry={"id": "canary"}).keys() == FIELDS


@given(st.text(), st.text())
def test_any_name_makes_one_short_line(name: str, message: str) -> None:
    entry = Entry(id="pith-1", created_at=0.0, path="/" + name * 100, status=200, model=name * 1000)
    said = line("%s", message * 1000, entry=entry, upstream="openai")
    assert max(len(said["model"]), len(said["path"])) <= MAX_FIELD_CHARS
    assert len(said["event"]) <= MAX_EVENT_CHARS


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = before
    root.setLevel(level)


def test_configured_every_logger_writes_such_lines(root: logging.Logger) -> None:
    stream = io.StringIO()
    configure(stream)
    writer = configure(stream, "info")
    logging.getLogger("somebody.else").warning("hello")
    logging.getLogger("somebody.else").debug("canary")
    writer.flush()
    [said] = map(json.loads, stream.getvalue().splitlines())
    assert (said["logger"], said["event"]) == ("somebody.else", "hello")


def test_lines_below_the_level_are_left_out(root: logging.Logger) -> None:
    stream = io.StringIO()
    writer = configure(stream, "warning")
    logging.getLogger("gateway.requests").info("request")
    logging.getLogger("gateway").warning("told")
    writer.flush()
    assert [json.loads(told)["event"] for told in stream.getvalue().splitlines()] == ["told"]

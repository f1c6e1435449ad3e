"""One JSON line an event on a stream. What may appear in it is a list, not whatever a message holds.

Never logged: header values, bodies, texts, and the words of an exception (they may quote any of these): its
type and the place it came from are. Writing is `log_writer`'s: no request waits for whoever reads the log.
"""

from __future__ import annotations

import json
import logging
import time
import traceback
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, TextIO

import orjson

from gateway.log_writer import LineWriter, sink_of
from gateway.types import Entry

requests: Final = logging.getLogger("gateway.requests")

MAX_FIELD_CHARS = 200
MAX_EVENT_CHARS = 2000

_ENTRY_FIELDS: Final = (
    "id",
    "path",
    "status",
    "key_id",
    "team",
    "conversation",
    "model",
    "policy",
    "variant",
    "mode",
    "is_streamed",
    "is_complete",
    "origin_tokens",
    "compressed_tokens",
    "skip",
    "cache",
    "cost_usd",
    "saved_usd",
)


_FROM_OUTSIDE: Final = ("path", "model", "policy", "variant", "skip", "key_id", "team")
"""As long as a client, a file or a store likes."""
_USAGE_FIELDS: Final = ("prompt_tokens", "completion_tokens", "cached_tokens")

_entry_fields = attrgetter(*_ENTRY_FIELDS)
_usage_fields = attrgetter(*_USAGE_FIELDS)


class JsonLines(logging.Formatter):
    """A record as one JSON object."""

    def __init__(self, worker: int | None = None) -> None:
        """`worker` is this process's number, where there are several."""
        super().__init__()
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": _moment(int(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            # Its first line: asyncio adds the task's state, texts and all.
            "event": _cut(record.getMessage().partition("\n")[0], MAX_EVENT_CHARS),
        }
        if self._worker is not None:
            line["worker"] = self._worker
        entry = getattr(record, "entry", None)
        if isinstance(entry, Entry):
            line["upstream"] = getattr(record, "upstream", None)
            line.update(_told(entry))
        if record.exc_info and record.exc_info[1] is not None:
            line |= _fault(record.exc_info[1])
        return _in_ascii(line)


class Lines(logging.Handler):
    """Hands formatted records to the writer."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self.writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the record's line."""
        self.writer.put(self.format(record).encode() + b"\n")

    def flush(self) -> None:
        """Wait, but not for ever, until all is written."""
        self.writer.flush()


def log_request(entry: Entry, upstream: str | None) -> None:
    """The line of a request that ended. As `logger.info`, without the search for the caller (2 of 8 us)."""
    if requests.isEnabledFor(logging.INFO):
        record = logging.LogRecord(requests.name, logging.INFO, __file__, 0, "request", (), None)
        record.entry, record.upstream = entry, upstream
        requests.handle(record)


def _told(entry: Entry) -> dict[str, object]:
    """What is said of a request."""
    said: dict[str, object] = dict(zip(_ENTRY_FIELDS, _entry_fields(entry), strict=True))
    for name in _FROM_OUTSIDE:
        said[name] = _cut(said[name])
    counts = _usage_fields(entry.usage) if entry.usage is not None else (None,) * len(_USAGE_FIELDS)
    said.update(zip(_USAGE_FIELDS, counts, strict=True))
    stages = dict(entry.timing_ms)
    said["ms"] = stages.pop("total", None)
    said["stage_ms"] = stages
    return said


def _in_ascii(line: dict[str, Any]) -> str:
    """Any stream takes it, and no character ends the line."""
    try:
        text = orjson.dumps(line).decode()
    except TypeError:  # half of a surrogate pair
        return json.dumps(line)
    return text if text.isascii() else json.dumps(line)


@lru_cache(maxsize=2)
def _moment(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _cut(value: object, limit: int = MAX_FIELD_CHARS) -> object:
    return value if not isinstance(value, str) or len(value) <= limit else value[: limit - 1] + "…"


def _fault(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in frames[-6:]]
    return {"error": type(error).__name__, "trace": places}


def configure(stream: TextIO, level: int | str = logging.INFO, worker: int | None = None) -> LineWriter:
    """Send every log of the process to `stream`; `logging` flushes it when the process ends."""
    writer = LineWriter(sink_of(stream))
    handler = Lines(writer)
    handler.setFormatter(JsonLines(worker))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper() if isinstance(level, str) else level)
    # Of a record, what no line of ours tells need not be found out: 1 of 4 microseconds.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    return writer

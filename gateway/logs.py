"""One JSON line an event on a stream. What may appear in it is a list, not whatever a message holds.

Never logged: header values, bodies, texts, and the words of an exception (they may quote any of these): its
type and the place it came from are.
"""

from __future__ import annotations

import json
import logging
import time
import traceback
from typing import Any, TextIO

from gateway.types import Entry

MAX_FIELD_CHARS = 200
MAX_EVENT_CHARS = 2000

_ENTRY_FIELDS = (
    "id",
    "path",
    "status",
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


class JsonLines(logging.Formatter):
    """A record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            # Its first line: asyncio adds the task's state, texts and all.
            "event": _cut(record.getMessage().partition("\n")[0], MAX_EVENT_CHARS),
        }
        entry = getattr(record, "entry", None)
        if isinstance(entry, Entry):
            line |= {name: _cut(getattr(entry, name)) for name in _ENTRY_FIELDS}
            line["ms"] = entry.timing_ms.get("total")
        if record.exc_info and record.exc_info[1] is not None:
            line |= _fault(record.exc_info[1])
        return json.dumps(line)  # in ASCII: any stream takes it, and no character ends the line


def _cut(value: object, limit: int = MAX_FIELD_CHARS) -> object:
    """Names and paths are as long as a client likes."""
    return value if not isinstance(value, str) or len(value) <= limit else value[: limit - 1] + "…"


def _fault(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in frames[-6:]]
    return {"error": type(error).__name__, "trace": places}


def configure(stream: TextIO, level: int = logging.INFO) -> None:
    """Send every log of the process to `stream`."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)

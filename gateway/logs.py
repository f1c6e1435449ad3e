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
            "event": record.getMessage().split("\n", 1)[0],  # asyncio adds the task's state, texts and all
        }
        entry = getattr(record, "entry", None)
        if isinstance(entry, Entry):
            line |= {name: getattr(entry, name) for name in _ENTRY_FIELDS}
            line["ms"] = entry.timing_ms.get("total")
        if record.exc_info and record.exc_info[1] is not None:
            line |= _fault(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False)


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

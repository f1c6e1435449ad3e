"""An event stream: reading it beside the data path, and hiding the one event we asked for (no I/O).

Laws (law 5 of the design), for any stream of bytes and any way it is split into chunks:
  1. Hiding withholds exactly one event, the usage event, and keeps every other byte in its order.
  2. The concatenated output depends on the bytes alone, never on the splits.
  3. Memory is bounded: an event beyond its limit is passed on, not stored and not read.

Only the extra event is hidden. While `include_usage` is on, an upstream may also write `"usage": null`
into every other chunk; those members stay, since taking them out would mean rewriting events.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final

from gateway.usage import read_object

EVENT_LIMIT: Final = 1 << 20
"""Bytes of one event that are kept for reading; events of 64 kB are normal."""

USAGE_EVENT_LIMIT: Final = 16 << 10
"""A usage event is well under 1 kB; what is longer than this is taken for none and flows on."""

_BOM: Final = b"\xef\xbb\xbf"

# The value of the first data line, once its first character is here. Possessive: no backtracking.
_FIRST_DATA: Final = re.compile(rb"(?:(?!data[:\r\n])[^\r\n]*+[\r\n]++)*+data:[ \t]*+([^ \t\r\n])")
# A list of choices that has an element: an ordinary chunk. Bounded, so that no match is longer than the
# stretch of old bytes that is searched again.
_FULL_CHOICES: Final = re.compile(rb'"choices"[ \t]{0,4}:[ \t]{0,4}\[[ \t]{0,4}[^ \t\r\n\]]')
_LOOK_BACK: Final = 32


class EventReader:
    """Bytes in, the data of complete events out, as the HTML standard reads an event stream.

    Lines end with CR LF, LF or CR; the `data` lines of one event are joined with LF; a blank line completes
    the event; a byte order mark at the start is skipped. Fields other than `data` are not kept, and an
    event whose lines hold more than `limit` bytes is skipped whole.
    """

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        self._limit = limit
        self._line = bytearray()
        self._data: list[bytes] = []
        self._event_bytes = 0
        self._is_line_empty = True
        self._is_after_cr = False
        self._is_first_line = True

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of every event these bytes complete."""
        events: list[bytes] = []
        for piece in chunk.splitlines(keepends=True):
            is_second_half = self._is_after_cr and piece == b"\n"  # of a CR LF that was split
            self._is_after_cr = piece.endswith(b"\r")
            if is_second_half:
                continue
            content = piece.rstrip(b"\r\n")
            if content:
                self._store(content)
            if len(content) < len(piece):
                self._end_line(events)
        return events

    def end(self) -> bytes | None:
        """The data of a last event that lacks its blank line: the standard drops it, bookkeeping need not."""
        events: list[bytes] = []
        if not self._is_line_empty:
            self._end_line(events)
        self._end_event(events)
        return events[0] if events else None

    def _store(self, content: bytes) -> None:
        self._is_line_empty = False
        self._event_bytes += len(content)
        if self._event_bytes <= self._limit:
            self._line += content
        else:
            self._line.clear()
            self._data.clear()

    def _end_line(self, events: list[bytes]) -> None:
        if self._is_line_empty:
            self._end_event(events)
            return
        line = bytes(self._line)
        if self._is_first_line:
            line = line.removeprefix(_BOM)
        name, _, value = line.partition(b":")
        if name == b"data" and self._event_bytes <= self._limit:
            self._data.append(value.removeprefix(b" "))
        self._line.clear()
        self._is_line_empty = True
        self._is_first_line = False

    def _end_event(self, events: list[bytes]) -> None:
        if self._data:
            events.append(b"\n".join(self._data))
        self._data.clear()
        self._event_bytes = 0
        self._is_first_line = False


class _Flow(Enum):
    """Where the bytes of the stream go."""

    BETWEEN = auto()  # no field of the next event has begun: blank lines and comments pass
    HELD = auto()  # inside an event that may be the usage event
    FLOWING = auto()  # inside an event that is not
    HIDDEN = auto()  # the usage event ended with CR: an LF right after it belongs to it
    DONE = auto()  # one event was hidden: everything passes


class UsageHider:
    """Withholds the usage event from a stream, and nothing else.

    The usage event is a `chat.completion.chunk` whose `choices` is an empty list and whose `usage` is an
    object. Its bytes are its lines, from its first field to its blank line; a comment before it passes.

    What is held: only the bytes of the event that is arriving, from its first byte until it can be told
    apart, and never more than `limit`. It is told apart when its data does not begin with `{` (so `[DONE]`
    flows at once), when a `choices` list with an element shows (in the first bytes of an ordinary chunk),
    when it grows beyond `limit`, or when it is complete.
    """

    def __init__(self, limit: int = USAGE_EVENT_LIMIT) -> None:
        self._limit = limit
        self._held = bytearray()
        self._flow = _Flow.BETWEEN
        self._is_opened = False
        self._is_line_start = True
        self._is_after_cr = False

    def feed(self, chunk: bytes) -> bytes:
        """The bytes that may go on now."""
        if self._flow is _Flow.DONE:
            return chunk
        return b"".join([self._take(piece) for piece in chunk.splitlines(keepends=True)])

    def end(self) -> bytes:
        """What is still held: the stream ended, or broke, inside an event."""
        held = bytes(self._held)
        self._held.clear()
        return held

    def _take(self, piece: bytes) -> bytes:
        if self._flow is _Flow.DONE:
            return piece
        was_line_start, was_after_cr = self._is_line_start, self._is_after_cr
        self._is_after_cr = piece.endswith(b"\r")
        self._is_line_start = piece.endswith((b"\r", b"\n"))
        if self._flow is _Flow.HIDDEN:
            self._flow = _Flow.DONE
            return b"" if piece == b"\n" else piece
        if was_after_cr and piece == b"\n":  # second half of a CR LF that was split
            return self._hold(piece) if self._flow is _Flow.HELD else piece
        if was_line_start and piece in (b"\n", b"\r", b"\r\n"):
            return self._end_event(piece)
        if self._flow is _Flow.BETWEEN and was_line_start and not piece.startswith(b":"):
            self._flow = _Flow.HELD
            self._is_opened = False
        return self._hold(piece) if self._flow is _Flow.HELD else piece

    def _hold(self, piece: bytes) -> bytes:
        n_old = len(self._held)
        self._held += piece
        if not self._is_told_apart(n_old):
            return b""
        self._flow = _Flow.FLOWING
        return self.end()

    def _is_told_apart(self, n_old: int) -> bool:
        if len(self._held) > self._limit or _FULL_CHOICES.search(self._held, max(0, n_old - _LOOK_BACK)):
            return True
        if not self._is_opened:
            first = _FIRST_DATA.match(self._held)
            self._is_opened = first is not None
            return first is not None and first[1] != b"{"
        return False

    def _end_event(self, piece: bytes) -> bytes:
        event = self.end() + piece
        if self._flow is not _Flow.HELD or not _is_usage_event(event):
            self._flow = _Flow.BETWEEN
            return event
        self._flow = _Flow.HIDDEN if piece == b"\r" else _Flow.DONE
        return b""


def _is_usage_event(event: bytes) -> bool:
    if event.startswith(_BOM):
        return False  # its first field has a name of its own; only at the very start is the mark skipped
    data = EventReader().feed(event)
    chunk = read_object(data[0]) if data else {}
    return (
        chunk.get("object") == "chat.completion.chunk"
        and chunk.get("choices") == []
        and isinstance(chunk.get("usage"), dict)
    )

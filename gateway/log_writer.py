"""Lines to a stream by a thread of their own: whoever writes one never waits, however slow the reader is.

What is put within GATHER_S goes out in one write, so that a busy process is woken twenty times a second and
not once a line; that much is a line late at most, and that much a killed process loses. Beyond MAX_LINES
waiting, lines are dropped and counted.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, TextIO, TypeAlias

GATHER_S: Final = 0.05
MAX_LINES: Final = 10_000
"""A few megabytes; a second or more of the busiest process."""

Sink: TypeAlias = Callable[[bytes], None]
"""Takes all of the bytes before it returns. Raises OSError when nobody reads any more."""


class LineWriter:
    """A bounded queue of lines, and the thread that writes them."""

    def __init__(self, sink: Sink, max_lines: int = MAX_LINES, gather_s: float = GATHER_S) -> None:
        self.dropped = 0
        """Lines that found the queue full, or nobody reading."""
        self._sink = sink
        self._max_lines = max_lines
        self._gather_s = gather_s
        self._lines: deque[bytes] = deque()
        self._is_wanted = threading.Event()
        self._is_hurried = threading.Event()
        self._is_written = threading.Condition()
        self._n_put = self._n_done = 0
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Queue one line, its end included. From any thread."""
        if len(self._lines) >= self._max_lines:
            self.dropped += 1
            return
        self._n_put += 1
        self._lines.append(line)
        if not self._is_wanted.is_set():
            self._is_wanted.set()

    def flush(self, limit_s: float = 1.0) -> None:
        """Wait until what was put by now is written, or `limit_s` has passed."""
        wanted = self._n_put
        self._is_hurried.set()
        with self._is_written:
            self._is_written.wait_for(lambda: self._n_done >= wanted, limit_s)
        self._is_hurried.clear()

    def _run(self) -> None:
        while True:
            self._is_wanted.wait()
            self._is_hurried.wait(self._gather_s)
            self._is_wanted.clear()
            batch = [self._lines.popleft() for _ in range(len(self._lines))]
            try:
                self._sink(b"".join(batch))
            except (OSError, ValueError):  # closed at the other end, or at ours
                self.dropped += len(batch)
            with self._is_written:
                self._n_done += len(batch)
                self._is_written.notify_all()


def sink_of(stream: TextIO) -> Sink:
    """Past the stream's own buffer where there is a file below it: a lock that a blocked thread holds there
    would stop the process from ending.
    """
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # in memory
        return lambda data: _write_text(stream, data)
    return lambda data: _write_all(descriptor, data)


def _write_text(stream: TextIO, data: bytes) -> None:
    stream.write(data.decode())


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:  # somebody who shares the pipe made it non-blocking
            select.select([], [descriptor], [])

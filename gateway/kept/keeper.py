"""Keeps requests behind their clients' backs: a bounded queue, and a thread that seals and writes.

Laws: `keep` never blocks and never raises; what does not fit, or cannot be written, is counted. The thread
begins with the first request that is kept, or at the start where there is something to delete: what is too
old goes, whether or not any policy still keeps texts.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway.hashing import Secret
from gateway.kept.record import Kept
from gateway.kept.settings import KeptTextsConfig

if TYPE_CHECKING:
    from gateway.kept.files import KeptFiles

QUEUE_BYTES: Final = 64 << 20
"""Of bodies that wait to be written."""
TIDY_S: Final = 600.0

_log: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class Counts:
    """What became of requests that were to be kept."""

    kept: int = 0
    dropped: int = 0
    """For want of room: in the queue, or on disk."""
    failed: int = 0
    """They could not be written."""


class Keeper:
    """For one process; `keep` from its event loop."""

    def __init__(
        self, folder: Path, secret: Secret, settings: KeptTextsConfig, tidy_s: float = TIDY_S
    ) -> None:
        self.counts = Counts()
        self._folder = folder
        self._secret = secret
        self._settings = settings
        self._tidy_s = tidy_s
        self._queue: deque[Kept] = deque()
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._is_wanted = threading.Event()
        self._is_closing = False
        self._trouble: str | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look after what is there already."""
        if self._folder.exists():
            self._begin()

    def keep(self, kept: Kept) -> None:
        """Queue a request."""
        with self._lock:
            if self._is_closing or self._waiting_bytes + len(kept.body) > QUEUE_BYTES:
                self.counts.dropped += 1
                return
            self._waiting_bytes += len(kept.body)
            self._queue.append(kept)
        self._begin()
        self._is_wanted.set()

    async def aclose(self) -> None:
        """Write what is queued."""
        self._is_closing = True
        self._is_wanted.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="kept texts", daemon=True)
            self._thread.start()

    # The thread

    def _run(self) -> None:
        from gateway.kept.files import KeptFiles, Limits

        limits = Limits(self._settings.retention_s, self._settings.max_bytes)
        files = KeptFiles(self._folder, self._secret, limits)
        tidied_at = None
        is_last = False
        while not is_last:
            now = time.monotonic()
            if tidied_at is None or now - tidied_at >= self._tidy_s:
                tidied_at = now
                self._tidy(files)
            self._is_wanted.wait(self._tidy_s)
            self._is_wanted.clear()
            is_last = self._is_closing
            self._write_all(files)
        files.close()

    def _write_all(self, files: KeptFiles) -> None:
        while self._queue:
            with self._lock:
                kept = self._queue.popleft()
                self._waiting_bytes -= len(kept.body)
            try:
                is_written = files.add(kept, time.time())
            except OSError as error:
                files.close()
                self.counts.failed += 1
                self._say(error.strerror or type(error).__name__)
                continue
            self._say(None)
            self.counts.kept += is_written
            self.counts.dropped += not is_written

    def _tidy(self, files: KeptFiles) -> None:
        try:
            files.tidy(time.time())
        except OSError as error:
            self._say(error.strerror or type(error).__name__)

    def _say(self, trouble: str | None) -> None:
        """One line when it fails, one when it is well again."""
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble is None:
            _log.info("kept texts are written again")
        else:
            _log.error("texts are not kept: %s: %s; check the folder", self._folder, trouble)

"""How much lies in the spool, for whoever asks, from any thread. Nothing raises, and nothing is locked.

Files only grow until they are removed, and are left for a new one at some megabytes: of each the lines are
counted again when its size has changed, so that asking every second costs a look at the folder.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from gateway.types import Spooled


class SpoolCount:
    """One folder's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Path, Spooled] = {}
        """By file, as it was when last looked at."""

    def look(self) -> Spooled:
        """Rows and bytes of all files there, whichever process wrote them."""
        known = {}
        for path in self._folder.glob("*.jsonl"):
            with suppress(OSError):  # taken up by now
                known[path] = self._of(path)
        self._known = known
        return Spooled(sum(one.rows for one in known.values()), sum(one.bytes for one in known.values()))

    def _of(self, path: Path) -> Spooled:
        before = self._known.get(path)
        if before is not None and before.bytes == path.stat().st_size:
            return before
        held = path.read_bytes()
        return Spooled(held.count(b"\n"), len(held))

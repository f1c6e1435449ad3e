"""What a folder holds while a gateway is at work in it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def contents(folder: Path) -> dict[str, bytes]:
    """Every file there by its name, configuration aside.

    A file that goes meanwhile is left out: SQLite takes its -wal and -shm away when nothing uses them.
    """
    found = {}
    for file in folder.iterdir():
        if file.is_file() and file.suffix != ".yaml":
            with suppress(FileNotFoundError):
                found[file.name] = file.read_bytes()
    return found

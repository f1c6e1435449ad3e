"""The files git tracks, for the tests of the repository itself."""

from __future__ import annotations

import subprocess
import tomllib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]


@cache
def tracked() -> list[str]:
    # A checkout that belongs to another user, as containers have them, is still this checkout.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for path in listed.stdout.split("\0") if path and (ROOT / path).is_file()]


@cache
def text_of(path: str) -> str:
    """A tracked file's text; empty for binary files."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@cache
def project() -> dict[str, dict[str, object]]:
    return tomllib.loads(text_of("pyproject.toml"))

"""The documentation as a program: what its examples print is what its pages show.

A `python` or `http` block may be followed by a `text` or `json` block, its output; `<!-- pith … -->` begins
the output of that command and `<!-- end -->` ends it. `python -m tests.documents` writes every output anew;
the tests compare. The Python blocks of a page are one program, from top to bottom.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from gateway.app import create_app
from gateway.config import load as load_config
from gateway.demo import upstream
from gateway.demo.running import running
from gateway.services import load
from tests.tracked import ROOT

EXECUTED = ("README.md", "docs/api.md", "docs/compression.md", "docs/experiments.md")
SHOWN_URL = "http://localhost:8080"
WIDTH = 116
PATIENCE_S = 300
"""A whole experiment takes ten seconds of processor time, on a machine that may be busy."""

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"(?<=<!-- )(pith [^\n]+)( -->\n)(.*?)(?=<!-- end -->)", re.DOTALL)
_NEXT_BLOCK = '\nprint(end="\\0")\n'


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def pages() -> list[str]:
    """Every page of the documentation."""
    top = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"]
    return [*top, *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of that language."""
    return [fence[2] for fence in _FENCE.finditer(page) if fence[1] == language]


@contextmanager
def gateway(folder: Path) -> Iterator[str]:
    """Pith with its embedded defaults before the demo's upstream, its ledger in `folder`; yields its URL."""
    with running(upstream.create_app()) as target:
        config = load_config(None, {}, {"upstreams.openai.url": target, "ledger": ledger_in(folder)})
        with running(create_app(config, load(config))) as url:
            yield url


def ledger_in(folder: Path) -> str:
    return f"sqlite:///{folder / 'pith.db'}"


def environment(**more: str) -> dict[str, str]:
    """What examples run under: a key, no colours, none of the caller's settings or `make`'s arguments. And no
    admin listener: its port may be in use.
    """
    own = ("PITH_", "MAKE", "MFLAGS", "FORCE_COLOR")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return {
        **inherited,
        "OPENAI_API_KEY": "demo",
        "NO_COLOR": "1",
        "COLUMNS": "80",
        "PITH_ADMIN__LISTEN": "off",
        **more,
    }


def pith(arguments: Sequence[str], cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command."""
    command = [str(Path(sys.executable).with_name("pith")), *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment(**variables), capture_output=True, text=True, timeout=PATIENCE_S
    )


def refreshed(page: str, url: str) -> str:
    """The page with every output as it is now. Raises CalledProcessError where an example fails."""
    printed = iter(_run(blocks(page, "python"), url))
    pieces: list[str] = []
    done = 0
    output: str | None = None
    for fence in _FENCE.finditer(page):
        language, code = fence[1], fence[2]
        if language == "python":
            output = next(printed)
        elif language == "http":
            output = _answer(code, url)
        elif language in ("text", "json") and output is not None:
            pieces += [page[done : fence.start(2)], output]
            done, output = fence.end(2), None
    return _COMMAND.sub(_with_output, "".join(pieces) + page[done:])


def _run(examples: Sequence[str], url: str) -> list[str]:
    """What each example prints."""
    program = _NEXT_BLOCK.join(examples).replace(SHOWN_URL, url)
    command = [sys.executable, "-W", "error", "-c", program]
    ran = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=100)
    if ran.returncode:
        raise AssertionError(ran.stderr)
    return ran.stdout.split("\0")


def _answer(request: str, url: str) -> str:
    """The body of the answer to `METHOD /path` and, on the lines below, a JSON body."""
    line, _, body = request.partition("\n")
    method, path = line.split()
    answer = httpx.request(method, url + path, content=body or None, timeout=60)
    return shown(answer.json()) + "\n"


def shown(value: object, indent: int = 0) -> str:
    """JSON that breaks only where a line would get too long."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= WIDTH or not isinstance(value, dict | list):
        return flat
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    heads = [json.dumps(key) + ": " for key in value] if isinstance(value, dict) else [""] * len(value)
    inner = value.values() if isinstance(value, dict) else value
    margin = " " * (indent + 2)
    items = [
        margin + head + shown(item, indent + 2 + len(head) * (not isinstance(item, dict | list)))
        for head, item in zip(heads, inner, strict=True)
    ]
    return opening + "\n" + ",\n".join(items) + "\n" + " " * indent + closing


def _with_output(match: re.Match[str]) -> str:
    ran = pith(shlex.split(match[1])[1:], ROOT)
    if ran.returncode:
        raise AssertionError(ran.stderr)
    return match[1] + match[2] + ran.stdout


def main() -> None:
    """Write every output anew."""
    with tempfile.TemporaryDirectory() as folder, gateway(Path(folder)) as url:
        for page in EXECUTED:
            (ROOT / page).write_text(refreshed(read(page), url), encoding="utf-8")


if __name__ == "__main__":
    main()

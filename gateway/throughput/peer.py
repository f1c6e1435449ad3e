"""The llmlingua package beside us: the same texts, weights and device, in the same run."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from compressor.tokens import ranks_folder

_PROCESS = Path(__file__).with_name("peer_process.py")
PYTHON = Path(".venv/llmlingua/bin/python")
HOW = (
    "make it beside torch's: python -m venv --system-site-packages ENV && ENV/bin/pip install --no-deps -r "
    "requirements/llmlingua.txt, then --python ENV/bin/python"
)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a call took it."""

    seconds: float
    cpu_seconds: float


class Peer:
    """Its process."""

    def __init__(self, process: subprocess.Popen[str], errors: Path) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._questions, self._answers = process.stdin, process.stdout
        self._errors = errors

    def compress(self, texts: Sequence[str]) -> Taken:
        """Compress these in one call."""
        try:
            print(json.dumps(texts), file=self._questions, flush=True)
            line = self._answers.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            said = self._errors.read_text("utf-8", "replace").strip().splitlines()
            raise click.ClickException(
                f"llmlingua's process ended: {said[-1] if said else 'it said nothing'}"
            )
        return Taken(**json.loads(line))


@contextmanager
def peer(python: Path, folder: Path, device: str) -> Iterator[Peer]:
    """The package with the model in `folder`, under the interpreter that has it."""
    if not _has_it(python):
        raise click.ClickException(f"{python} has no package llmlingua: {HOW}")
    offline = {"HF_HUB_OFFLINE": "1", "TIKTOKEN_CACHE_DIR": str(ranks_folder()), "PYTHONWARNINGS": "ignore"}
    with (
        tempfile.NamedTemporaryFile() as errors,
        subprocess.Popen(  # noqa: S603  # the user's interpreter, our own file
            [python, _PROCESS, folder, device],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | offline,
        ) as process,
    ):
        try:
            yield Peer(process, Path(errors.name))
        finally:
            process.kill()


def _has_it(python: Path) -> bool:
    try:
        subprocess.run([python, "-c", "import llmlingua"], capture_output=True, check=True)  # noqa: S603  # named by the user
    except (OSError, subprocess.CalledProcessError):
        return False
    return True

"""The process of a scorer as its parent sees it: how it is started, asked and ended."""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Final

from compressor.child import LOST, receive
from compressor.wire import Array, Kind

_CODE: Final = "from compressor.child import main; main()"


@dataclass(slots=True, eq=False)
class ChildProcess:
    """One that runs, and the way to it."""

    process: subprocess.Popen[bytes]
    link: socket.socket
    since: float = math.inf
    """When it began to score."""

    def ask(self, frame: bytes) -> tuple[Kind, list[Array]]:
        """Raises OSError, EOFError, WireError or TimeoutError; then it is of no use any more."""
        self.link.sendall(frame)
        return receive(self.link)

    def part(self) -> None:
        """Wake whoever waits for an answer; the process ends when it sees that."""
        with suppress(OSError):  # it has ended already
            self.link.shutdown(socket.SHUT_RDWR)

    def end(self, patience_s: float) -> str:
        """See it end, by force if it does not in time; tell how it ended."""
        try:
            self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
        code = self.process.wait()
        return "its device was lost" if code == LOST else _how(code)


def launch() -> ChildProcess:
    """A fresh interpreter: nothing of this one's threads, loops and devices is in it. Raises OSError."""
    ours, theirs = socket.socketpair()
    with ExitStack() as unless_started, theirs:
        unless_started.enter_context(ours)
        descriptor = theirs.fileno()
        process = subprocess.Popen(  # noqa: S603 - this interpreter and code of our own
            [sys.executable, "-P", "-c", _CODE, str(descriptor)],
            stdin=subprocess.DEVNULL,
            pass_fds=(descriptor,),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
        )
        unless_started.pop_all()
    return ChildProcess(process, ours)


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    named = {one.value: one.name for one in signal.Signals}
    return named.get(-code, f"signal {-code}")  # those for real time have no names

"""What runs in the process of a scorer: load it, then answer batch by batch until the other side is gone.

Run as `python -c "from compressor.child import main; main()" DESCRIPTOR`. Nothing is printed and nothing of a
text is told: of a failure, its type alone. A scorer that fails twice, the second time on a batch that it has
scored before, has lost its device (after a failed assertion every call fails): the process then says so and
ends, and whoever started it starts another.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pkgutil import resolve_name
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compressor import wire
from compressor.errors import CompressorError, OutOfMemory, ScorerDown
from compressor.types import Chunk, Scorer
from compressor.wire import Array, Kind

LOST: Final = 70
"""Exit code of a process whose scorer has lost its device."""


def main() -> None:
    """Serve the socket whose descriptor is the first argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C at a terminal is for whoever started this
    with socket.socket(fileno=int(sys.argv[1])) as link:
        threading.Thread(target=_end_with, args=(link,), name="orphan", daemon=True).start()
        with suppress(OSError):  # the other side is gone, and nobody is left to be told
            if (scorer := _load(link)) is not None:
                _Server(scorer, link).run()


def receive(link: socket.socket) -> tuple[Kind, list[Array]]:
    """The next frame. Raises EOFError at the end, WireError for what is none, OSError."""
    kind, n_arrays, n_bytes = wire.read_head(_exactly(link, wire.HEAD.size))
    return kind, wire.unpack(_exactly(link, n_bytes), n_arrays)


def _exactly(link: socket.socket, n_bytes: int) -> bytearray:
    received = bytearray(n_bytes)
    view = memoryview(received)
    while view:
        n = link.recv_into(view)
        if not n:
            raise EOFError
        view = view[n:]
    return received


def _end_with(link: socket.socket) -> None:
    """End at once when the other side does, whatever the scorer is doing."""
    gone = select.poll()
    gone.register(link, select.POLLHUP | getattr(select, "POLLRDHUP", 0))
    gone.poll()
    os._exit(0)


def _load(link: socket.socket) -> Scorer | None:
    """The scorer asked for; None if there is none, which is told."""
    _, arrays = receive(link)
    asked = wire.said(arrays)
    try:
        scorer: Scorer = resolve_name(asked["loader"])(*asked["arguments"])
        summary = getattr(scorer, "summary", None)
        said = {"fingerprint": scorer.fingerprint, "limits": _limits(scorer), "summary": summary}
    except CompressorError as error:
        link.sendall(wire.pack_said(Kind.REFUSED, {"why": str(error)}))
        return None
    except Exception as error:  # noqa: BLE001 - told by type, whatever a model's loading raises
        link.sendall(wire.pack_said(Kind.REFUSED, {"why": f"{type(error).__name__} while it was loaded"}))
        return None
    link.sendall(wire.pack_said(Kind.READY, said))
    return scorer


def _limits(scorer: Scorer) -> list[int] | None:
    """How long rows may be, of a scorer that has such; None for one that the other side loads as well."""
    limits = getattr(scorer, "limits", None)
    return None if limits is None else [limits.tokens, limits.halo_min, limits.halo_max]


class _Server:
    """Answers frames with frames."""

    def __init__(self, scorer: Scorer, link: socket.socket) -> None:
        self._scorer = scorer
        self._link = link
        self._good: list[Chunk] = []
        """A chunk that was scored once."""

    def run(self) -> None:
        """Until the other side is gone."""
        while True:
            try:
                kind, arrays = receive(self._link)
            except EOFError:
                return
            chunks = wire.read_chunks(kind, arrays)
            try:
                answer = self._scored(chunks)
            except Exception as error:  # noqa: BLE001 - the device's: it outlives whatever a model raises
                self._failed(error)
            else:
                self._good = self._good or [min(chunks, key=lambda chunk: chunk.n_tokens)]
                self._link.sendall(answer)

    def _scored(self, chunks: Sequence[Chunk]) -> bytes:
        scores: list[NDArray[np.float32]] = self._scorer.forward(chunks)
        if not all(isinstance(one, np.ndarray) and one.dtype == np.float32 for one in scores):
            raise ScorerDown("the scorer answered what are no scores")
        return wire.pack(Kind.SCORES, wire.join(scores) if scores else ())

    def _failed(self, error: Exception) -> None:
        is_lost = not isinstance(error, OutOfMemory) and self._has_lost_its_device()
        why = str(error) if isinstance(error, ScorerDown) else f"{type(error).__name__} in the scorer"
        told = {"why": why, "is_memory": isinstance(error, OutOfMemory), "is_lost": is_lost}
        self._link.sendall(wire.pack_said(Kind.FAILED, told))
        if is_lost:
            os._exit(LOST)

    def _has_lost_its_device(self) -> bool:
        """Whether even a chunk that was scored before is not any more."""
        try:
            self._scorer.forward(self._good)
        except Exception:  # noqa: BLE001 - as above
            return True
        return False

"""An upstream that reads a request and answers at once, for the benchmarks.

It has a process of its own, so that it takes no time from Pith's: `python -m gateway.demo.instant [PORT]`
prints its port and serves until ended.

It is a bare protocol, with its answers encoded beforehand (`instant_answers`): the less it costs, the more is
seen of what is measured. A request that asks for a stream gets all of its events in one go; with the query
PACED one after another, PACE_S apart, so that each is a piece of its own on the way.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import cast

import httptools
import uvloop

from gateway.demo.instant_answers import ANSWERS, CHAT

PACED = b"paced"
PACE_S = 0.001
_STREAM_MARKS = (b'"stream": true', b'"stream":true')


class InstantUpstream(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's do not subclass asyncio's
        self._parser = httptools.HttpRequestParser(self)
        self._is_streamed = False
        self._tail = b""
        self._answers = CHAT
        self._is_paced = False

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    # Called by the parser.

    def on_url(self, url: bytes) -> None:
        path, _, query = url.partition(b"?")
        self._answers, self._is_paced = ANSWERS.get(path.rpartition(b"/")[2], CHAT), query == PACED

    def on_body(self, body: bytes) -> None:
        seen = self._tail + body  # what is looked for may arrive in two pieces
        self._is_streamed = self._is_streamed or any(mark in seen for mark in _STREAM_MARKS)
        self._tail = seen[-len(_STREAM_MARKS[0]) :]

    def on_message_complete(self) -> None:
        if not self._is_streamed:
            self._transport.write(self._answers.plain)
        elif self._is_paced:
            self._pace(iter(self._answers.pieces))
        else:
            self._transport.write(self._answers.streamed)
        self._is_streamed, self._tail = False, b""

    def _pace(self, pieces: Iterator[bytes]) -> None:
        if (piece := next(pieces, None)) is not None and not self._transport.is_closing():
            self._transport.write(piece)
            asyncio.get_running_loop().call_later(PACE_S, self._pace, pieces)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(InstantUpstream, "127.0.0.1", port, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


@contextmanager
def instant_upstream(port: int = 0) -> Iterator[str]:
    """Run the upstream in a process of its own, on any free port for 0; yields its base URL."""
    command = [sys.executable, "-m", __name__, str(port)]  # our own module, nothing from outside
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stdout is not None
            said = process.stdout.readline().strip()
            if not said:
                raise RuntimeError("the upstream's process did not start: see the lines above")
            yield f"http://127.0.0.1:{said}"
        finally:
            process.terminate()


def main(arguments: Sequence[str]) -> None:
    """Serve until the process is ended."""
    with suppress(KeyboardInterrupt):
        uvloop.run(_serve(int(arguments[0]) if arguments else 0))


if __name__ == "__main__":
    main(sys.argv[1:])

"""An upstream that reads a request and answers at once, for the benchmarks.

It has a process of its own, so that it takes no time from Pith's: `python -m gateway.demo.instant [PORT]`
prints its port and serves until ended.

It is a bare protocol, with its answers encoded beforehand: the less it costs, the more is seen of what is
measured. A request that asks for a stream gets EVENTS events in one go.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import cast

import httptools
import uvloop

EVENTS = 200
"""Events of a streamed answer, the end mark not counted."""


def _answer(kind: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n"
    return head % (kind, len(body)) + body


def _completion() -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
    said = {"id": "chatcmpl-instant", "object": "chat.completion", "created": 0, "model": "gpt-4o"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return _answer(b"application/json", json.dumps({**said, "choices": [choice], "usage": usage}).encode())


def _stream() -> bytes:
    said = {"id": "chatcmpl-instant", "object": "chat.completion.chunk", "created": 0, "model": "gpt-4o"}
    chunks = []
    for number in range(EVENTS):  # all of them different: LiteLLM's proxy takes repeated ones for a fault
        choice = {"index": 0, "delta": {"content": f" {number}"}, "finish_reason": None}
        event = b"data: " + json.dumps({**said, "choices": [choice]}).encode() + b"\n\n"
        chunks.append(b"%x\r\n%b\r\n" % (len(event), event))
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"".join(chunks) + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


COMPLETION, STREAM = _completion(), _stream()
_STREAM_MARKS = (b'"stream": true', b'"stream":true')


class InstantUpstream(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's do not subclass asyncio's
        self._parser = httptools.HttpRequestParser(self)
        self._is_streamed = False
        self._tail = b""

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    # Called by the parser.

    def on_body(self, body: bytes) -> None:
        seen = self._tail + body  # what is looked for may arrive in two pieces
        self._is_streamed = self._is_streamed or any(mark in seen for mark in _STREAM_MARKS)
        self._tail = seen[-len(_STREAM_MARKS[0]) :]

    def on_message_complete(self) -> None:
        self._transport.write(STREAM if self._is_streamed else COMPLETION)
        self._is_streamed, self._tail = False, b""


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

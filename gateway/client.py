"""The client's side of a request: its body, and its going away.

A body is streamed as it comes, or read whole when it is to be parsed and is not too large. A client that
closes its connection cancels what is done for it, whatever that is waiting for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from types import TracebackType

from starlette.types import Receive, Scope

from gateway.errors import ClientGone
from gateway.headers import values
from gateway.types import TellLeaving

READ_AHEAD = 64 * 1024
"""Bytes of an upload read ahead, so that a client's leaving is seen while the upstream takes nothing."""


def request_body(scope: Scope, receive: Receive) -> bytes | AsyncIterator[bytes]:
    """The body as it comes, unparsed and at flat memory; no bytes when the request has none."""
    headers = scope["headers"]
    has_body = values(headers, b"transfer-encoding") or any(
        length.strip(b"0 ") for length in values(headers, b"content-length")
    )
    return _arriving(receive) if has_body else b""


async def read_body(receive: Receive, limit: int) -> bytes | AsyncIterator[bytes]:
    """The whole body, or beyond `limit` bytes an iterator over all of it: what was read, then the rest.

    Raises ClientGone when the client leaves meanwhile.
    """
    body = bytearray()
    arriving = _arriving(receive)
    async for chunk in arriving:
        body += chunk
        if len(body) > limit:
            return _replayed(bytes(body), arriving)
    return bytes(body)


async def _arriving(receive: Receive) -> AsyncIterator[bytes]:
    has_more = True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone("the client left while its request was being read")
        has_more = message.get("more_body", False)
        if chunk := message.get("body", b""):
            yield chunk


async def _replayed(read: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield read
    del read  # or the part that was read would stay in memory for the whole upload
    async for chunk in rest:
        yield chunk


class ClientWatch:
    """Cancels the block it surrounds when the client leaves; the block then ends with ClientGone.

    While the watch lasts, it alone reads from the client: `body` is what the block sends on instead of the
    body given. ASGI reports a client's leaving only behind the bytes it sent before, so the watch reads up to
    READ_AHEAD bytes ahead. Where the server tells of it by itself (`tell_leaving`) and the body is here,
    nothing is read and no task is needed: 20 of the 300 µs of a small request.
    """

    def __init__(
        self,
        receive: Receive,
        body: bytes | AsyncIterator[bytes],
        tell_leaving: TellLeaving | None = None,
    ) -> None:
        self._receive = receive
        self._tell_leaving = tell_leaving if isinstance(body, bytes) else None
        self._arriving = None if isinstance(body, bytes) else body
        self._ahead = _ReadAhead()
        self.body: bytes | AsyncIterator[bytes] = body if isinstance(body, bytes) else self._ahead
        self._is_gone = False
        self._task: asyncio.Task[object]
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> ClientWatch:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        if self._tell_leaving is not None:
            if not self._tell_leaving(self._leave):
                raise ClientGone("the client left")
            return self
        self._watcher = asyncio.create_task(self._watch())
        self._watcher.add_done_callback(self._ahead.break_off)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        # As asyncio.timeout does: a cancellation by somebody else goes on as such.
        if self._is_gone and self._task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise ClientGone("the client left") from error

    def stop(self) -> None:
        """Watch no longer: the answer is on its way whole."""
        if self._tell_leaving is not None:
            self._tell_leaving(None)
        elif self._watcher is not None:
            self._watcher.cancel()

    async def _watch(self) -> None:
        try:
            if self._arriving is not None:
                await self._ahead.fill(self._arriving)
            while (await self._receive())["type"] != "http.disconnect":
                pass
        except ClientGone:
            pass
        self._leave()

    def _leave(self) -> None:
        self._is_gone = True
        self._task.cancel()


class _ReadAhead:
    """A body between its reader and its sender: at most READ_AHEAD bytes, one piece over."""

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._n_bytes = 0
        self._is_ended = False
        self._error: BaseException | None = None
        self._changed = asyncio.Event()

    async def fill(self, body: AsyncIterator[bytes]) -> None:
        async for chunk in body:
            self._chunks.append(chunk)
            self._n_bytes += len(chunk)
            self._changed.set()
            while self._n_bytes >= READ_AHEAD:
                await self._change()
        self._is_ended = True
        self._changed.set()

    def break_off(self, watcher: asyncio.Task[None]) -> None:
        """Nobody fills any more; if that was an error, the sender must not take the body for whole."""
        self._error = None if watcher.cancelled() else watcher.exception()
        self._changed.set()

    def __aiter__(self) -> _ReadAhead:
        return self

    async def __anext__(self) -> bytes:
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self._is_ended:
                raise StopAsyncIteration
            await self._change()
        chunk = self._chunks.popleft()
        self._n_bytes -= len(chunk)
        self._changed.set()
        return chunk

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

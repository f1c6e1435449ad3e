"""Two connections joined after a protocol switch: what one end sends the other receives, byte for byte.

Nothing is read into the bytes. Memory is bounded: an end that takes nothing stops the reading of the other.
The end of one direction is passed on as that (half-close), a break as a break. Closing never waits, and a
tunnel in which nothing moves for too long is broken off.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from gateway.types import RawHeaders, TakeOver

WEBSOCKET = b"websocket"
IDLE_S = 300.0


@dataclass(frozen=True, slots=True)
class Tunnel:
    """The client's half of a tunnel that the upstream may agree to."""

    take_over: TakeOver
    idle_s: float = IDLE_S

    async def join(self, upstream: TakeOver, head: bytes) -> bool:
        """Send `head` to the client, then pass bytes on until both ends are closed; whether in order.

        Whoever cancels breaks off both ends.
        """
        pair = _Pair(self.idle_s)
        try:
            pair.join(self.take_over, upstream, head)
            return await pair.ended
        finally:
            pair.break_off()


def switching_head(fields: RawHeaders) -> bytes:
    """The client's 101: `fields` behind a status line and the words on the switch."""
    own = [(b"connection", b"Upgrade"), (b"upgrade", WEBSOCKET)]
    lines = [b"%b: %b\r\n" % field for field in (*own, *fields)]
    return b"HTTP/1.1 101 Switching Protocols\r\n" + b"".join(lines) + b"\r\n"


class _Pair:
    """Both ends, and the clock of their silence."""

    def __init__(self, idle_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[bool] = self._loop.create_future()
        self._ends = (_End(self), _End(self))
        self._ends[0].peer, self._ends[1].peer = reversed(self._ends)
        self._idle_s = idle_s
        self._moved_at = self._loop.time()
        self._timer = self._loop.call_later(idle_s, self._look)

    def join(self, client: TakeOver, upstream: TakeOver, head: bytes) -> None:
        """What the upstream has sent by now comes behind `head`; what the client has, goes on at once."""
        ours, theirs = self._ends
        theirs.attach(upstream(theirs))
        transport = client(ours)
        transport.write(head)
        ours.attach(transport)
        for end in self._ends:
            end.look()

    def moved(self) -> None:
        """A byte came from either end."""
        self._moved_at = self._loop.time()

    def settle(self) -> None:
        """An end was heard out or lost: close both when no more can come, and say when both are lost."""
        if all(end.is_heard_out for end in self._ends):
            for end in self._ends:
                end.close()
        if all(end.is_lost for end in self._ends) and not self.ended.done():
            self.ended.set_result(not any(end.is_broken for end in self._ends))

    def break_off(self) -> None:
        """Drop both ends, and what was not delivered."""
        self._timer.cancel()
        for end in self._ends:
            end.abort()

    def _look(self) -> None:
        left_s = self._moved_at + self._idle_s - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._look)
        elif not self.ended.done():
            self.ended.set_result(False)


class _End(asyncio.Protocol):
    """One of the two connections: what comes from it goes to `peer`."""

    peer: _End

    def __init__(self, pair: _Pair) -> None:
        self._pair = pair
        self._transport: asyncio.Transport | None = None
        self._early: list[bytes] = []
        self.is_heard_out = False
        self.is_lost = False
        self.is_broken = False

    def attach(self, transport: asyncio.Transport) -> None:
        """From now on it can be written to; first what came too early for that."""
        self._transport = transport
        early, self._early = self._early, []
        for data in early:
            self.write(data)

    def look(self) -> None:
        """A connection that was lost before this protocol could be told is noticed here."""
        if self._open() is None:
            self.connection_lost(None)

    # Called by the event loop.

    def data_received(self, data: bytes) -> None:
        self._pair.moved()
        self.peer.write(data)

    def eof_received(self) -> bool:
        """Pass on that nothing more comes. Returns whether this connection can stay open for the rest."""
        self.is_heard_out = True
        self.peer.finish()
        self._pair.settle()
        return self._open() is not None and self.can_half_close

    def pause_writing(self) -> None:
        self.peer.pause()

    def resume_writing(self) -> None:
        self.peer.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.is_lost:
            return
        self.is_lost = self.is_heard_out = True
        self.is_broken = exc is not None
        if self.is_broken:
            self.peer.abort()
        else:
            self.peer.close()
        self._pair.settle()

    # Called by the other end.

    @property
    def can_half_close(self) -> bool:
        """TCP can, TLS cannot."""
        return self._transport is not None and self._transport.can_write_eof()

    def write(self, data: bytes) -> None:
        if self._transport is None:
            self._early.append(data)
        elif transport := self._open():
            transport.write(data)

    def finish(self) -> None:
        """Say that nothing more comes; where that cannot be said, close."""
        if self.can_half_close and (transport := self._open()):
            transport.write_eof()
        else:
            self.close()

    def pause(self) -> None:
        if transport := self._open():
            transport.pause_reading()

    def resume(self) -> None:
        if transport := self._open():
            transport.resume_reading()

    def close(self) -> None:
        """What was written still goes out."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _open(self) -> asyncio.Transport | None:
        is_open = self._transport is not None and not self._transport.is_closing()
        return self._transport if is_open else None

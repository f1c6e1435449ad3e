"""A tunnel's two ends on transports of the test's own: order, ends, back-pressure, silence."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.tunnel import Tunnel, switching_head
from gateway.types import TakeOver
from tests.gateway.pipeline import FastForward

HEAD = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


class Wire(asyncio.Transport):
    """A transport that notes what it is told, and the protocol it was handed to."""

    def __init__(self, *, is_tls: bool = False, is_lost: bool = False, held: bytes = b"") -> None:
        super().__init__()
        self.said: list[Any] = []
        self.protocol: asyncio.Protocol
        self._is_tls = is_tls
        self._is_closing = is_lost
        self._held = held

    def take_over(self, successor: asyncio.Protocol) -> asyncio.Transport:
        self.protocol = successor
        if self._held:
            successor.data_received(self._held)
        return self

    def can_write_eof(self) -> bool:
        return not self._is_tls

    def is_closing(self) -> bool:
        return self._is_closing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.said.append(bytes(data))

    def write_eof(self) -> None:
        self.said.append("eof")

    def pause_reading(self) -> None:
        self.said.append("pause")

    def resume_reading(self) -> None:
        self.said.append("resume")

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self.said.append("close")
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self.said.append("abort")
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def lose(self, error: Exception | None) -> None:
        self._is_closing = True
        self.protocol.connection_lost(error)


async def joined(client: Wire, upstream: Wire) -> asyncio.Task[bool]:
    tunnel: TakeOver = client.take_over
    task = asyncio.create_task(Tunnel(tunnel).join(upstream.take_over, HEAD))
    await asyncio.sleep(0)
    return task


async def test_what_came_too_early_waits_for_the_head() -> None:
    client, upstream = Wire(held=b"from the client"), Wire(held=b"from upstream")
    task = await joined(client, upstream)
    assert client.said == [HEAD, b"from upstream"]
    assert upstream.said == [b"from the client"]
    client.protocol.data_received(b"more")
    upstream.protocol.data_received(b"and more")
    assert (upstream.said[-1], client.said[-1]) == (b"more", b"and more")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (client.said[-1], upstream.said[-1]) == ("abort", "abort")


async def test_each_direction_ends_by_itself() -> None:
    client, upstream = Wire(), Wire()
    task = await joined(client, upstream)
    assert client.protocol.eof_received() is True
    assert upstream.said == ["eof"]
    upstream.protocol.data_received(b"the rest")
    assert client.said == [HEAD, b"the rest"]
    upstream.protocol.eof_received()
    assert client.said == [HEAD, b"the rest", "eof", "close"]
    assert await task is True


async def test_where_one_end_is_tls_an_end_is_the_end() -> None:
    client, upstream = Wire(), Wire(is_tls=True)
    task = await joined(client, upstream)
    client.protocol.eof_received()
    assert upstream.said == ["close"]
    assert await task is True
    client, upstream = Wire(), Wire(is_tls=True)
    task = await joined(client, upstream)
    assert not upstream.protocol.eof_received()  # the loop closes it then
    assert client.said == [HEAD, "eof"]
    upstream.lose(None)
    assert await task is True


@pytest.mark.parametrize("is_client", [True, False])
async def test_a_break_is_passed_on_as_one(is_client: bool) -> None:
    client, upstream = Wire(), Wire()
    task = await joined(client, upstream)
    lost, other = (client, upstream) if is_client else (upstream, client)
    lost.lose(ConnectionResetError())
    assert other.said[-1] == "abort"
    assert await task is False
    before = list(other.said)
    other.protocol.data_received(b"too late")
    lost.protocol.data_received(b"too late")
    assert (other.said, lost.said[-1:]) == (before, lost.said[-1:])


@pytest.mark.parametrize("is_client", [True, False])
async def test_an_end_lost_before_it_could_be_told_ends_the_other(is_client: bool) -> None:
    client, upstream = Wire(is_lost=is_client), Wire(is_lost=not is_client)
    task = await joined(client, upstream)
    assert (upstream if is_client else client).said[-1] == "close"
    assert await task is True


async def test_an_end_that_takes_nothing_stops_the_other() -> None:
    client, upstream = Wire(), Wire()
    task = await joined(client, upstream)
    client.protocol.pause_writing()
    client.protocol.resume_writing()
    assert upstream.said == ["pause", "resume"]
    upstream.close()
    client.protocol.pause_writing()
    client.protocol.resume_writing()
    assert upstream.said == ["pause", "resume", "close"]
    assert await task is True


def test_silence_ends_it_and_any_byte_of_either_end_is_none() -> None:
    loop = FastForward()

    async def scenario() -> tuple[float, bool]:
        client, upstream = Wire(), Wire()
        task = asyncio.create_task(Tunnel(client.take_over, idle_s=10).join(upstream.take_over, HEAD))
        for wire in (client, upstream):
            passed = loop.create_future()
            loop.call_later(9, passed.set_result, None)
            await passed
            wire.protocol.data_received(b"a")
        is_complete = await task
        assert (client.said[-1], upstream.said[-1]) == ("abort", "abort")
        return loop.now, is_complete

    try:
        assert loop.run_until_complete(scenario()) == (28, False)
    finally:
        loop.close()


def test_the_head_says_what_was_agreed_on() -> None:
    assert switching_head([(b"Sec-WebSocket-Accept", b"x"), (b"x-pith-id", b"1")]) == (
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
        b"Sec-WebSocket-Accept: x\r\nx-pith-id: 1\r\n\r\n"
    )

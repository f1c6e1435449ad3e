"""A connection between a transport and applications of the test's own: what is written when, what is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from gateway.downstream.connection import HIGH_WATER, ClientConnection, Serving
from gateway.downstream.scope import extension_of
from gateway.downstream.silence import Limits
from gateway.draining import Draining

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
LIMITS = Limits(header_read_s=1, body_read_s=1, write_stall_s=1, idle_s=1, linger_s=1)


class Wire(asyncio.Transport):
    """A transport that keeps what is written, and pretends to have `n_unsent` bytes of it left."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.n_unsent = 0
        self.events: list[str] = []
        self.is_closed = False
        self.protocol: asyncio.BaseProtocol | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return self.n_unsent

    def is_closing(self) -> bool:
        return self.is_closed

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.events.append("eof")

    def close(self) -> None:
        self.events.append("close")
        self.is_closed = True

    def abort(self) -> None:
        self.events.append("abort")
        self.is_closed = True

    def pause_reading(self) -> None:
        self.events.append("pause")

    def resume_reading(self) -> None:
        self.events.append("resume")

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol


async def settled() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


class Client:
    """One connection and the wire under it."""

    def __init__(self, app: ASGIApp, draining: Draining) -> None:
        config = uvicorn.Config(app, log_config=None, interface="asgi3", lifespan="off")
        config.load()
        self.state = ServerState()
        self.draining = draining
        serving = Serving(LIMITS, draining)
        self.connection = ClientConnection(config, self.state, {}, serving=serving)
        self.wire = Wire()
        self.connection.connection_made(self.wire)

    async def send(self, data: bytes) -> None:
        self.connection.data_received(data)
        await settled()

    def look(self, *seconds: float) -> None:
        for second in seconds:
            self.connection.look(second)


@pytest.fixture
async def make() -> AsyncIterator[Callable[[ASGIApp], Client]]:
    clients: list[Client] = []

    def made(app: ASGIApp) -> Client:
        clients.append(Client(app, Draining()))
        return clients[-1]

    yield made
    for client in clients:
        client.connection.connection_lost(None)
        for task in list(client.state.tasks):
            task.cancel()
    await settled()


Make = Callable[[ASGIApp], Client]


async def ok(scope: Scope, receive: Receive, send: Send) -> None:
    await start(send, (b"content-length", b"2"))
    await send({"type": "http.response.body", "body": b"ok"})


async def start(send: Send, *headers: tuple[bytes, bytes], status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


def after(event: asyncio.Event, app: ASGIApp) -> ASGIApp:
    async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
        await event.wait()
        await app(scope, receive, send)

    return waiting


class TestAnswers:
    async def test_come_in_order_one_at_a_time(self, make: Make) -> None:
        go_on = asyncio.Event()
        client = make(after(go_on, ok))
        await client.send(GET * 3)
        assert (client.wire.written, client.wire.events) == (b"", ["pause"]), "nothing is read meanwhile"
        assert len(client.state.tasks) == 1
        go_on.set()
        await settled()
        assert (client.wire.written, client.wire.events) == (OK * 3, ["pause", "resume"])
        assert client.state.total_requests == 3

    async def test_say_close_once_the_server_is_draining(self, make: Make) -> None:
        client = make(ok)
        client.draining.is_on = True
        await client.send(GET)
        assert b"connection: close\r\n" in client.wire.written
        assert client.wire.events == ["close"]

    @pytest.mark.parametrize(
        "headers",
        [((b"x", b"a\r\nb: c"),), ((b"x\n", b"a"),), ((b"x", b"a\0"),)],
    )
    async def test_with_a_line_break_in_a_field_are_not_written(
        self, make: Make, headers: tuple[tuple[bytes, bytes], ...]
    ) -> None:
        client = make(lambda scope, receive, send: start(send, *headers))
        await client.send(GET)
        assert client.wire.written.startswith(b"HTTP/1.1 500 ")
        assert b"b: c" not in client.wire.written

    @pytest.mark.parametrize("body", [b"o", b"okay"])
    async def test_of_another_length_than_said_break_off(self, make: Make, body: bytes) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await start(send, (b"content-length", b"2"))
            await send({"type": "http.response.body", "body": body})

        client = make(app)
        await client.send(GET)
        assert client.wire.events == ["close"]
        assert not client.wire.written.endswith(body)

    async def test_that_never_begin_are_an_error_of_ours_or_a_break(self, make: Make) -> None:
        async def fails(scope: Scope, receive: Receive, send: Send) -> None:
            raise LookupError("a secret")

        async def does_nothing(scope: Scope, receive: Receive, send: Send) -> None: ...

        failed, silent = make(fails), make(does_nothing)
        await failed.send(GET)
        await silent.send(GET)
        assert b'"internal_error"' in failed.wire.written
        assert b"secret" not in failed.wire.written
        assert (silent.wire.written, silent.wire.events) == (b"", ["close"])

    async def test_out_of_turn_are_refused(self, make: Make) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await ok(scope, receive, send)
            await send({"type": "http.response.body", "body": b"more"})

        client = make(app)
        await client.send(GET)
        assert client.wire.written == OK

    async def test_wait_for_room(self, make: Make) -> None:
        client = make(ok)
        client.connection.pause_writing()
        await client.send(GET)
        assert client.wire.written == OK[:-2]
        client.connection.resume_writing()
        await settled()
        assert client.wire.written == OK


class TestBodies:
    async def test_are_not_read_ahead_of_who_takes_them(self, make: Make) -> None:
        go_on, taken = asyncio.Event(), []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await go_on.wait()
            has_more = True
            while has_more:
                message = await receive()
                taken.append(message["body"])
                has_more = message["more_body"]
            await ok(scope, receive, send)

        client = make(app)
        await client.send(POST % (HIGH_WATER + 5) + bytes(HIGH_WATER))
        assert client.wire.events == []
        await client.send(b"abcde"[:1])
        assert client.wire.events == ["pause"]
        go_on.set()
        await settled()
        assert client.wire.events == ["pause", "resume"]
        await client.send(b"bcde")
        assert b"".join(taken) == bytes(HIGH_WATER) + b"abcde"
        assert client.wire.written == OK

    async def test_of_requests_answered_early_are_dropped(self, make: Make) -> None:
        client = make(ok)
        await client.send(POST % 10)
        assert client.wire.written == OK
        await client.send(b"0123456789" + GET)
        assert (client.wire.written, client.wire.events) == (OK * 2, [])

    async def test_that_wait_when_the_answer_is_given_hold_nothing_up(self, make: Make) -> None:
        client = make(ok)
        n_bytes = 4 * HIGH_WATER
        await client.send(POST % n_bytes + bytes(2 * HIGH_WATER))  # more than is read ahead, with its head
        assert (client.wire.written, client.wire.events) == (OK, ["pause", "resume"])
        await client.send(bytes(2 * HIGH_WATER) + GET)
        assert client.wire.written == OK * 2

    async def test_nobody_was_told_to_send_make_the_answer_the_last(self, make: Make) -> None:
        client = make(ok)
        await client.send((POST % 10).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        assert b"connection: close\r\n" in client.wire.written
        assert b"100 Continue" not in client.wire.written
        await client.send(GET)
        assert client.wire.written.count(b"HTTP/1.1") == 1

    async def test_end_the_connection_if_they_break_behind_their_answer(self, make: Make) -> None:
        client = make(ok)
        await client.send((POST % 10).replace(b"Content-Length: 10", b"Transfer-Encoding: chunked"))
        await client.send(b"zz\r\n" + GET)
        assert (client.wire.written, client.wire.events) == (OK, ["close"])


class TestRefusals:
    async def test_leave_time_to_read_the_answer(self, make: Make) -> None:
        client = make(ok)
        await client.send(b"FOO / HTTP/1.1\r\n\r\n")
        assert client.wire.written.startswith(b"HTTP/1.1 501 ")
        assert client.wire.events == ["eof"]
        await client.send(GET * 100)
        assert client.wire.written.count(b"HTTP/1.1") == 1
        client.look(10.0, 11.0)
        assert client.wire.events == ["eof", "abort"]

    async def test_of_a_head_request_have_no_body(self, make: Make) -> None:
        client = make(ok)
        await client.send(GET.replace(b"GET", b"HEAD").replace(b"Host: a", b"X: a"))
        assert client.wire.written.startswith(b"HTTP/1.1 400 ")
        assert client.wire.written.endswith(b"\r\n\r\n")


class TestSilence:
    async def test_of_one_who_takes_nothing(self, make: Make) -> None:
        """Also of what was written whole and is nobody's business any more."""
        client = make(ok)
        await client.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        client.wire.n_unsent = 100
        client.look(10.0, 10.9)
        client.wire.n_unsent = 99
        client.look(11.1, 12.0)
        assert client.wire.events == ["close"]
        client.look(12.1)
        assert client.wire.events == ["close", "abort"]

    async def test_amid_a_body_that_was_answered(self, make: Make) -> None:
        client = make(ok)
        await client.send(POST % 10 + b"abc")
        client.look(10.0, 11.0)
        assert client.wire.events == ["abort"]

    async def test_of_ours_is_nobodys(self, make: Make) -> None:
        client = make(after(asyncio.Event(), ok))
        await client.send(GET + GET[:10])
        client.look(10.0, 1000.0)
        assert (client.wire.written, client.wire.events) == (b"", [])


class TestTakingOver:
    OFFER = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

    async def test_begins_with_what_came_behind_the_request(self, make: Make) -> None:
        got: list[bytes] = []
        go_on, end = asyncio.Event(), asyncio.Event()

        class Successor(asyncio.Protocol):
            def data_received(self, data: bytes) -> None:
                got.append(data)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await go_on.wait()
            take_over = extension_of(scope).take_over
            assert take_over is not None
            transport = take_over(Successor())
            transport.write(b"101")
            await end.wait()

        client = make(app)
        await client.send(self.OFFER + b"early")
        await client.send(bytes(HIGH_WATER))
        assert (got, client.wire.events) == ([], ["pause"]), "held back, and bounded"
        go_on.set()
        await settled()
        assert (b"".join(got), client.wire.events) == (b"early" + bytes(HIGH_WATER), ["pause", "resume"])
        assert isinstance(client.wire.protocol, Successor)
        assert client.connection not in cast(set[object], client.state.connections)
        end.set()
        await settled()
        assert (client.wire.written, client.wire.is_closed) == (b"101", False), (
            "it is the successor's to close"
        )

    async def test_is_offered_for_nothing_else(self, make: Make) -> None:
        offered: list[bool] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            offered.append(extension_of(scope).take_over is not None)
            await ok(scope, receive, send)

        client = make(app)
        await client.send(GET + self.OFFER.replace(b"websocket", b"h2c") + self.OFFER)
        assert offered == [False, False, True]
        assert client.wire.events[-1] == "close"


async def test_a_client_that_goes_is_told_to_whoever_waits(make: Make) -> None:
    heard: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        heard.append((await receive())["type"])
        heard.append((await receive())["type"])
        await ok(scope, receive, send)

    client = make(app)
    await client.send(GET + GET)
    client.connection.connection_lost(None)
    await settled()
    assert heard == ["http.request", "http.disconnect"]
    assert client.wire.written == b""
    assert client.state.tasks == set()

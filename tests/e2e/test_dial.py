"""Connecting over real sockets: which addresses, how often, how soon again; and how much at once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from gateway.errors import UpstreamBusy, UpstreamError, UpstreamTimeout
from gateway.types import UpstreamRequest
from gateway.upstreams.addresses import read_network
from gateway.upstreams.dial import STAGGER_S, Dialer, Limits
from gateway.upstreams.exchange import Timeouts
from gateway.upstreams.http import HttpUpstream
from gateway.upstreams.origin import parse_origin
from tests.e2e.scripted_upstream import PATIENCE_S, ScriptedUpstream
from tests.e2e.test_http_upstream import AT_ONCE, OK, begun, get, read


class Resolving(asyncio.SelectorEventLoop):
    """An event loop whose resolver says what a test wants; it notes what it was asked and connected to."""

    def __init__(self, *answers: list[str]) -> None:
        super().__init__()
        self.answers = list(answers)
        self.asked: list[str] = []
        self.connected: list[str] = []

    async def getaddrinfo(self, host: Any, port: Any, **hints: Any) -> Any:
        try:
            return await super().getaddrinfo(host, port, **{**hints, "flags": socket.AI_NUMERICHOST})
        except socket.gaierror:  # no literal: a name
            self.asked.append(host)
            addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            return [
                (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
                for one in addresses
            ]

    async def sock_connect(self, sock: Any, address: Any) -> None:
        self.connected.append(address[0])
        if address[0] == "127.0.0.9":  # a black hole
            await asyncio.Event().wait()
        if address[0] == "127.0.0.8":  # connects when nobody waits for it any more
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        await super().sock_connect(sock, address)


def dialer(port: int, clock: Any = lambda: 0.0, **limits: Any) -> Dialer:
    origin = parse_origin(f"http://models.example:{port}")
    return Dialer(origin, name="it", tls=None, connect_s=PATIENCE_S, limits=Limits(**limits), clock=clock)


def run(loop: Resolving, dial: Dialer) -> None:
    async def connect() -> None:
        (await dial.open()).abort()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(connect())


@pytest.fixture
def listening() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


METADATA = ["169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1"]


class TestAddresses:
    @pytest.mark.parametrize("address", METADATA)
    def test_a_name_that_means_one_nobody_is_forwarded_to(self, address: str) -> None:
        loop = Resolving([address])
        with pytest.raises(
            UpstreamError, match=r"upstream 'it' cannot be reached: .* allow_addresses"
        ) as caught:
            run(loop, dialer(80))
        assert loop.connected == []
        assert address not in str(caught.value)

    def test_each_connect_looks_anew(self, listening: int) -> None:
        loop = Resolving(["127.0.0.1"], ["169.254.169.254"])
        dial = dialer(listening)

        async def connect_twice() -> None:
            (await dial.open()).abort()
            with pytest.raises(UpstreamError):
                await dial.open()

        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(connect_twice())
        assert loop.connected == ["127.0.0.1"]

    def test_what_is_connected_to_is_what_was_checked(self, listening: int) -> None:
        loop = Resolving(["127.0.0.1"], ["169.254.169.254"])  # a second question would get another answer
        run(loop, dialer(listening))
        assert (loop.asked, loop.connected) == (["models.example"], ["127.0.0.1"])

    def test_a_refused_one_among_others_is_passed_over(self, listening: int) -> None:
        loop = Resolving(["169.254.169.254", "127.0.0.1"])
        run(loop, dialer(listening))
        assert loop.connected == ["127.0.0.1"]

    def test_one_that_the_configuration_names_is_connected_to(self) -> None:
        loop = Resolving(
            ["0.0.0.0"]
        )  # which Linux takes for itself: the one of the table that can answer here
        with socket.create_server(("0.0.0.0", 0)) as server:
            run(loop, dialer(server.getsockname()[1], allow_addresses=(read_network("0.0.0.0"),)))
        assert loop.connected == ["0.0.0.0"]


class TestSeveralAddresses:
    def test_the_next_is_tried_when_one_refuses(self, listening: int) -> None:
        loop = Resolving(["127.0.0.2", "127.0.0.3", "127.0.0.1"])
        run(loop, dialer(listening))
        assert loop.connected == ["127.0.0.2", "127.0.0.3", "127.0.0.1"]

    def test_the_next_is_tried_beside_one_that_is_silent(self, listening: int) -> None:
        loop = Resolving(["127.0.0.9", "127.0.0.1"])
        began = loop.time()
        run(loop, dialer(listening))
        assert loop.connected == ["127.0.0.9", "127.0.0.1"]
        assert STAGGER_S <= loop.time() - began < PATIENCE_S / 2

    def test_all_refusing_is_one_failure(self, unused_tcp_port: int) -> None:
        loop = Resolving(["127.0.0.1", "127.0.0.2"])
        with pytest.raises(UpstreamError, match="connection refused"):
            run(loop, dialer(unused_tcp_port))

    def test_one_that_connects_too_late_is_closed(self) -> None:
        loop = Resolving(["127.0.0.8", "127.0.0.1"])

        async def connect(server: socket.socket) -> None:
            connection = await dialer(server.getsockname()[1]).open()
            first, _ = await loop.sock_accept(server)
            late, _ = await loop.sock_accept(server)
            async with asyncio.timeout(PATIENCE_S):
                assert await loop.sock_recv(late, 1) == b""
            assert connection.is_open
            connection.abort()
            first.close()
            late.close()

        with socket.create_server(("0.0.0.0", 0)) as server:
            server.setblocking(False)
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(connect(server))
        assert loop.connected == ["127.0.0.8", "127.0.0.1"]

    def test_the_slower_one_leaves_nothing_behind(self, listening: int) -> None:
        loop = Resolving(["127.0.0.9", "127.0.0.1"])

        async def connect() -> set[asyncio.Task[Any]]:
            (await dialer(listening).open()).abort()
            left = asyncio.all_tasks() - {asyncio.current_task()}
            if left:
                await asyncio.wait(left, timeout=PATIENCE_S)
            return {task for task in left if not task.cancelled()}

        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            assert runner.run(connect()) == set()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class TestBreaker:
    def test_connects_that_fail_open_it_and_one_that_works_closes_it(self, unused_tcp_port: int) -> None:
        loop, clock = Resolving(["127.0.0.1"]), Clock()
        dial = dialer(unused_tcp_port, clock)

        async def scenario() -> None:
            for _ in range(5):
                with pytest.raises(UpstreamError, match="connection refused"):
                    await dial.open()
            with pytest.raises(
                UpstreamError,
                match=r"several times in a row, .* connection refused\. The next attempt is in 5 s",
            ) as caught:
                await dial.open()
            assert (caught.value.status, caught.value.code) == (502, "upstream_unavailable")
            assert caught.value.retry_after_s == 5
            assert len(loop.connected) == 5
            clock.now += 5
            with socket.create_server(("127.0.0.1", unused_tcp_port)):
                (await dial.open()).abort()
                (await dial.open()).abort()
            assert dial.breaker.state == "closed"

        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(scenario())

    def test_while_it_is_open_nothing_is_retried(self) -> None:
        loop = Resolving(["127.0.0.1"])
        dial = dialer(80, connect_retries=5)
        for _ in range(5):
            dial.breaker.failed()
        with pytest.raises(UpstreamError, match="in a row"):
            run(loop, dial)
        assert loop.connected == []
        assert [dial.budget.take() for _ in range(4)] == [True, True, True, False]

    async def test_connections_that_are_open_go_on(self, upstream: ScriptedUpstream) -> None:
        client = HttpUpstream(upstream.url, name="scripted")
        response, peer = await begun(client, upstream, OK)
        await read(response)
        for _ in range(5):
            client._dialer.breaker.failed()
        sending = asyncio.create_task(client.send(get()))
        await peer.head()
        await peer.send(OK)
        assert await read(await sending) == b"ok"
        with pytest.raises(UpstreamError, match="in a row"):
            await asyncio.gather(client.send(get()), client.send(get()))
        await client.aclose()

    def test_connects_that_time_out_open_it_too(self) -> None:
        loop = Resolving(["127.0.0.9"])
        dial = Dialer(
            parse_origin("http://models.example"), name="it", tls=None, connect_s=AT_ONCE, limits=Limits()
        )

        async def scenario() -> None:
            for _ in range(5):
                with pytest.raises(UpstreamTimeout, match=r"took no connection within 0\.01 s"):
                    await dial.open()
            assert dial.breaker.state == "open"

        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(scenario())

    def test_callers_that_leave_say_nothing_about_the_upstream(self) -> None:
        loop = Resolving(["127.0.0.9"])
        dial = dialer(80)

        async def scenario() -> None:
            for _ in range(6):
                opening = asyncio.create_task(dial.open())
                await asyncio.sleep(0)
                opening.cancel()
                await asyncio.wait([opening])
            assert dial.breaker.state == "closed"

        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(scenario())


class TestRetries:
    def test_none_by_default(self, unused_tcp_port: int) -> None:
        loop = Resolving(["127.0.0.1"])
        with pytest.raises(UpstreamError):
            run(loop, dialer(unused_tcp_port))
        assert len(loop.connected) == 1

    def test_a_failed_connect_is_tried_again_as_often_as_set(self, unused_tcp_port: int) -> None:
        loop = Resolving(["127.0.0.1"])
        with pytest.raises(UpstreamError):
            run(loop, dialer(unused_tcp_port, connect_retries=2))
        assert len(loop.connected) == 3

    def test_within_the_budget_of_all_requests(self, unused_tcp_port: int) -> None:
        loop = Resolving(["127.0.0.1"])
        dial = dialer(unused_tcp_port, connect_retries=5, retry_budget=0.0)
        with pytest.raises(UpstreamError):
            run(loop, dial)
        assert len(loop.connected) == 1

    async def test_every_request_pays_in_its_share(self, upstream: ScriptedUpstream) -> None:
        limits = Limits(retry_budget=1.0)
        client = HttpUpstream(upstream.url, name="scripted", limits=limits)
        while client._dialer.budget.take():
            pass
        response, peer = await begun(client, upstream, OK)
        await read(response)
        sending = asyncio.create_task(client.send(get()))  # on the kept connection
        await peer.head()
        await peer.send(OK)
        await read(await sending)
        assert [client._dialer.budget.take() for _ in range(3)] == [True, True, False]
        await client.aclose()


@asynccontextmanager
async def opened(scripted: ScriptedUpstream, **limits: Any) -> AsyncIterator[HttpUpstream]:
    timeouts = Timeouts(queue_s=AT_ONCE)
    client = HttpUpstream(scripted.url, name="scripted", timeouts=timeouts, limits=Limits(**limits))
    yield client
    await client.aclose()


class TestInFlight:
    async def test_over_the_limit_a_request_is_told_to_come_again(self, upstream: ScriptedUpstream) -> None:
        async with opened(upstream, max_in_flight=1) as client:
            response, _ = await begun(client, upstream, OK[:-1])
            with pytest.raises(
                UpstreamBusy, match=r"'scripted' has 1 requests under way.* 0\.01 s"
            ) as caught:
                await client.send(get())
            assert (caught.value.status, caught.value.code) == (503, "upstream_busy")
            assert caught.value.retry_after_s == 1
            await response.aclose()
            assert client.n_in_flight == 0

    async def test_a_turn_that_comes_free_is_taken(self, upstream: ScriptedUpstream) -> None:
        client = HttpUpstream(upstream.url, name="scripted", limits=Limits(max_in_flight=1))
        response, peer = await begun(client, upstream, OK)
        waiting = [asyncio.create_task(client.send(get())) for _ in range(3)]
        await asyncio.sleep(0)
        assert client.n_in_flight == 1
        waiting[0].cancel()  # one that leaves the queue takes no turn with it
        await read(response)
        for task in waiting[1:]:
            await peer.head()
            assert client.n_in_flight == 1
            await peer.send(OK)
            assert await read(await task) == b"ok"
        assert client.n_in_flight == 0
        await client.aclose()

    async def test_no_failure_keeps_a_turn(self, unused_tcp_port: int, upstream: ScriptedUpstream) -> None:
        shut = HttpUpstream(f"http://127.0.0.1:{unused_tcp_port}", limits=Limits(max_in_flight=1))
        for _ in range(3):
            with pytest.raises(UpstreamError):
                await shut.send(get())
        assert shut.n_in_flight == 0
        async with opened(upstream, max_in_flight=1) as client:
            for patience in range(30):
                sending = asyncio.create_task(client.send(get()))
                for _ in range(patience):
                    await asyncio.sleep(0)
                sending.cancel()
                await asyncio.wait([sending])
                assert client.n_in_flight == 0


class TestStaleConnections:
    """The upstream closes a kept connection when a request is on its way."""

    async def kept(self, client: HttpUpstream, upstream: ScriptedUpstream) -> Any:
        response, peer = await begun(client, upstream, OK)
        await read(response)
        return peer

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
    async def test_a_request_that_may_be_repeated_is_sent_again_once(
        self, upstream: ScriptedUpstream, method: str
    ) -> None:
        async with opened(upstream) as client:
            peer = await self.kept(client, upstream)
            sending = asyncio.create_task(client.send(UpstreamRequest(method, b"/v1/x", [], b"")))
            await peer.head()
            peer.close()
            second = await upstream.accept()
            assert (await second.head()).start_line.startswith(method.encode())
            second.close()  # not a kept one: nothing is sent a third time
            with pytest.raises(UpstreamError, match="gave no answer"):
                await sending
            assert (upstream.n_connections, client.n_in_flight) == (2, 0)

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    async def test_any_other_is_not(self, upstream: ScriptedUpstream, method: str) -> None:
        async with opened(upstream) as client:
            peer = await self.kept(client, upstream)
            sending = asyncio.create_task(client.send(UpstreamRequest(method, b"/v1/x", [], b"{}")))
            await peer.answer()
            peer.close()
            with pytest.raises(UpstreamError, match="gave no answer"):
                await sending
            assert (upstream.n_connections, client.n_in_flight) == (1, 0)

    async def test_nor_one_whose_answer_had_begun(self, upstream: ScriptedUpstream) -> None:
        async with opened(upstream) as client:
            peer = await self.kept(client, upstream)
            sending = asyncio.create_task(client.send(get()))
            await peer.head()
            await peer.send(b"H")
            peer.close()
            with pytest.raises(UpstreamError, match="gave no answer"):
                await sending
            assert upstream.n_connections == 1

    async def test_nor_one_with_an_upload(self, upstream: ScriptedUpstream) -> None:
        async def body() -> AsyncIterator[bytes]:
            yield b"a"

        async with opened(upstream) as client:
            peer = await self.kept(client, upstream)
            sending = asyncio.create_task(client.send(UpstreamRequest("GET", b"/", [], body())))
            await peer.head()
            peer.close()
            with pytest.raises(UpstreamError):
                await sending
            assert upstream.n_connections == 1

    async def test_one_that_is_closed_already_is_not_used_even_by_a_post(
        self, upstream: ScriptedUpstream
    ) -> None:
        async with opened(upstream) as client:
            peer = await self.kept(client, upstream)
            _close_unseen(peer)
            sending = asyncio.create_task(client.send(UpstreamRequest("POST", b"/", [], b"{}")))
            second = await upstream.accept()
            assert (await second.answer())[1] == b"{}"
            await second.send(OK)
            assert await read(await sending) == b"ok"


def _close_unseen(peer: Any) -> None:
    """Close the upstream's end at once, so that the event loop has had no turn to notice."""
    peer._writer.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

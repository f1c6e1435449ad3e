"""The upstream client over real sockets: limits, keys, kept connections, cancellation, TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.errors import UpstreamBroken, UpstreamError, UpstreamTimeout
from gateway.types import RawHeaders, UpstreamRequest, UpstreamResponse
from gateway.upstreams.exchange import Timeouts
from gateway.upstreams.http import MAX_IDLE, HttpUpstream
from tests.e2e.scripted_upstream import Peer, ScriptedUpstream

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
AT_ONCE = 0.01
"""A limit to run into."""


def get(headers: RawHeaders | None = None) -> UpstreamRequest:
    return UpstreamRequest("GET", b"/v1/x", headers or [], b"")


async def read(response: UpstreamResponse) -> bytes:
    try:
        return b"".join([chunk async for chunk in response.body])
    finally:
        await response.aclose()


@asynccontextmanager
async def opened(scripted: ScriptedUpstream, **settings: object) -> AsyncIterator[HttpUpstream]:
    upstream = HttpUpstream(scripted.url, name="scripted", **settings)  # type: ignore[arg-type]  # the test's own
    yield upstream
    await upstream.aclose()


async def begun(
    client: HttpUpstream, scripted: ScriptedUpstream, answer: bytes
) -> tuple[UpstreamResponse, Peer]:
    """A request whose answer has begun with the bytes `answer`."""
    sending = asyncio.create_task(client.send(get()))
    peer = await scripted.accept()
    await peer.head()
    await peer.send(answer)
    return await sending, peer


class TestTimeouts:
    async def test_no_answer(self, upstream: ScriptedUpstream) -> None:
        async with opened(upstream, timeouts=Timeouts(first_byte_s=AT_ONCE)) as client:
            with pytest.raises(UpstreamTimeout, match=r"'scripted' was silent for 0\.01 s"):
                await client.send(get())
            await (await upstream.accept()).until_closed()

    async def test_the_clock_of_the_answer_starts_when_the_request_is_sent(
        self, upstream: ScriptedUpstream
    ) -> None:
        may_end = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            yield b"a"
            await may_end.wait()

        async with opened(upstream, timeouts=Timeouts(first_byte_s=AT_ONCE)) as client:
            sending = asyncio.create_task(client.send(UpstreamRequest("POST", b"/", [], body())))
            peer = await upstream.accept()
            await peer.head()
            done, _ = await asyncio.wait([sending], timeout=5 * AT_ONCE)
            assert not done
            may_end.set()
            with pytest.raises(UpstreamTimeout):
                await sending

    async def test_silence_amid_the_answer_is_a_break(self, upstream: ScriptedUpstream) -> None:
        async with opened(upstream, timeouts=Timeouts(idle_s=AT_ONCE)) as client:
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"
            response, peer = await begun(client, upstream, answer)
            assert await anext(response.body) == b"abc"
            with pytest.raises(UpstreamBroken, match="silent"):
                await anext(response.body)
            await response.aclose()
            await peer.until_closed()

    async def test_no_connection(self, upstream: ScriptedUpstream) -> None:
        url = upstream.url.replace("http:", "https:")  # it takes the connection, but never shakes hands
        client = HttpUpstream(url, name="mute", timeouts=Timeouts(connect_s=AT_ONCE))
        with pytest.raises(UpstreamTimeout, match=r"'mute' took no connection within 0\.01 s"):
            await client.send(get())

    async def test_an_upload_nobody_takes(self, upstream: ScriptedUpstream) -> None:
        async def endless() -> AsyncIterator[bytes]:
            while True:
                yield bytes(1 << 20)

        async with opened(upstream, timeouts=Timeouts(idle_s=AT_ONCE)) as client:
            with pytest.raises(UpstreamTimeout):
                await client.send(UpstreamRequest("POST", b"/", [], endless()))

    async def test_a_name_that_does_not_resolve(self) -> None:
        client = HttpUpstream("http://nowhere.invalid", name="lost")
        with pytest.raises(UpstreamError, match="'lost' cannot be reached: its name does not resolve"):
            await client.send(get())


class TestKey:
    async def test_reaches_the_upstream_instead_of_the_clients(self, upstream: ScriptedUpstream) -> None:
        async with opened(upstream, key="sk-ours") as client:
            sending = asyncio.create_task(client.send(get([(b"authorization", b"Bearer sk-theirs")])))
            peer = await upstream.accept()
            assert (await peer.head()).fields[1:] == [(b"authorization", b"Bearer sk-ours")]
            await peer.send(OK)
            assert await read(await sending) == b"ok"

    async def test_no_error_names_it(self, unused_tcp_port: int) -> None:
        client = HttpUpstream(f"http://127.0.0.1:{unused_tcp_port}", "sk-secret", name="shut")
        with pytest.raises(UpstreamError) as caught:
            await client.send(get())
        assert str(caught.value) == "upstream 'shut' cannot be reached: connection refused"


class TestBodies:
    async def test_bytes_get_their_own_length_in_the_place_of_the_clients(
        self, upstream: ScriptedUpstream
    ) -> None:
        async with opened(upstream) as client:
            headers = [(b"Content-Length", b"999"), (b"x-a", b"1")]
            sending = asyncio.create_task(client.send(UpstreamRequest("POST", b"/", headers, b"shorter")))
            peer = await upstream.accept()
            head, body = await peer.answer()
            assert head.fields[1:] == [(b"Content-Length", b"7"), (b"x-a", b"1")]
            assert body == b"shorter"
            await peer.send(OK)
            await read(await sending)

    async def test_long_bytes_arrive_whole(self, upstream: ScriptedUpstream) -> None:
        async with opened(upstream) as client:
            whole = bytes(range(256)) * 10_000
            sending = asyncio.create_task(client.send(UpstreamRequest("POST", b"/", [], whole)))
            peer = await upstream.accept()
            assert (await peer.answer())[1] == whole
            await peer.send(OK)
            await read(await sending)

    async def test_what_goes_wrong_in_the_body_is_raised_as_it_is(self, upstream: ScriptedUpstream) -> None:
        class OutOfBytes(Exception): ...

        async def body() -> AsyncIterator[bytes]:
            yield b"a"
            yield b""
            raise OutOfBytes

        async with opened(upstream) as client:
            with pytest.raises(OutOfBytes):
                await client.send(UpstreamRequest("POST", b"/", [], body()))
            peer = await upstream.accept()
            await peer.head()
            assert await peer.until_closed() in {b"", b"1\r\na\r\n"}  # and no last chunk

    async def test_a_line_break_in_a_field_is_never_sent(self, upstream: ScriptedUpstream) -> None:
        async with opened(upstream) as client:
            with pytest.raises(UpstreamError, match="line break"):
                await client.send(get([(b"x-a", b"1\r\nx-b: 2")]))
            assert upstream.n_connections == 0


class TestConnections:
    async def test_two_answers_at_once_leave_no_trust(self, upstream: ScriptedUpstream) -> None:
        async with opened(upstream) as client:
            response, peer = await begun(client, upstream, OK + OK)
            assert await read(response) == b"ok"
            await peer.until_closed()

    async def test_bytes_while_idle_leave_no_trust(self, upstream: ScriptedUpstream) -> None:
        async with opened(upstream) as client:
            response, peer = await begun(client, upstream, OK)
            assert await read(response) == b"ok"
            await peer.send(OK)
            await peer.until_closed()
            second, _ = await begun(client, upstream, OK)
            assert await read(second) == b"ok"

    async def test_an_idle_connection_is_closed_in_time(self, upstream: ScriptedUpstream) -> None:
        async with opened(upstream, timeouts=Timeouts(keep_s=AT_ONCE)) as client:
            response, peer = await begun(client, upstream, OK)
            await read(response)
            assert await peer.until_closed() == b""

    async def test_an_answer_not_read_to_its_end_closes_its_connection(
        self, upstream: ScriptedUpstream
    ) -> None:
        async with opened(upstream) as client:
            response, peer = await begun(client, upstream, OK[:-1])
            await response.aclose()
            await response.aclose()
            await peer.until_closed()
            with pytest.raises(UpstreamBroken):
                await read(response)

    async def test_only_so_many_idle_ones_are_kept(self, upstream: ScriptedUpstream) -> None:
        async with opened(upstream) as client:
            begun_ones = [await begun(client, upstream, OK) for _ in range(MAX_IDLE + 1)]
            for response, _ in begun_ones:
                await read(response)
            _, oldest = begun_ones[0]
            assert await oldest.until_closed() == b""

    async def test_what_nobody_reads_is_not_taken_from_the_upstream(self, upstream: ScriptedUpstream) -> None:
        async with opened(upstream) as client:
            response, peer = await begun(
                client, upstream, b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n"
            )
            sending = asyncio.create_task(peer.send(bytes(64 << 20)))
            assert await peer.stalled() > 32 << 20
            assert len(await read(response)) == 64 << 20
            await sending

    async def test_cancelled_callers_leave_nothing_behind(self, upstream: ScriptedUpstream) -> None:
        async with opened(upstream) as client:
            for patience in range(40):
                sending = asyncio.create_task(client.send(get()))
                for _ in range(patience % 20):  # cancels at every stage, from before connecting on
                    await asyncio.sleep(0)
                sending.cancel()
                await asyncio.wait([sending])
            survivors = [await upstream.accept() for _ in range(upstream.n_connections)]
            for peer in survivors:
                await peer.until_closed()

    async def test_closing_closes_answers_too(self, upstream: ScriptedUpstream) -> None:
        async with opened(upstream) as client:
            response, peer = await begun(client, upstream, OK[:-1])
        await peer.until_closed()
        with pytest.raises(UpstreamBroken):
            await read(response)

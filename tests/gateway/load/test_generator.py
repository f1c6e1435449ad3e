"""The load that the benchmark puts on a gateway."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

import pytest

from gateway.demo.instant import PACE_S, PACED, InstantUpstream
from gateway.demo.instant_answers import ANSWERS, EVENTS
from gateway.load.generator import Sample, load, request

SECONDS = 0.1


class Leaving(asyncio.Protocol):
    """Closes every connection when something arrives."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.close()


class Garbage(Leaving):
    """Answers with something else than HTTP."""

    def data_received(self, data: bytes) -> None:
        assert isinstance(self._transport, asyncio.Transport)
        self._transport.write(b"good morning\r\n\r\n")


Serve = Callable[[type[asyncio.Protocol]], "asyncio.Future[str]"]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts a server of a protocol; gives its URL."""
    servers: list[asyncio.Server] = []

    async def start(protocol: type[asyncio.Protocol]) -> str:
        server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
        servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    yield lambda protocol: asyncio.ensure_future(start(protocol))
    for server in servers:
        server.close()


def post(**body: object) -> bytes:
    return request("/v1/chat/completions", json.dumps(body).encode(), [("authorization", "Bearer k")])


async def test_every_connection_asks_again_when_it_was_answered(serve: Serve) -> None:
    sample = await load(await serve(InstantUpstream), [post(model="a"), post(model="b")], 3, SECONDS)

    assert set(sample.statuses) == {200}
    assert sample.statuses[200] == len(sample.latencies_s) == len(sample.first_bytes_s) > 3
    assert sample.per_second == pytest.approx(len(sample.latencies_s) / SECONDS)
    assert all(
        0 < first <= whole for first, whole in zip(sample.first_bytes_s, sample.latencies_s, strict=True)
    )


async def test_a_paced_stream_is_whole_and_takes_its_time(serve: Serve) -> None:
    place = urlsplit(await serve(InstantUpstream))
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    writer.write(request(f"/v1/messages?{PACED.decode()}", json.dumps({"stream": True}).encode()))
    began = time.perf_counter()
    said = await reader.readuntil(b"\r\n0\r\n\r\n")
    took = time.perf_counter() - began
    writer.close()
    await writer.wait_closed()

    assert said == ANSWERS[b"messages"].streamed
    assert took > EVENTS * PACE_S


@pytest.mark.parametrize("size", [0, 1_000_000])  # more than is read at once
async def test_events_of_streams_are_counted_with_their_end_mark(serve: Serve, size: int) -> None:
    sample = await load(await serve(InstantUpstream), [post(text="x" * size, stream=True)], 2, SECONDS)

    assert sample.n_events == (EVENTS + 1) * len(sample.latencies_s) > 0
    assert sample.events_per_second == pytest.approx(sample.n_events / SECONDS)


@pytest.mark.parametrize("protocol", [Leaving, Garbage])
async def test_a_server_that_does_not_answer_ends_the_run(
    serve: Serve, protocol: type[asyncio.Protocol]
) -> None:
    url = await serve(protocol)

    with pytest.raises(Exception, match=r"ended in the middle|HTTP"):
        await load(url, [post()], 2, SECONDS)


def test_a_request_says_its_length_and_carries_the_fields_given() -> None:
    head, _, body = request("/v1/x?y", b"{}", [("x-a", "1")]).partition(b"\r\n\r\n")

    assert head.splitlines()[0] == b"POST /v1/x?y HTTP/1.1"
    assert b"content-length: 2" in head.splitlines()
    assert b"x-a: 1" in head.splitlines()
    assert body == b"{}"


def test_nothing_was_seen_before_anything_was_sent() -> None:
    assert Sample(seconds=1.0).per_second == 0

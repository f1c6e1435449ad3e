"""Streams through the whole gateway: nothing is held, one event is hidden, and that is all."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

from tests.e2e.scripted_upstream import ScriptedUpstream, connect, connected
from tests.e2e.whole_gateway import (
    DONE,
    LONG,
    STREAM,
    USAGE,
    arrived,
    chat,
    chunked,
    event,
    gateway,
    request,
    rows,
)


async def test_every_event_is_passed_on_as_it_comes(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    with gateway(tmp_path, upstream.url) as port:
        async with connected(port) as client:
            await client.send(request(chat(stream=True)))
            peer = await upstream.accept()
            _, body = await arrived(peer)
            assert len(body["messages"][0]["content"]) < len(LONG)
            assert body["stream_options"] == {"include_usage": True}
            await peer.send(STREAM)
            assert (await client.head()).values(b"x-pith-skip") == []
            for i in range(20):
                await peer.send(chunked(event(f"word {i}")))
                assert await client.chunk() == event(f"word {i}")
            await peer.send(chunked(USAGE, DONE) + b"0\r\n\r\n")
            assert [await client.chunk(), await client.chunk()] == [DONE, b""]
    [row] = rows(tmp_path)
    assert (row["prompt_tokens"], row["completion_tokens"], row["is_estimated"]) == (90, 7, 0)


ANSWER = STREAM + chunked(event("Hello"), event(" there."), USAGE, DONE) + b"0\r\n\r\n"
SEEN = event("Hello") + event(" there.") + DONE


def test_any_split_of_the_upstreams_bytes_hides_the_same_event(tmp_path: Path) -> None:
    async def exchange(stack: ExitStack) -> None:
        async with ScriptedUpstream() as upstream:
            port = stack.enter_context(gateway(tmp_path, upstream.url))
            client = await connect(port)
            stack.callback(client.close)
            await client.send(request(chat(stream=True)))
            peer = await upstream.accept()
            for cut in range(1, len(ANSWER)):
                await arrived(peer)
                await peer.send(ANSWER[:cut])
                await peer.send(ANSWER[cut:])
                assert (await client.answer())[1] == SEEN, cut
                await client.send(request(chat(stream=True)))
            stack.close()

    with ExitStack() as stack:
        asyncio.run(exchange(stack))
    *answered, _ = rows(tmp_path)
    assert {row["completion_tokens"] for row in answered} == {7}
    assert len(answered) == len(ANSWER) - 1


async def test_the_event_a_client_asked_for_is_its_own(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    with gateway(tmp_path, upstream.url) as port:
        async with connected(port) as client:
            await client.send(request(chat(stream=True, stream_options={"include_usage": True})))
            peer = await upstream.accept()
            await arrived(peer)
            await peer.send(ANSWER)
            assert (await client.answer())[1] == event("Hello") + event(" there.") + USAGE + DONE


async def test_an_error_answered_to_a_stream_passes_as_it_is(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    with gateway(tmp_path, upstream.url) as port:
        async with connected(port) as client:
            await client.send(request(chat(stream=True)))
            peer = await upstream.accept()
            await arrived(peer)
            await peer.send(b'HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 9\r\n\r\n{"e": 1}\n')
            head, body = await client.answer()
            assert (head.status, head.values(b"retry-after"), body) == (429, [b"7"], b'{"e": 1}\n')
    [row] = rows(tmp_path)
    assert (row["status"], row["is_complete"], row["saved_usd"]) == (429, 1, None)

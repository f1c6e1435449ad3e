from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.types import Message, Receive

from gateway.client import READ_AHEAD, ClientWatch, read_body, request_body
from gateway.errors import ClientGone


def receiving(*messages: Message) -> Receive:
    """What a server's `receive` gives: `messages`, then nothing for ever."""
    queue = list(messages)

    async def receive() -> Message:
        if not queue:
            await asyncio.Event().wait()
        return queue.pop(0)

    return receive


def part(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


GONE: Message = {"type": "http.disconnect"}


def scope(**fields: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "path": "/a b",
        "raw_path": b"/a%20b",
        "query_string": b"",
        "headers": [],
        **fields,
    }


async def collected(body: bytes | AsyncIterator[bytes]) -> list[bytes]:
    assert not isinstance(body, bytes)
    return [chunk async for chunk in body]


class TestRequestBody:
    @pytest.mark.parametrize("headers", [[], [(b"content-length", b"0")], [(b"accept", b"*/*")]])
    def test_none_is_sent_where_none_was_announced(self, headers: list[tuple[bytes, bytes]]) -> None:
        assert request_body(scope(headers=headers), receiving()) == b""

    @pytest.mark.parametrize("header", [(b"content-length", b"10"), (b"transfer-encoding", b"chunked")])
    async def test_streams(self, header: tuple[bytes, bytes]) -> None:
        receive = receiving(part(b"a"), part(b""), part(b"b", more=False))
        assert await collected(request_body(scope(headers=[header]), receive)) == [b"a", b"b"]


class TestReadBody:
    async def test_is_whole_up_to_the_limit(self) -> None:
        assert await read_body(receiving(part(b"ab"), part(b"c", more=False)), 3) == b"abc"
        assert await read_body(receiving(part(b"", more=False)), 0) == b""
        assert await read_body(receiving({"type": "http.request"}), 3) == b""

    async def test_beyond_it_all_bytes_can_still_be_had(self) -> None:
        body = await read_body(receiving(part(b"ab"), part(b"cd"), part(b"ef", more=False)), 3)
        assert await collected(body) == [b"abcd", b"ef"]

    async def test_the_client_leaves(self) -> None:
        with pytest.raises(ClientGone):
            await read_body(receiving(part(b"ab"), GONE), 3)

    async def test_the_client_leaves_beyond_the_limit(self) -> None:
        body = await read_body(receiving(part(b"abcd"), GONE), 3)
        with pytest.raises(ClientGone):
            await collected(body)


class Server:
    """Tells of the client's leaving."""

    def __init__(self) -> None:
        self.callback: Callable[[], None] | None = None
        self.is_lost = False

    def tell_leaving(self, callback: Callable[[], None] | None) -> bool:
        self.callback = callback
        return not self.is_lost

    def lose(self) -> None:
        self.is_lost = True
        if self.callback is not None:
            self.callback()


async def unread() -> Message:
    raise AssertionError("nothing is to be read")


class TestClientWatch:
    async def test_a_client_that_leaves_cancels_what_waits(self) -> None:
        with pytest.raises(ClientGone):
            async with ClientWatch(receiving(part(b"", more=False), GONE), b""):
                await asyncio.Event().wait()
        assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]  # a test runs in a task

    async def test_a_client_that_leaves_amid_its_body(self) -> None:
        receive = receiving(part(b"a"), GONE)
        with pytest.raises(ClientGone):
            async with ClientWatch(
                receive, request_body(scope(headers=[(b"content-length", b"9")]), receive)
            ):
                await asyncio.Event().wait()

    async def test_a_client_that_stays_changes_nothing(self) -> None:
        receive = receiving(part(b"a"), part(b"b", more=False))
        body = request_body(scope(headers=[(b"content-length", b"2")]), receive)
        async with ClientWatch(receive, body) as watch:
            assert await collected(watch.body) == [b"a", b"b"]

    async def test_somebody_elses_cancellation_goes_on_as_one(self) -> None:
        async def watched() -> None:
            async with ClientWatch(receiving(), b""):
                await asyncio.Event().wait()

        task = asyncio.create_task(watched())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def test_errors_of_the_block_are_its_own(self) -> None:
        with pytest.raises(LookupError):
            async with ClientWatch(receiving(), b""):
                raise LookupError

    async def test_a_server_that_tells_of_leaving_needs_no_reading(self) -> None:
        server = Server()
        asyncio.get_running_loop().call_soon(server.lose)
        with pytest.raises(ClientGone):
            async with ClientWatch(unread, b"", server.tell_leaving):
                await asyncio.Event().wait()
        assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]  # a test runs in a task
        assert server.callback is None

    async def test_a_server_tells_that_the_client_has_left_already(self) -> None:
        server = Server()
        server.lose()
        with pytest.raises(ClientGone):
            async with ClientWatch(unread, b"", server.tell_leaving):
                pytest.fail("nobody is left to work for")

    async def test_what_is_told_after_a_watch_was_stopped_cancels_nothing(self) -> None:
        server = Server()
        async with ClientWatch(unread, b"", server.tell_leaving) as watch:
            watch.stop()
            server.lose()
            await asyncio.sleep(0)

    async def test_a_body_that_is_still_to_come_is_read_all_the_same(self) -> None:
        receive = receiving(part(b"a", more=False))
        body = request_body(scope(headers=[(b"content-length", b"1")]), receive)
        async with ClientWatch(receive, body, Server().tell_leaving) as watch:
            assert await collected(watch.body) == [b"a"]

    async def test_reads_ahead_no_more_than_its_limit(self) -> None:
        n_read = 0

        async def body() -> AsyncIterator[bytes]:
            nonlocal n_read
            for _ in range(10):
                n_read += READ_AHEAD // 2
                yield bytes(READ_AHEAD // 2)

        async with ClientWatch(receiving(), body()) as watch:
            for _ in range(50):
                await asyncio.sleep(0)
            assert n_read == READ_AHEAD
            assert sum(map(len, await collected(watch.body))) == 5 * READ_AHEAD

    async def test_a_body_that_fails_is_not_taken_for_whole(self) -> None:
        async def body() -> AsyncIterator[bytes]:
            yield b"a"
            raise LookupError

        async with ClientWatch(receiving(), body()) as watch:
            with pytest.raises(LookupError):
                await collected(watch.body)

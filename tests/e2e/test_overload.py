"""More requests than are admitted, and as many slow streams as are: who is refused, who is served."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import openai
import pytest

from gateway.app import create_app
from gateway.config import load as load_config
from tests.conftest import PROFILE
from tests.e2e.conftest import serving
from tests.e2e.scripted_upstream import PATIENCE_S, Head, Peer, ScriptedUpstream, connected
from tests.e2e.test_faults import serve_process
from tests.e2e.whole_gateway import (
    STREAM,
    HeldScorer,
    arrived,
    chat,
    chunked,
    configuration,
    event,
    request,
    rows,
)
from tests.fakes import LengthScorer

GET = b"GET /v1/models HTTP/1.1\r\nHost: gateway\r\n\r\n"
HEALTH = b"GET /pith/healthz HTTP/1.1\r\nHost: gateway\r\n\r\n"
LAST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
LIMIT = 4
REFUSED_WITHIN_S = 0.05
N_STREAMS = 1_000 if PROFILE == "thorough" else 100
ROUNDS = 4
STREAM_BYTES = 32 * 1024
"""Of memory a stream may cost: two connections, and what serves them. Of 1,000 each took 14 KiB."""

Answer = tuple[Head, bytes]


@contextmanager
def bounded(folder: Path, url: str, scorer: LengthScorer | None = None, **limits: int) -> Iterator[int]:
    """A running gateway's port."""
    file = configuration(folder, url, limits=limits)
    with serving(create_app(load_config(file, {}, {}), scorer or LengthScorer())) as port:
        yield port


async def ask(client: Peer, data: bytes = GET) -> Answer:
    await client.send(data)
    return await client.answer()


async def done(asked: Sequence[asyncio.Task[Answer]], n: int) -> list[Answer]:
    """The first `n` answers."""
    async with asyncio.timeout(PATIENCE_S):
        while sum(task.done() for task in asked) < n:
            await asyncio.wait([task for task in asked if not task.done()], return_when="FIRST_COMPLETED")
    return [task.result() for task in asked if task.done()]


async def serve(upstream: ScriptedUpstream) -> None:
    """Answer the next request that arrives there."""
    peer = await upstream.accept()
    await peer.head()
    await peer.send(LAST)


async def admitted(port: int, upstream: ScriptedUpstream) -> None:
    """Ask until there is a place."""
    deadline = time.monotonic() + PATIENCE_S
    async with connected(port) as client:
        serving = asyncio.create_task(serve(upstream))
        while (await ask(client))[0].status == 503:
            assert time.monotonic() < deadline, "nobody is admitted any more"
        await serving


def assert_refused(answer: Answer) -> None:
    head, body = answer
    assert head.status == 503
    assert head.values(b"retry-after")[0] in (b"1", b"2", b"3")
    error = json.loads(body)["error"]
    assert (error["type"], error["code"], error["param"]) == ("api_error", "overloaded", None)


class TestBurst:
    async def test_one_too_many_is_refused_and_the_others_are_served(
        self, upstream: ScriptedUpstream, tmp_path: Path
    ) -> None:
        """Ten times the limit at once, while the upstream answers nobody."""
        with bounded(tmp_path, upstream.url, max_in_flight=LIMIT) as port:
            async with AsyncExitStack() as stack:
                clients = [await stack.enter_async_context(connected(port)) for _ in range(10 * LIMIT)]
                asked = [asyncio.create_task(ask(client)) for client in clients]
                held = [await upstream.accept() for _ in range(LIMIT)]
                for answer in await done(asked, 9 * LIMIT):
                    assert_refused(answer)
                for peer in held:
                    await peer.head()
                    await peer.send(LAST)
                statuses = sorted(head.status for head, _ in await asyncio.gather(*asked))
                assert statuses == [200] * LIMIT + [503] * 9 * LIMIT
                assert upstream.n_connections == LIMIT, "nothing of a refused request was sent on"
            await admitted(port, upstream)
        assert [row["status"] for row in rows(tmp_path)] == [200] * (LIMIT + 1), "none of a refused one"

    async def test_a_refusal_takes_no_time(self, upstream: ScriptedUpstream, tmp_path: Path) -> None:
        """Whatever else the machine does, some are answered in the time promised."""
        with bounded(tmp_path, upstream.url, max_in_flight=1) as port:
            async with connected(port) as first, connected(port) as second:
                await first.send(GET)
                await upstream.accept()
                deadline = time.monotonic() + PATIENCE_S
                while True:
                    began = time.monotonic()
                    assert_refused(await ask(second, request(chat())))
                    if time.monotonic() - began < REFUSED_WITHIN_S:
                        break
                    assert began < deadline, "none is refused in time"

    async def test_the_body_of_a_refused_request_is_not_waited_for(
        self, upstream: ScriptedUpstream, tmp_path: Path
    ) -> None:
        body = request(chat())
        head = body[: body.index(b"\r\n\r\n") + 4]
        with bounded(tmp_path, upstream.url, max_in_flight=1) as port:
            async with connected(port) as first, connected(port) as second:
                await first.send(GET)
                peer = await upstream.accept()
                assert_refused(await ask(second, head))
                await second.send(body[len(head) :])
                assert_refused(await ask(second))  # the body that came late was not taken for a request
                assert (await ask(second, HEALTH))[0].status == 200
                await peer.send(LAST)
                assert (await first.answer())[0].status == 200

    async def test_the_official_client_knows_what_it_is_told(
        self, upstream: ScriptedUpstream, tmp_path: Path
    ) -> None:
        with bounded(tmp_path, upstream.url, max_in_flight=1) as port:
            client = openai.AsyncOpenAI(
                base_url=f"http://127.0.0.1:{port}/v1", api_key="sk-test", max_retries=0
            )
            async with connected(port) as other, client:
                await other.send(GET)
                await upstream.accept()
                with pytest.raises(openai.InternalServerError) as caught:
                    await client.chat.completions.create(
                        model="gpt-4o", messages=[{"role": "user", "content": "hello"}]
                    )
        assert (caught.value.status_code, caught.value.code) == (503, "overloaded")

    async def test_whoever_leaves_makes_room(self, upstream: ScriptedUpstream, tmp_path: Path) -> None:
        """Before an answer, in the middle of one, and while its body is awaited."""
        with bounded(tmp_path, upstream.url, max_in_flight=1) as port:
            async with connected(port) as client:
                await client.send(GET)
                await upstream.accept()
            await admitted(port, upstream)
            async with connected(port) as client:
                await client.send(GET)
                peer = await upstream.accept()
                await peer.send(STREAM + chunked(event("x")))
                await client.head()
            await admitted(port, upstream)
            async with connected(port) as client:
                await client.send(request(chat())[:-10])
            await admitted(port, upstream)


async def test_over_the_limit_of_compressing_requests_pass_uncompressed(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    scorer, body = HeldScorer(), chat()
    file = configuration(tmp_path, upstream.url, limits={"max_compressing": 1}, timeouts={"queue_s": 0.001})
    with serving(create_app(load_config(file, {}, {}), scorer)) as port:
        async with connected(port) as first, connected(port) as second:
            await first.send(request(body))
            assert await asyncio.to_thread(scorer.is_asked.wait, PATIENCE_S)
            await second.send(request(body))
            peer = await upstream.accept()
            assert (await arrived(peer))[1] == body
            await peer.send(LAST)
            head, _ = await second.answer()
            assert (head.status, head.values(b"x-pith-skip")) == (200, [b"overloaded"])
            scorer.go_on.set()
            peer = await upstream.accept()
            assert len(json.dumps((await arrived(peer))[1])) < len(json.dumps(body))
            await peer.send(LAST)
            head, _ = await first.answer()
            assert (head.status, head.values(b"x-pith-skip")) == (200, [])


async def test_many_slow_streams_cost_little_and_none_starves(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    """As many streams as are admitted by default (in the thorough profile); every event arrives everywhere
    before the next one is sent."""
    file = configuration(tmp_path, upstream.url)
    async with serve_process(file) as (process, port), AsyncExitStack() as stack:
        await admitted(port, upstream)
        before = resident_bytes(process.pid)
        clients, peers = [], []
        for _ in range(N_STREAMS):
            client = await stack.enter_async_context(connected(port))
            await client.send(GET)
            peer = await upstream.accept()
            await peer.head()
            await peer.send(STREAM)
            assert (await client.head()).status == 200
            clients.append(client)
            peers.append(peer)
        open_bytes = resident_bytes(process.pid)
        for i in range(ROUNDS):
            said = event(f"{i}" * 1000)
            await asyncio.gather(*(peer.send(chunked(said)) for peer in peers))
            assert set(await asyncio.gather(*(client.chunk() for client in clients))) == {said}
        assert open_bytes - before < N_STREAMS * STREAM_BYTES
        assert resident_bytes(process.pid) - open_bytes < N_STREAMS * STREAM_BYTES / 2
        await asyncio.gather(*(peer.send(b"0\r\n\r\n") for peer in peers))
        assert set(await asyncio.gather(*(client.chunk() for client in clients))) == {b""}


def resident_bytes(pid: int) -> int:
    """Memory a process holds (Linux)."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024

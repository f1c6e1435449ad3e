"""The whole gateway when something goes wrong: who sees what, and what the ledger says afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.scripted_upstream import PATIENCE_S, Peer, ScriptedUpstream, connected, refused
from tests.e2e.whole_gateway import (
    DONE,
    LONG,
    OK,
    POLICY,
    PROSE,
    STREAM,
    HeldScorer,
    arrived,
    chat,
    chunked,
    configuration,
    event,
    gateway,
    request,
    rows,
    until,
)

ROOT = Path(__file__).parents[2]


class TestTheClientLeaves:
    async def test_while_its_request_is_being_read(self, upstream: ScriptedUpstream, tmp_path: Path) -> None:
        with gateway(tmp_path, upstream.url) as port:
            async with connected(port) as client:
                await client.send(request(chat())[:-10])
        [row] = rows(tmp_path)
        assert (row["status"], row["is_complete"], row["model"]) == (499, 0, None)
        assert upstream.n_connections == 0

    async def test_while_it_is_being_compressed(self, upstream: ScriptedUpstream, tmp_path: Path) -> None:
        """Nothing is sent on for nobody."""
        scorer = HeldScorer()
        with gateway(tmp_path, upstream.url, scorer) as port:
            async with connected(port) as client:
                await client.send(request(chat()))
                assert await asyncio.to_thread(scorer.is_asked.wait, PATIENCE_S)
            async with connected(port) as client:  # answered after the one that left was seen to have
                await client.send(b"GET /v1/models HTTP/1.1\r\nHost: gateway\r\n\r\n")
                peer = await upstream.accept()
                await peer.head()
                await peer.send(OK)
                await client.answer()
            scorer.go_on.set()
        left, _ = rows(tmp_path)
        assert (left["status"], left["is_complete"]) == (499, 0)
        assert upstream.n_connections == 1

    async def test_before_the_first_byte(self, upstream: ScriptedUpstream, tmp_path: Path) -> None:
        with gateway(tmp_path, upstream.url) as port:
            async with connected(port) as client:
                await client.send(request(chat(stream=True)))
                peer = await upstream.accept()
                await arrived(peer)
            assert await peer.until_closed() == b""
        [row] = rows(tmp_path)
        assert (row["status"], row["is_complete"]) == (499, 0)
        assert (row["model"], row["prompt_tokens"]) == ("gpt-4o-mini", None)

    async def test_in_the_middle_of_a_stream(self, upstream: ScriptedUpstream, tmp_path: Path) -> None:
        with gateway(tmp_path, upstream.url) as port:
            async with connected(port) as client:
                await client.send(request(chat(stream=True)))
                peer = await upstream.accept()
                await arrived(peer)
                await peer.send(STREAM + chunked(event("x" * 40)))
                await client.head()
                await client.chunk()
            assert await peer.until_closed() == b""
        [row] = rows(tmp_path)
        assert (row["status"], row["is_complete"]) == (200, 0)
        assert (row["is_estimated"], row["completion_tokens"]) == (1, 10)
        assert row["prompt_tokens"] == row["compressed_tokens"] < row["origin_tokens"]


class TestTheUpstreamBreaks:
    @pytest.mark.parametrize("is_reset", [False, True])
    async def test_in_the_middle_of_a_stream(
        self, upstream: ScriptedUpstream, tmp_path: Path, is_reset: bool
    ) -> None:
        with gateway(tmp_path, upstream.url) as port:
            async with connected(port) as client:
                await client.send(request(chat(stream=True)))
                peer = await upstream.accept()
                await arrived(peer)
                await peer.send(STREAM + chunked(event("x" * 40)))
                await client.head()
                assert await client.chunk() == event("x" * 40)
                await peer.send(b"30\r\ndata: half of")
                (peer.reset if is_reset else peer.close)()
                rest = await client.until_closed()
                assert not rest.endswith(b"0\r\n\r\n"), "the break is seen"
        [row] = rows(tmp_path)
        assert (row["status"], row["is_complete"]) == (200, 0)
        assert (row["is_estimated"], row["completion_tokens"]) == (1, 10)

    async def test_before_it_answered(self, upstream: ScriptedUpstream, tmp_path: Path) -> None:
        with gateway(tmp_path, upstream.url) as port:
            async with connected(port) as client:
                await client.send(request(chat()))
                peer = await upstream.accept()
                await arrived(peer)
                peer.reset()
                head, body = await client.answer()
                assert (head.status, json.loads(body)["error"]["code"]) == (502, "upstream_unavailable")
                assert head.values(b"x-pith-policy") == [b"test"]
        [row] = rows(tmp_path)
        assert (row["status"], row["is_complete"], row["cost_usd"]) == (502, 1, None)
        assert upstream.n_connections == 1, "a request that was sent is not sent again"

    async def test_nobody_listens(self, unused_tcp_port: int, tmp_path: Path) -> None:
        with gateway(tmp_path, f"http://127.0.0.1:{unused_tcp_port}") as port:
            async with connected(port) as client:
                await client.send(request(chat()))
                head, _ = await client.answer()
                assert head.status == 502
        [row] = rows(tmp_path)
        assert (row["status"], row["skip"]) == (502, None)


class TestRoutes:
    """Where a request goes does not depend on whether it is compressed."""

    @pytest.mark.parametrize("trouble", ["off", "scorer", "none"])
    async def test_a_model_has_its_upstream_whatever_becomes_of_the_texts(
        self, upstream: ScriptedUpstream, unused_tcp_port: int, tmp_path: Path, trouble: str
    ) -> None:
        settings: dict[str, Any] = {
            "upstreams": {
                "openai": {"url": f"http://127.0.0.1:{unused_tcp_port}"},
                "claude": {"url": upstream.url},
            },
            "routes": [{"model": "claude-*", "upstream": "claude"}, {"upstream": "openai"}],
            "mode": "off" if trouble == "off" else "on",
        }
        scorer = HeldScorer()
        scorer.go_on.set()
        scorer.error = RuntimeError("lost") if trouble == "scorer" else None
        with gateway(tmp_path, "http://unused", scorer, **settings) as port:
            async with connected(port) as client:
                await client.send(request({**chat(), "model": "claude-5"}))
                peer = await upstream.accept()
                await arrived(peer)
                await peer.send(OK)
                assert (await client.answer())[0].status == 200


class TestTheLedgerIsDown:
    async def test_requests_pass_and_their_rows_are_written_later(
        self, upstream: ScriptedUpstream, tmp_path: Path
    ) -> None:
        async with echoing(upstream):
            with gateway(tmp_path, upstream.url) as port:
                with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
                    other.execute("begin exclusive")
                    for _ in range(3):
                        assert await forwarded(port) != LONG
                    said = await asyncio.to_thread(until, port, "/pith/readyz", is_degraded("ledger"))
                    assert said["status"] == "degraded"
                    assert await forwarded(port) != LONG
                    other.execute("rollback")
                await asyncio.to_thread(until, port, "/pith/readyz", is_ready)
        assert [row["status"] for row in rows(tmp_path)] == [200] * 4


async def echo(upstream: ScriptedUpstream) -> None:
    """Answers every request with its messages, as an upstream that nothing can confuse."""

    async def serve(peer: Peer) -> None:
        while True:
            try:
                _, body = await arrived(peer)
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            said = json.dumps(body["messages"]).encode()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))

    async with asyncio.TaskGroup() as serving:
        while True:
            serving.create_task(serve(await upstream.accept()))


@asynccontextmanager
async def echoing(upstream: ScriptedUpstream) -> AsyncIterator[None]:
    task = asyncio.create_task(echo(upstream))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_fifty_conversations_at_one_time_do_not_mix(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    async def converse(client: httpx.AsyncClient, number: int) -> None:
        messages: list[dict[str, str]] = []
        before: list[Any] = []
        for turn in range(3):
            text = " ".join(f"{sentence}. No. {number}-{turn}." for sentence in PROSE.split(". ") * 4)
            messages.append({"role": "user", "content": text})
            key = {"authorization": f"Bearer sk-{number % 7}"}
            answer = await client.post(
                "/v1/chat/completions", json={"model": "gpt-4o", "messages": messages}, headers=key
            )
            sent = answer.json()
            assert sent[: len(before)] == before
            assert len(sent) == turn + 1
            assert len(sent[-1]["content"]) < len(text)
            assert f"{number}-{turn}" in sent[-1]["content"]
            before = sent

    async with echoing(upstream):
        with gateway(tmp_path, upstream.url) as port:
            limits = httpx.Limits(max_connections=50)
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=60
            ) as client:
                await asyncio.gather(*(converse(client, number) for number in range(50)))
    found = rows(tmp_path)
    assert len(found) == 150
    assert len({row["conversation"] for row in found}) == 50
    assert len({row["key_id"] for row in found}) == 7


class TestReload:
    """Files that change under a running gateway."""

    async def test_the_kill_switch_is_obeyed_without_a_restart(
        self, upstream: ScriptedUpstream, tmp_path: Path
    ) -> None:
        async with echoing(upstream):
            with gateway(tmp_path, upstream.url) as port:
                for mode, has_changed in (("on", True), ("off", False), ("shadow", False), ("on", True)):
                    configuration(tmp_path, upstream.url, mode=mode)
                    await asyncio.to_thread(until, port, "/pith/readyz", lambda said: said["mode"] == mode)  # noqa: B023  # awaited here
                    assert (await forwarded(port) != LONG) == has_changed

    async def test_a_configuration_that_cannot_be_read_leaves_the_mode_as_it_was(
        self, upstream: ScriptedUpstream, tmp_path: Path
    ) -> None:
        async with echoing(upstream):
            with gateway(tmp_path, upstream.url) as port:
                file = tmp_path / "pith.yaml"
                good = file.read_bytes()
                for bad in (
                    b"mode: [",
                    b"\xff\xfe",
                    b"modes: off",
                    b"[" * 5000,
                    b"mode: 'of'\n",
                    b"- 1",
                    b"? {}: {}",
                ):
                    file.write_bytes(bad)
                    said = await asyncio.to_thread(until, port, "/pith/readyz", is_degraded("configuration"))
                    assert (said["mode"], said["status"]) == ("on", "degraded")
                    assert await forwarded(port) != LONG
                    file.write_bytes(good)
                    await asyncio.to_thread(until, port, "/pith/readyz", is_ready)
                file.unlink()
                await asyncio.to_thread(until, port, "/pith/readyz", is_degraded("configuration"))
                file.write_bytes(good.replace(b'{"upstreams"', b'{"mode": "off", "upstreams"'))
                await asyncio.to_thread(until, port, "/pith/readyz", lambda said: said["mode"] == "off")

    async def test_policies_are_replaced_by_good_ones_only(
        self, upstream: ScriptedUpstream, tmp_path: Path
    ) -> None:
        file = tmp_path / "policies.yaml"
        replace(file, {"policies": [POLICY]})
        async with echoing(upstream):
            with gateway(tmp_path, upstream.url, policies=str(file)) as port:
                assert await forwarded(port) != LONG
                replace(file, {"policies": [{**POLICY, "mode": "off"}]})
                await changed(port, lambda text: text == LONG)
                for bad in ({"policies": [{"name": "x", "rate": 2}]}, {"policies": 1}, ["no"]):
                    replace(file, bad)
                    said = await asyncio.to_thread(until, port, "/pith/readyz", is_degraded("policies"))
                    assert said["status"] == "degraded"
                    assert await forwarded(port) == LONG, "the last good ones stay in force"
                replace(file, {"policies": [{**POLICY, "name": "third"}]})
                await asyncio.to_thread(until, port, "/pith/readyz", is_ready)
                await changed(port, lambda text: text != LONG)


def is_degraded(part: str) -> Callable[[Any], bool]:
    return lambda said: any(line.startswith(f"{part}: ") for line in said["degraded"])


def is_ready(said: Any) -> bool:
    return bool(said["status"] == "ready")


def replace(file: Path, document: object) -> None:
    """In one step, as the documentation asks."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(document))
    os.replace(new, file)


async def forwarded(port: int, n: int = 0) -> str:
    """What goes on of LONG in a conversation of its own."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        headers = {"authorization": f"Bearer sk-{os.urandom(8).hex()}"}
        answer = await client.post("/v1/chat/completions", json=chat(), headers=headers)
        return str(answer.json()[0]["content"])


async def changed(port: int, holds: Callable[[str], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds(await forwarded(port)):
            pass


class TestStop:
    async def test_a_signal_under_load_loses_no_answer_and_no_row(
        self, upstream: ScriptedUpstream, tmp_path: Path
    ) -> None:
        """`pith serve` itself: streams that run are ended by the upstream, rows are written, exit 0."""
        async with serve_process(configuration(tmp_path, upstream.url)) as (process, port):
            clients = [connected(port) for _ in range(12)]
            open_ones = [await client.__aenter__() for client in clients]
            peers = []
            for i, client in enumerate(open_ones):
                await client.send(request(chat(f"{LONG} {i}", stream=True)))
                peer = await upstream.accept()
                await arrived(peer)
                await peer.send(STREAM + chunked(event("begun")))
                await client.head()
                assert await client.chunk() == event("begun")
                peers.append(peer)
            process.send_signal(signal.SIGTERM)
            await refused(port)
            for peer in peers:
                await peer.send(chunked(event("ended"), DONE) + b"0\r\n\r\n")
            for client in open_ones:
                assert [await client.chunk(), await client.chunk()] == [event("ended") + DONE, b""]
            async with asyncio.timeout(PATIENCE_S):
                _, said = await process.communicate()
            assert process.returncode == 0, said
            assert b"Traceback" not in said
            for client_context in clients:
                await client_context.__aexit__(None, None, None)
        found = rows(tmp_path)
        assert [(row["status"], row["is_complete"]) for row in found] == [(200, 1)] * 12
        assert len({row["id"] for row in found}) == 12


@asynccontextmanager
async def serve_process(config: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "serve", "--config", str(config), "--port", "0"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            greeting = (await process.stdout.readline()).decode()
        yield process, int(greeting.split("http://127.0.0.1:")[1].split()[0])
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()

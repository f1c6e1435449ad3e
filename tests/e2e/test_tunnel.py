"""WebSockets through a real Pith: `websockets` at both ends, and raw sockets where bytes are counted."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import openai
import pytest
import trustme
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from gateway.upstreams.dial import Limits
from gateway.upstreams.exchange import Timeouts
from gateway.upstreams.http import HttpUpstream
from tests.e2e.conftest import serving
from tests.e2e.relay_app import relay_app
from tests.e2e.scripted_upstream import PATIENCE_S, Peer, ScriptedUpstream, connected, refused
from tests.e2e.test_server import running
from tests.e2e.whole_gateway import gateway as whole_gateway
from tests.e2e.whole_gateway import rows

Handler: TypeAlias = Callable[[ServerConnection], Awaitable[None]]
MIB = 1 << 20

UPGRADE = (
    b"GET /v1/realtime?model=gpt-realtime HTTP/1.1\r\nHost: gateway\r\nConnection: keep-alive, Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-Request-Id: req-1\r\n\r\n"
)


async def echo(socket: ServerConnection) -> None:
    async for message in socket:
        await socket.send(message)


@asynccontextmanager
async def websocket_upstream(handler: Handler = echo, **options: Any) -> AsyncIterator[Server]:
    async with serve(handler, "127.0.0.1", 0, max_size=4 * MIB, close_timeout=1, **options) as server:
        yield server


def url_of(server: Server) -> str:
    return "http://{}:{}".format(*next(iter(server.sockets)).getsockname())


@asynccontextmanager
async def through(handler: Handler = echo, **options: Any) -> AsyncIterator[Callable[..., connect]]:
    """Connects to a WebSocket upstream through a gateway."""
    async with websocket_upstream(handler, **options) as server:
        with serving(relay_app(HttpUpstream(url_of(server), name="scripted"))) as port:

            def dial(path: str = "/v1/realtime", **given: Any) -> connect:
                given = {"max_size": 4 * MIB, "open_timeout": PATIENCE_S, "close_timeout": 1, **given}
                return connect(f"ws://127.0.0.1:{port}{path}", proxy=None, **given)

            yield dial


class TestMessages:
    async def test_text_and_binary_of_any_size(self) -> None:
        async with through() as dial, dial() as socket:
            noise = random.Random(1)
            for message in (
                "",
                "hällo",
                b"",
                b"\x00\xff",
                noise.randbytes(MIB),
                "x" * MIB,
                noise.randbytes(126),
            ):
                await socket.send(message)
                assert await socket.recv() == message

    async def test_fragments_arrive_as_fragments(self) -> None:
        fragments: list[str] = []

        async def note(socket: ServerConnection) -> None:
            async for fragment in socket.recv_streaming():
                fragments.append(str(fragment))
            await socket.send(["one", "two", "three"])

        async with through(note, compression=None) as dial, dial(compression=None) as socket:
            await socket.send(["a", "b", "c"])
            answer = [str(fragment) async for fragment in socket.recv_streaming()]
            # An empty one ends a message that is sent in pieces.
            assert [one for one in fragments if one] == ["a", "b", "c"]
            assert [one for one in answer if one] == ["one", "two", "three"]

    async def test_pings_reach_the_other_end(self) -> None:
        async def ping(socket: ServerConnection) -> None:
            await (await socket.ping(b"theirs"))
            await socket.send("ponged")
            await echo(socket)

        async with through(ping) as dial, dial() as socket:
            assert await socket.recv() == "ponged"
            await (await socket.ping(b"ours"))

    @pytest.mark.parametrize("is_compressed", [True, False])
    async def test_compression_is_agreed_on_by_the_ends(self, is_compressed: bool) -> None:
        options: dict[str, Any] = {} if is_compressed else {"compression": None}
        async with through(echo, **options) as dial, dial() as socket:
            agreed = [type(extension) for extension in socket.protocol.extensions]
            assert agreed == ([PerMessageDeflate] if is_compressed else [])
            await socket.send("again " * 10_000)
            assert await socket.recv() == "again " * 10_000

    async def test_two_hundred_at_once(self) -> None:
        async with through() as dial:

            async def talk(n: int) -> None:
                async with dial() as socket:
                    for i in range(3):
                        await socket.send(f"{n}/{i}")
                        assert await socket.recv() == f"{n}/{i}"

            async with asyncio.timeout(60):
                await asyncio.gather(*(talk(n) for n in range(200)))


class TestOpening:
    async def test_fields_and_subprotocols_pass(self) -> None:
        seen: list[Request] = []

        def look(socket: ServerConnection, request: Request) -> None:
            seen.append(request)

        protocols = [
            Subprotocol(one)
            for one in ("realtime", "openai-insecure-api-key.sk-client", "openai-beta.realtime-v1")
        ]
        async with (
            through(subprotocols=[Subprotocol("realtime")], process_request=look) as dial,
            dial(
                "/v1/realtime?model=gpt%2Drealtime",
                subprotocols=protocols,
                additional_headers={"X-A": "1", "Authorization": "Bearer sk-client", "X-Pith-Mode": "off"},
            ) as socket,
        ):
            assert socket.subprotocol == "realtime"
            assert seen[0].path == "/v1/realtime?model=gpt%2Drealtime"
            assert seen[0].headers["authorization"] == "Bearer sk-client"
            assert seen[0].headers["sec-websocket-protocol"] == ", ".join(protocols)
            assert seen[0].headers["x-a"] == "1"
            assert "x-pith-mode" not in seen[0].headers

    async def test_the_upstreams_key_replaces_the_clients(self) -> None:
        seen: list[Request] = []

        def look(socket: ServerConnection, request: Request) -> None:
            seen.append(request)

        async with websocket_upstream(subprotocols=[Subprotocol("realtime")], process_request=look) as server:
            with serving(relay_app(HttpUpstream(url_of(server), "sk-ours", name="scripted"))) as port:
                async with connect(
                    f"ws://127.0.0.1:{port}/v1/realtime",
                    proxy=None,
                    subprotocols=[Subprotocol("realtime"), Subprotocol("openai-insecure-api-key.sk-client")],
                    additional_headers={"Authorization": "Bearer sk-client"},
                ) as socket:
                    assert socket.subprotocol == "realtime"
        assert seen[0].headers["authorization"] == "Bearer sk-ours"
        assert "sk-client" not in str(seen[0].headers)

    async def test_a_refusal_passes_byte_for_byte(self) -> None:
        refusal = json.dumps({"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}).encode()

        def refuse(socket: ServerConnection, request: Request) -> Response:
            response = socket.respond(401, refusal.decode())
            response.headers["x-request-id"] = "req-1"
            return response

        async with through(process_request=refuse) as dial:
            with pytest.raises(InvalidStatus) as caught:
                async with dial():
                    pass
        response = caught.value.response
        assert (response.status_code, response.body) == (401, refusal)
        assert response.headers["x-request-id"] == "req-1"

    async def test_nothing_of_the_clients_passes_before_the_switch(
        self, client: Peer, upstream: ScriptedUpstream
    ) -> None:
        smuggled = b"GET /admin HTTP/1.1\r\nHost: other\r\n\r\n"
        await client.send(UPGRADE + smuggled)
        peer = await upstream.accept()
        head = await peer.head()
        assert head.start_line == b"GET /v1/realtime?model=gpt-realtime HTTP/1.1"
        assert [value.lower() for value in head.values(b"connection")] == [b"upgrade"]
        assert head.values(b"upgrade") == [b"websocket"]
        assert head.values(b"sec-websocket-key") == [b"dGhlIHNhbXBsZSBub25jZQ=="]
        await client.send(b"more")
        await peer.nothing()
        await peer.send(SWITCHED + b"first")
        assert await peer.exactly(len(smuggled) + 4) == smuggled + b"more"
        head = await client.head()
        assert (head.status, head.values(b"upgrade")) == (101, [b"websocket"])
        assert head.values(b"sec-websocket-accept") == [b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]
        assert head.values(b"x-request-id") == [b"req-1"]
        assert head.values(b"transfer-encoding") == []
        assert await client.exactly(5) == b"first"

    async def test_nor_behind_a_refusal(self, client: Peer, upstream: ScriptedUpstream) -> None:
        await client.send(UPGRADE + b"GET /admin HTTP/1.1\r\nHost: other\r\n\r\n")
        peer = await upstream.accept()
        await peer.head()
        await peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        head, body = await client.answer()
        assert (head.status, body) == (403, b"no")
        await client.until_closed()
        await peer.nothing()
        assert upstream.n_connections == 1

    async def test_a_client_that_leaves_before_the_switch_closes_the_upstream(
        self, client: Peer, upstream: ScriptedUpstream
    ) -> None:
        await client.send(UPGRADE)
        peer = await upstream.accept()
        await peer.head()
        client.close()
        assert await peer.until_closed() == b""

    async def test_a_switch_that_nobody_asked_for_is_no_answer(
        self, client: Peer, upstream: ScriptedUpstream
    ) -> None:
        await client.send(b"GET /v1/x HTTP/1.1\r\nHost: gateway\r\n\r\n")
        peer = await upstream.accept()
        await peer.head()
        await peer.send(SWITCHED)
        head, _ = await client.answer()
        assert head.status == 502

    @pytest.mark.parametrize("protocol", [b"h2c", b"TLS/1.0", b"h2c, websocket"])
    async def test_any_other_protocol_is_declined(
        self, client: Peer, upstream: ScriptedUpstream, protocol: bytes
    ) -> None:
        await client.send(UPGRADE.replace(b"Upgrade: websocket", b"Upgrade: " + protocol))
        peer = await upstream.accept()
        head = await peer.head()
        assert (head.values(b"upgrade"), head.values(b"connection")) == ([], [])
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert (await client.answer())[1] == b"ok"


class TestClosing:
    @pytest.mark.parametrize(
        ("code", "reason"), [(1000, ""), (1001, "bye"), (1008, "policy"), (4000, "ü" * 60)]
    )
    @pytest.mark.parametrize("closer", ["client", "upstream"])
    async def test_code_and_reason_reach_the_other_end(self, code: int, reason: str, closer: str) -> None:
        told: asyncio.Future[tuple[int | None, str | None]] = asyncio.get_running_loop().create_future()

        async def handler(socket: ServerConnection) -> None:
            if closer == "upstream":
                await socket.close(code, reason)
            else:
                await socket.wait_closed()
            told.set_result((socket.close_code, socket.close_reason))

        async with through(handler) as dial, dial() as socket:
            if closer == "client":
                await socket.close(code, reason)
            else:
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
            async with asyncio.timeout(PATIENCE_S):
                assert await told == (code, reason)
            assert (socket.close_code, socket.close_reason) == (code, reason)

    async def test_a_client_that_is_lost_is_lost_to_the_upstream(self) -> None:
        told: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

        async def handler(socket: ServerConnection) -> None:
            await socket.wait_closed()
            told.set_result(socket.close_code)

        async with through(handler) as dial:
            socket = await dial()
            socket.transport.abort()
            async with asyncio.timeout(PATIENCE_S):
                assert await told == CloseCode.ABNORMAL_CLOSURE

    async def test_an_upstream_that_is_lost_is_lost_to_the_client(self) -> None:
        async def handler(socket: ServerConnection) -> None:
            socket.transport.abort()

        async with through(handler) as dial, dial() as socket:
            with pytest.raises(ConnectionClosedError) as caught:
                await socket.recv()
            assert caught.value.rcvd is None

    async def test_one_direction_may_end_before_the_other(
        self, client: Peer, upstream: ScriptedUpstream
    ) -> None:
        peer = await switched(client, upstream)
        client.finish()
        assert await peer.until_closed() == b""  # its end, as of the client
        await peer.send(b"still here")
        assert await client.exactly(10) == b"still here"
        peer.close()
        assert await client.until_closed() == b""

    async def test_a_close_reaches_through_tls(self) -> None:
        authority, trust = trustme.CA(), ssl.create_default_context()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        authority.configure_trust(trust)

        async def handler(socket: ServerConnection) -> None:
            await socket.send(await socket.recv())
            await socket.close(4000, "enough")

        async with websocket_upstream(handler, ssl=context) as server:
            url = url_of(server).replace("http://127.0.0.1", "https://localhost")
            with serving(relay_app(HttpUpstream(url, name="scripted", tls=trust))) as port:
                async with connect(f"ws://127.0.0.1:{port}/v1/realtime", proxy=None) as socket:
                    await socket.send("over TLS")
                    assert await socket.recv() == "over TLS"
                    with pytest.raises(ConnectionClosed):
                        await socket.recv()
                    assert (socket.close_code, socket.close_reason) == (4000, "enough")

    @pytest.mark.parametrize("is_client", [True, False])
    async def test_a_reset_ends_both_without_a_word(
        self, client: Peer, upstream: ScriptedUpstream, is_client: bool
    ) -> None:
        peer = await switched(client, upstream)
        (client if is_client else peer).reset()
        assert await (peer if is_client else client).until_closed() == b""


class TestLimits:
    @pytest.mark.parametrize("is_client", [True, False])
    async def test_a_slow_reader_stops_the_writer(
        self, client: Peer, upstream: ScriptedUpstream, is_client: bool
    ) -> None:
        peer = await switched(client, upstream)
        reader, writer = (client, peer) if is_client else (peer, client)
        reader.hold()
        sending = asyncio.create_task(writer.send(bytes(64 * MIB)))
        assert await writer.stalled() > 32 * MIB
        reader.go_on()
        for _ in range(64):
            assert await reader.exactly(MIB) == bytes(MIB)
        await sending

    async def test_a_tunnel_in_which_nothing_moves_is_broken_off(self) -> None:
        async with ScriptedUpstream() as upstream:
            app = relay_app(HttpUpstream(upstream.url, name="scripted"), tunnel_idle_s=0.05)
            with serving(app) as port:
                async with connected(port) as client:
                    peer = await switched(client, upstream)
                    assert await client.until_closed() == b""
                    assert await peer.until_closed() == b""

    async def test_it_takes_a_turn_at_the_upstream_until_it_ends(self) -> None:
        async with ScriptedUpstream() as upstream:
            limits, timeouts = Limits(max_in_flight=1), Timeouts(queue_s=0.01)
            app = relay_app(HttpUpstream(upstream.url, name="scripted", timeouts=timeouts, limits=limits))
            with serving(app) as port:
                async with connected(port) as client, connected(port) as other:
                    peer = await switched(client, upstream)
                    await other.send(UPGRADE)
                    head, body = await other.answer()
                    assert (head.status, json.loads(body)["error"]["code"]) == (503, "upstream_busy")
                    client.close()
                    await peer.until_closed()
                    peer.close()
                async with connected(port) as client:
                    await switched(client, upstream)


async def switched(client: Peer, upstream: ScriptedUpstream) -> Peer:
    """A tunnel is open; the upstream's end."""
    await client.send(UPGRADE)
    peer = await upstream.accept()
    await peer.head()
    await peer.send(SWITCHED)
    assert (await client.head()).status == 101
    return peer


class TestStop:
    async def test_a_tunnel_has_time_to_end(self, upstream: ScriptedUpstream) -> None:
        async with running(upstream) as process, connected(process.port) as client:
            peer = await switched(client, upstream)
            process.stop()
            await refused(process.port)
            await client.send(b"question")
            assert await peer.exactly(8) == b"question"
            await peer.send(b"answer")
            assert await client.exactly(6) == b"answer"
            client.close()
            await peer.until_closed()
            peer.close()
            assert await process.ended() == (0, "")

    async def test_then_both_ends_see_it_cut(self, upstream: ScriptedUpstream) -> None:
        async with running(upstream, drain_s=0) as process, connected(process.port) as client:
            peer = await switched(client, upstream)
            process.stop()
            assert await client.until_closed() == b""
            assert await peer.until_closed() == b""
            code, said = await process.ended()
            assert code == 0
            assert "Traceback" not in said


class TestWholeGateway:
    """With access, routing and accounts around it."""

    async def test_a_tunnel_is_on_record(self, tmp_path: Path) -> None:
        async with websocket_upstream() as server:
            with whole_gateway(tmp_path, url_of(server)) as port:
                async with connect(f"ws://127.0.0.1:{port}/v1/realtime?model=x", proxy=None) as socket:
                    assert socket.response is not None
                    identity = socket.response.headers["x-pith-id"]
                    await socket.send("hello")
                    assert await socket.recv() == "hello"
                lost = await connect(f"ws://127.0.0.1:{port}/v1/realtime", proxy=None)
        first, cut = rows(tmp_path)
        assert first["id"] == identity
        assert (first["path"], first["status"], first["is_complete"]) == ("/v1/realtime", 101, 1)
        assert (cut["status"], cut["is_complete"]) == (101, 0)  # the server stopped
        await lost.close()

    async def test_the_official_client_talks_in_real_time(self, tmp_path: Path) -> None:
        async def session(socket: ServerConnection) -> None:
            await socket.send(json.dumps({"type": "session.created", "event_id": "1", "session": {}}))
            async for message in socket:
                asked = json.loads(message)
                delta = {"type": "response.output_text.delta", "event_id": "2", "delta": asked["type"]}
                await socket.send(json.dumps(delta))

        async with websocket_upstream(session) as server:
            with whole_gateway(tmp_path, url_of(server)) as port:
                client = openai.AsyncOpenAI(api_key="sk-test", websocket_base_url=f"ws://127.0.0.1:{port}/v1")
                async with client.realtime.connect(model="gpt-realtime") as connection:
                    assert (await connection.recv()).type == "session.created"
                    await connection.response.create()
                    event = await connection.recv()
                    assert event.type == "response.output_text.delta"
                    assert event.delta == "response.create"
                await client.close()

    async def test_pith_has_no_websockets_of_its_own(self, tmp_path: Path) -> None:
        async with ScriptedUpstream() as upstream:
            with whole_gateway(tmp_path, upstream.url) as port:
                async with connected(port) as client:
                    await client.send(UPGRADE.replace(b"/v1/realtime?model=gpt-realtime", b"/pith/healthz"))
                    head, _ = await client.answer()
                    assert head.status == 200
            assert upstream.n_connections == 0

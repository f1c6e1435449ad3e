"""An upstream behind TLS, as every public one is, with a certificate made by each run of these tests."""

from __future__ import annotations

import asyncio
import ssl

import pytest
import trustme

from gateway.errors import UpstreamError
from gateway.types import UpstreamRequest
from gateway.upstreams.http import HttpUpstream
from tests.e2e.conftest import serving
from tests.e2e.relay_app import relay_app
from tests.e2e.scripted_upstream import ScriptedUpstream, connected

GET = b"GET /v1/x HTTP/1.1\r\nHost: gateway\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Vouches for localhost; nobody knows it but who is told."""
    return trustme.CA()


def listening(authority: trustme.CA) -> ScriptedUpstream:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return ScriptedUpstream(context)


def url_of(upstream: ScriptedUpstream) -> str:
    return f"https://{upstream.authority}".replace("127.0.0.1", "localhost")


async def test_streams_and_breaks_and_leavings_pass_through_tls(authority: trustme.CA) -> None:
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    async with listening(authority) as upstream:
        app = relay_app(HttpUpstream(url_of(upstream), name="tls", tls=trust))
        with serving(app) as port:
            async with connected(port) as client:
                await client.send(GET)
                peer = await upstream.accept()
                assert (await peer.head()).start_line == b"GET /v1/x HTTP/1.1"
                await peer.send(CHUNKED + b"3\r\none\r\n")
                await client.head()
                assert await client.chunk() == b"one"
                await peer.send(b"3\r\ntwo\r\n")
                assert await client.chunk() == b"two"
                peer.close()
                with pytest.raises(asyncio.IncompleteReadError):
                    await client.chunk()
            async with connected(port) as client:
                await client.send(GET)
                peer = await upstream.accept()
                await peer.head()
                client.close()
                assert await peer.until_closed() == b""


async def test_a_kept_connection_serves_the_next_request(authority: trustme.CA) -> None:
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    async with listening(authority) as upstream:
        client = HttpUpstream(url_of(upstream), name="tls", tls=trust)
        for n in range(3):
            sending = asyncio.create_task(client.send(UpstreamRequest("POST", b"/", [], b"{}")))
            if n == 0:
                peer = await upstream.accept()
            await peer.answer()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            response = await sending
            assert [chunk async for chunk in response.body] == [b"ok"]
            await response.aclose()
        assert upstream.n_connections == 1
        await client.aclose()


async def test_a_certificate_nobody_vouches_for_is_refused(authority: trustme.CA) -> None:
    async with listening(authority) as upstream:
        client = HttpUpstream(url_of(upstream), name="tls")
        with pytest.raises(UpstreamError, match="'tls' cannot be reached: its certificate is not trusted"):
            await client.send(UpstreamRequest("GET", b"/", [], b""))


async def test_an_upstream_that_speaks_no_tls() -> None:
    async with ScriptedUpstream() as upstream:
        client = HttpUpstream(url_of(upstream), name="plain")
        sending = asyncio.create_task(client.send(UpstreamRequest("GET", b"/", [], b"")))
        await (await upstream.accept()).send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with pytest.raises(UpstreamError, match="'plain' cannot be reached: TLS failed"):
            await sending

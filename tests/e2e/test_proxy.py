"""The transparent path over real sockets: bytes reach the other end as sent, or are seen to break off."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from contextlib import ExitStack
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.e2e.conftest import MakeApp, serving
from tests.e2e.scripted_upstream import Fields, Head, Peer, ScriptedUpstream, connect, connected

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def request(
    method: bytes = b"GET", target: bytes = b"/v1/x", fields: Fields | None = None, body: bytes = b""
) -> bytes:
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: gateway"]
    lines += [name + b": " + value for name, value in fields or []]
    return b"\r\n".join([*lines, b"", body])


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)


class Path:
    """A client's connection through the gateway to the upstream."""

    def __init__(self, client: Peer, upstream: ScriptedUpstream) -> None:
        self.client = client
        self._upstream = upstream
        self._peer: Peer | None = None

    async def peer(self) -> Peer:
        """The upstream's end; the gateway keeps one connection while exchanges end well."""
        self._peer = self._peer or await self._upstream.accept()
        return self._peer

    async def request(self, raw: bytes) -> tuple[Head, bytes]:
        """Send from the client; what arrived upstream."""
        await self.client.send(raw)
        return await (await self.peer()).answer()

    async def exchange(self, raw: bytes, answer: bytes = OK) -> tuple[Head, Head, bytes]:
        """A whole exchange: the head upstream, the head and body at the client."""
        sent, _ = await self.request(raw)
        await (await self.peer()).send(answer)
        return sent, *await self.client.answer()


@pytest.fixture
def path(client: Peer, upstream: ScriptedUpstream) -> Path:
    return Path(client, upstream)


class TestRequests:
    async def test_every_method_arrives(self, path: Path) -> None:
        for method in (b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"PROPFIND"):
            sent, head, body = await path.exchange(request(method))
            assert sent.start_line == method + b" /v1/x HTTP/1.1"
            assert (head.status, body) == (200, b"ok")

    async def test_the_target_arrives_as_spelled(self, path: Path) -> None:
        targets = [
            b"/",
            b"//v1//models/",
            b"/v1/a%2Fb%2fc/%41%20%zz",
            b"/v1/../v1/./x",
            b"/v1/x?",
            b"/v1/x??a=?",
            b"/v1/x?a=b+c&a=%20&&=&d",
            b"/v1/x;p=1/'\"|{}[]?q='\"|{}[]",
            b"/v1/x?url=http://other/path",
        ]
        for target in targets:
            sent, _, _ = await path.exchange(request(target=target))
            assert sent.target == target

    async def test_fields_arrive_in_order_with_duplicates_and_nothing_is_added(
        self, path: Path, upstream: ScriptedUpstream
    ) -> None:
        fields = [
            (b"x-b", b"1"),
            (b"user-agent", b"OpenAI/Python 2.0"),
            (b"cookie", b"a=1"),
            (b"x-a", b'"quoted", \xe9'),
            (b"authorization", b"Bearer sk-client"),
            (b"cookie", b"b=2"),
            (b"accept-encoding", b"gzip;q=0.5, br"),
            (b"x-b", b""),
            (b"content-type", b"application/json"),
            (b"idempotency-key", b"k"),
            (b"content-length", b"2"),
        ]
        sent, _, _ = await path.exchange(request(b"POST", fields=fields, body=b"{}"))
        assert sent.fields == [(b"host", upstream.authority.encode()), *fields]

    async def test_names_of_fields_pass_as_spelled(self, path: Path) -> None:
        answer = b"HTTP/1.1 200 OK\r\nX-Answer: Two\r\ncontent-LENGTH: 0\r\n\r\n"
        sent, head, _ = await path.exchange(request(fields=[(b"X-Asked", b"One")]), answer)
        assert sent.fields[1:] == [(b"X-Asked", b"One")]
        assert head.fields == [(b"X-Answer", b"Two"), (b"content-LENGTH", b"0")]

    async def test_connection_fields_and_our_own_stay_here(self, path: Path) -> None:
        dropped = [
            (b"Connection", b"keep-alive, X-Secret"),
            (b"X-Secret", b"1"),
            (b"Connection", b"x-other"),
            (b"X-Other", b"2"),
            (b"Keep-Alive", b"timeout=5"),
            (b"TE", b"trailers"),
            (b"Proxy-Authorization", b"Basic x"),
            (b"X-Pith-Mode", b"off"),
        ]
        sent, _, _ = await path.exchange(request(fields=[*dropped, (b"x-kept", b"3")]))
        assert sent.fields[1:] == [(b"x-kept", b"3")]

    async def test_what_a_client_says_of_its_retries_passes(self, path: Path) -> None:
        fields = [(b"x-stainless-retry-count", b"2"), (b"idempotency-key", b"stainless-python-retry-1")]
        sent, _, _ = await path.exchange(request(b"POST", fields=fields))
        assert sent.fields[1:] == fields

    async def test_a_request_without_body_gets_none(self, path: Path) -> None:
        for method in (b"GET", b"POST", b"DELETE"):
            sent, _, _ = await path.exchange(request(method))
            assert [name for name, _ in sent.fields] == [b"host"]

    async def test_a_body_keeps_its_length(self, path: Path) -> None:
        body = bytes(range(256)) * 8
        sent, received = await path.request(
            request(b"POST", fields=[(b"content-length", b"2048")], body=body)
        )
        assert sent.values(b"content-length") == [b"2048"]
        assert sent.values(b"transfer-encoding") == []
        assert received == body

    async def test_a_body_in_chunks_arrives_in_chunks(self, path: Path) -> None:
        raw = request(
            b"POST", fields=[(b"Transfer-Encoding", b"chunked")], body=chunked(b"ab", b"c") + b"0\r\n\r\n"
        )
        sent, received = await path.request(raw)
        assert sent.values(b"transfer-encoding") == [b"chunked"]
        assert received == b"abc"

    async def test_an_upload_streams(self, path: Path) -> None:
        await path.client.send(
            request(b"POST", fields=[(b"Transfer-Encoding", b"chunked")], body=chunked(b"one"))
        )
        peer = await path.peer()
        await peer.head()
        assert await peer.chunk() == b"one"
        await path.client.send(chunked(b"two") + b"0\r\n\r\n")
        assert await peer.chunk() == b"two"

    async def test_an_upgrade_nobody_serves_is_an_ordinary_request(self, path: Path) -> None:
        """As Java's client asks for HTTP/2 on every plain connection."""
        fields = [
            (b"Connection", b"Upgrade, HTTP2-Settings"),
            (b"Upgrade", b"h2c"),
            (b"HTTP2-Settings", b"AA"),
        ]
        sent, head, body = await path.exchange(request(fields=[*fields, (b"x-kept", b"1")]))
        assert sent.fields[1:] == [(b"x-kept", b"1")]
        assert (head.status, body) == (200, b"ok")

    async def test_connections_are_kept_for_the_next_request(
        self, path: Path, upstream: ScriptedUpstream
    ) -> None:
        for _ in range(3):
            await path.exchange(request())
        assert upstream.n_connections == 1


class TestAnswers:
    async def test_status_and_error_bodies_pass(self, path: Path) -> None:
        body = b'{"error": {"message": "caf\xc3\xa9", "extra": 1.10}}'
        rest = b"Location: /other\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        for status in (200, 201, 202, 299, 301, 307, 400, 401, 404, 408, 409, 422, 429, 500, 503, 529):
            raw = b"HTTP/1.1 %d Whatever\r\n" % status + rest
            _, head, received = await path.exchange(request(b"POST"), raw)
            assert (head.status, received) == (status, body)

    async def test_the_reason_passes(self, path: Path) -> None:
        for line in (
            b"200 Fine by me",
            b"200 ",
            b"404 Nicht gefunden",
            b"529 Site is overloaded",
            b"299 x\xe9",
        ):
            _, head, _ = await path.exchange(request(), b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % line)
            assert head.start_line == b"HTTP/1.1 " + line
        interim = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 Late\r\nContent-Length: 0\r\n\r\n"
        _, head, _ = await path.exchange(request(), interim)
        assert head.start_line == b"HTTP/1.1 200 Late"

    async def test_fields_return_in_order_with_duplicates_and_nothing_is_added(self, path: Path) -> None:
        fields = [
            (b"date", b"Tue, 01 Jan 2030 00:00:00 GMT"),
            (b"server", b"cloudflare"),
            (b"set-cookie", b"a=1; Path=/"),
            (b"x-request-id", b"req_1"),
            (b"set-cookie", b"b=2"),
            (b"retry-after-ms", b"10"),
            (b"x-latin", b"caf\xe9"),
            (b"content-length", b"0"),
        ]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
        dropped = b"Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"
        _, head, _ = await path.exchange(request(), b"HTTP/1.1 200 OK\r\n" + dropped + lines + b"\r\n")
        assert head.fields == fields

    async def test_encoded_bytes_pass_undecoded(self, path: Path) -> None:
        body = gzip.compress(b'{"a": 1}' * 100, mtime=0)
        raw = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        _, head, received = await path.exchange(request(), raw)
        assert head.values(b"content-encoding") == [b"gzip"]
        assert received == body

    async def test_answers_without_body(self, path: Path) -> None:
        cases = [
            (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n", [(b"Content-Length", b"1234")]),
            (b"HEAD", b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n", []),
            (b"GET", b"HTTP/1.1 204 No Content\r\nx-a: 1\r\n\r\n", [(b"x-a", b"1")]),
            (
                b"GET",
                b"HTTP/1.1 304 Not Modified\r\nETag: w\r\nContent-Length: 9\r\n\r\n",
                [(b"ETag", b"w"), (b"Content-Length", b"9")],
            ),
        ]
        for method, raw, fields in cases:
            await path.client.send(request(method))
            peer = await path.peer()
            await peer.head()
            await peer.send(raw)
            head = await path.client.head()
            assert (head.status, head.fields) == (int(raw[9:12]), fields)
        _, _, body = await path.exchange(request())  # and no stray byte stands before the next answer
        assert body == b"ok"

    async def test_interim_answers_are_read_over(self, path: Path) -> None:
        interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        _, head, body = await path.exchange(request(), interim + OK)
        assert (head.status, head.values(b"link"), body) == (200, [], b"ok")

    async def test_expect_continue_is_answered(self, path: Path) -> None:
        fields = [(b"Expect", b"100-continue"), (b"content-length", b"2")]
        await path.client.send(request(b"POST", fields=fields))
        assert (await path.client.head()).status == 100
        await path.client.send(b"{}")
        _, body = await (await path.peer()).answer()
        assert body == b"{}"

    async def test_a_body_that_ends_with_the_connection(self, path: Path) -> None:
        await path.request(request())
        peer = await path.peer()
        await peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of ")
        await peer.send(b"it")
        peer.close()
        assert (await path.client.answer())[1] == b"all of it"

    async def test_an_early_answer_does_not_wait_for_the_upload(self, path: Path) -> None:
        await path.client.send(request(b"POST", fields=[(b"content-length", b"1000000")], body=b"x" * 1000))
        peer = await path.peer()
        await peer.head()
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
        head, body = await path.client.answer()
        assert (head.status, body) == (413, b"big")
        await peer.until_closed()


class TestStreams:
    async def test_no_event_waits_for_the_next(self, path: Path) -> None:
        await path.request(request(b"POST"))
        peer = await path.peer()
        await peer.send(CHUNKED)
        assert (await path.client.head()).status == 200  # the head came before any event
        for i in range(20):
            event = b"data: %d\n\n" % i
            await peer.send(chunked(event))
            assert await path.client.chunk() == event
        await peer.send(b"0\r\n\r\n")
        assert await path.client.chunk() == b""

    async def test_a_length_given_streams_too(self, path: Path) -> None:
        await path.request(request())
        peer = await path.peer()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        await path.client.head()
        assert await path.client.exactly(3) == b"abc"
        await peer.send(b"def")
        assert await path.client.exactly(3) == b"def"


BODY = 'data: {"text": "café 😀"}\r\n\r\ndata: [DONE]\n\n'.encode()
ANSWER = CHUNKED + chunked(BODY[:7], BODY[7:20], BODY[20:]) + b"0\r\n\r\n"


def test_any_split_of_an_answer_gives_the_same_bytes(make_app: MakeApp) -> None:
    async def exchange(path: Path, cuts: list[int]) -> bytes:
        await path.request(request())
        peer = await path.peer()
        for start, end in pairwise([0, *cuts, len(ANSWER)]):
            await peer.send(ANSWER[start:end])
        return (await path.client.answer())[1]

    with asyncio.Runner() as runner, ExitStack() as stack:
        upstream = ScriptedUpstream()
        runner.run(upstream.__aenter__())
        stack.callback(lambda: runner.run(upstream.__aexit__(None, None, None)))
        port = stack.enter_context(serving(make_app(upstream.url)))
        client = runner.run(connect(port))
        stack.callback(client.close)
        path = Path(client, upstream)

        @given(st.sets(st.integers(1, len(ANSWER) - 1), max_size=8))
        def holds(cuts: set[int]) -> None:
            assert runner.run(exchange(path, sorted(cuts))) == BODY

        holds()


class TestTheClientLeaves:
    """The upstream sees its connection end, whatever the gateway is waiting for."""

    async def test_before_the_first_byte(self, path: Path) -> None:
        await path.request(request(b"POST", fields=[(b"content-length", b"2")], body=b"{}"))
        path.client.close()
        assert await (await path.peer()).until_closed() == b""

    async def test_by_saying_that_it_sends_no_more(self, path: Path) -> None:
        """It looks like leaving: whoever half-closes and whoever is gone send the same."""
        await path.request(request())
        path.client.finish()
        assert await (await path.peer()).until_closed() == b""

    async def test_in_the_middle_of_the_answer(self, path: Path) -> None:
        await path.request(request())
        peer = await path.peer()
        await peer.send(CHUNKED + chunked(b"data: 1\n\n"))
        await path.client.head()
        path.client.close()
        assert await peer.until_closed() == b""

    @pytest.mark.parametrize("framing", [(b"content-length", b"1000"), (b"transfer-encoding", b"chunked")])
    async def test_in_the_middle_of_its_upload(self, path: Path, framing: tuple[bytes, bytes]) -> None:
        part = b"x" * 10 if framing[0] == b"content-length" else chunked(b"x" * 10)
        await path.client.send(request(b"POST", fields=[framing], body=part))
        peer = await path.peer()
        await peer.head()
        await peer.exactly(len(part))
        path.client.close()
        assert await peer.until_closed() == b""  # nothing that would end the chunked body cleanly

    async def test_between_an_early_answer_and_the_rest_of_its_upload(self, path: Path) -> None:
        await path.client.send(request(b"POST", fields=[(b"content-length", b"1000")], body=b"x"))
        peer = await path.peer()
        await peer.head()
        await peer.send(CHUNKED + chunked(b"early"))
        assert (await path.client.head()).status == 200
        path.client.reset()
        await peer.until_closed()

    async def test_without_having_read_what_was_sent(self, path: Path) -> None:
        await path.request(request())
        peer = await path.peer()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n")
        await path.client.head()
        sending = asyncio.create_task(peer.send(bytes(64 << 20)))
        path.client.hold()
        assert await peer.stalled() > 32 << 20
        path.client.reset()
        with pytest.raises(ConnectionError):
            await sending

    async def test_other_clients_go_on(self, path: Path, gateway: int, upstream: ScriptedUpstream) -> None:
        await path.request(request())
        async with connected(gateway) as other:
            other_path = Path(other, upstream)
            await other_path.request(request())
            path.client.close()
            await (await path.peer()).until_closed()
            await (await other_path.peer()).send(OK)
            assert (await other.answer())[1] == b"ok"


class TestTheUpstreamBreaks:
    """The client sees a break too, never a clean end; and the log no error of ours."""

    @pytest.mark.parametrize(
        "sent",
        [
            CHUNKED + chunked(b"data: 1\n\n"),
            CHUNKED + chunked(b"data: 1\n\n") + b"5\r\nab",
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        ],
        ids=["between chunks", "inside a chunk", "before its length"],
    )
    @pytest.mark.parametrize("how", ["close", "reset"])
    async def test_in_the_middle_of_the_answer(
        self, path: Path, sent: bytes, how: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        await path.request(request())
        peer = await path.peer()
        await peer.send(sent)
        head = await path.client.head()
        getattr(peer, how)()
        with pytest.raises(asyncio.IncompleteReadError):
            await path.client.body(head)
        assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []

    async def test_with_a_chunk_size_that_is_none(self, path: Path) -> None:
        await path.request(request())
        peer = await path.peer()
        await peer.send(CHUNKED + chunked(b"whole") + b"zz\r\n")
        head = await path.client.head()
        assert await path.client.chunk() == b"whole"  # what came before the break is delivered
        with pytest.raises(asyncio.IncompleteReadError):
            await path.client.body(head)

    @pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nConte", b"SSH-2.0-OpenSSH\r\n\r\n"])
    async def test_before_it_answered(self, path: Path, sent: bytes) -> None:
        await path.request(request())
        peer = await path.peer()
        await peer.send(sent)
        peer.close()
        head, body = await path.client.answer()
        error = json.loads(body)["error"]
        assert (head.status, head.values(b"content-type")) == (502, [b"application/json"])
        assert set(error) == {"message", "type", "param", "code"}
        assert error["code"] == "upstream_unavailable"
        assert "'scripted'" in error["message"]

    async def test_nobody_listens(self, make_app: MakeApp, unused_tcp_port: int) -> None:
        with serving(make_app(f"http://127.0.0.1:{unused_tcp_port}")) as port:
            async with connected(port) as client:
                await client.send(request())
                head, body = await client.answer()
                await client.send(request(b"HEAD"))
                assert (await client.head()).status == 502
        assert head.status == 502
        assert "connection refused" in json.loads(body)["error"]["message"]
        assert head.values(b"x-should-retry") == []

    async def test_a_kept_connection_that_closed_is_not_used_again(
        self, path: Path, client: Peer, upstream: ScriptedUpstream
    ) -> None:
        await path.request(request())
        peer = await path.peer()
        await peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        await client.answer()
        again = Path(client, upstream)
        assert (await again.exchange(request()))[2] == b"ok"
        assert upstream.n_connections == 2

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import pytest
from starlette.types import Message

from gateway.client import request_body
from gateway.errors import UpstreamBroken, UpstreamBusy, UpstreamError, UpstreamTimeout
from gateway.passthrough import CLIENT_GONE, Answer, Outcome, Tap, relay
from gateway.refusal import Refusal
from gateway.types import RawHeaders, UpstreamRequest, UpstreamResponse

REQUEST = UpstreamRequest("POST", b"/v1/x", [(b"x-a", b"1")], b"{}")


class FakeResponse(UpstreamResponse):
    is_closed = False

    async def aclose(self) -> None:
        self.is_closed = True


@dataclass
class FakeUpstream:
    """Answers with `chunks`; an exception among them is raised in its place."""

    chunks: Sequence[bytes | Exception] = ()
    status: int = 200
    headers: RawHeaders = field(default_factory=list)
    error: UpstreamError | None = None
    requests: list[UpstreamRequest] = field(default_factory=list)
    responses: list[FakeResponse] = field(default_factory=list)

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        self.requests.append(request)
        if self.error is not None:
            raise self.error
        self.responses.append(FakeResponse(self.status, self.headers, self._body(), reason=b"Made"))
        return self.responses[-1]

    async def aclose(self) -> None: ...

    async def _body(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk


class Client:
    """Stays until `leave`, or leaves upon the n-th message sent to it."""

    def __init__(self, leaves_at: int | None = None) -> None:
        self.sent: list[Message] = []
        self._leaves_at = leaves_at
        self._gone = asyncio.Event()
        if leaves_at == 0:
            self._gone.set()

    async def receive(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        if len(self.sent) == self._leaves_at:
            self._gone.set()
            await asyncio.Event().wait()  # as a full socket would

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])

    @property
    def is_ended(self) -> bool:
        return not self.sent[-1].get("more_body", True) if self.sent else False


async def relayed(client: Client, upstream: FakeUpstream, *, tap: Tap | None = None) -> Outcome:
    ticks = count(0.0, 1.0)
    answer = Answer(
        client.send, added=lambda waited_s: [(b"x-pith-id", b"1")], tap=tap, clock=lambda: next(ticks)
    )
    await relay(client.receive, answer, upstream, REQUEST)
    return answer.outcome()


async def test_an_answer_goes_by_chunk_by_chunk() -> None:
    upstream = FakeUpstream([b"a", b"b"], 201, [(b"X-A", b"1"), (b"Connection", b"close"), (b"x-a", b"2")])
    client = Client()
    outcome = await relayed(client, upstream)
    assert client.sent == [
        {
            "type": "http.response.start",
            "status": 201,
            "headers": [(b"X-A", b"1"), (b"x-a", b"2"), (b"x-pith-id", b"1")],
            "reason": b"Made",
        },
        {"type": "http.response.body", "body": b"a", "more_body": True},
        {"type": "http.response.body", "body": b"b", "more_body": True},
        {"type": "http.response.body", "body": b"", "more_body": False},
    ]
    assert outcome == Outcome(201, is_complete=True, first_byte_s=2.0, total_s=3.0)
    assert upstream.requests == [REQUEST]
    assert upstream.responses[0].is_closed


async def test_an_answer_without_body() -> None:
    client = Client()
    outcome = await relayed(client, FakeUpstream([], 304, [(b"content-length", b"9"), (b"etag", b"w")]))
    assert client.sent[0]["headers"] == [(b"content-length", b"9"), (b"etag", b"w"), (b"x-pith-id", b"1")]
    assert outcome == Outcome(304, is_complete=True, first_byte_s=None, total_s=2.0)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UpstreamError("upstream 'a' cannot be reached"), 502, "upstream_unavailable"),
        (UpstreamTimeout("upstream 'a' was silent"), 504, "upstream_timeout"),
        (UpstreamBusy("upstream 'a' has much to do", retry_after_s=7), 503, "upstream_busy"),
    ],
)
async def test_no_answer_is_answered_in_openais_shape(error: UpstreamError, status: int, code: str) -> None:
    client = Client()
    outcome = await relayed(client, FakeUpstream(error=error))
    assert (outcome.status, outcome.is_complete, outcome.first_byte_s) == (status, True, None)
    headers = dict(client.sent[0]["headers"])
    assert headers[b"content-length"] == b"%d" % len(client.body)
    assert headers[b"x-pith-id"] == b"1"
    assert headers[b"retry-after"] == (b"7" if error.retry_after_s else b"1")
    assert json.loads(client.body) == {
        "type": "error",
        "error": {"message": str(error), "type": "api_error", "param": None, "code": code},
    }


async def test_a_broken_answer_is_never_ended() -> None:
    upstream = FakeUpstream([b"a", UpstreamBroken("broke")])
    client = Client()
    outcome = await relayed(client, upstream)
    assert (outcome.status, outcome.is_complete) == (200, False)
    assert (client.body, client.is_ended) == (b"a", False)
    assert upstream.responses[0].is_closed


@pytest.mark.parametrize(("leaves_at", "status"), [(0, CLIENT_GONE), (1, CLIENT_GONE), (2, 200), (3, 200)])
async def test_a_client_that_leaves_closes_the_upstream(leaves_at: int, status: int) -> None:
    upstream = FakeUpstream([b"a", b"b"])
    client = Client(leaves_at)
    if leaves_at == 0:
        upstream.send = _never  # type: ignore[method-assign]  # the fake's own
    outcome = await relayed(client, upstream)
    assert (outcome.status, outcome.is_complete) == (status, False)
    assert all(response.is_closed for response in upstream.responses)
    assert not client.is_ended


async def _never(request: UpstreamRequest) -> UpstreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


class Holding:
    """A tap that holds back one byte and changes the head."""

    def __init__(self) -> None:
        self.status = 0
        self._held = b""

    def head(self, status: int, headers: RawHeaders) -> RawHeaders | None:
        self.status = status
        return [*headers, (b"x-tap", b"1")] if headers else None

    def feed(self, chunk: bytes) -> bytes:
        whole = self._held + chunk
        self._held = whole[-1:]
        return whole[:-1]

    def end(self) -> bytes:
        return self._held


class TestTap:
    async def test_says_what_is_forwarded(self) -> None:
        client, tap = Client(), Holding()
        outcome = await relayed(client, FakeUpstream([b"a", b"bc"], 202, [(b"x", b"1")]), tap=tap)
        assert [message["body"] for message in client.sent[1:]] == [b"ab", b"c"]
        assert (b"x-tap", b"1") in client.sent[0]["headers"]
        assert (tap.status, outcome.first_byte_s, client.is_ended) == (202, 2.0, True)

    async def test_may_leave_the_head(self) -> None:
        client = Client()
        await relayed(client, FakeUpstream([b"a"]), tap=Holding())
        assert client.sent[0]["headers"] == [(b"x-pith-id", b"1")]

    @pytest.mark.parametrize("chunks", [[b"ab"], []])
    async def test_gives_what_it_held_before_a_break(self, chunks: list[bytes]) -> None:
        client = Client()
        outcome = await relayed(client, FakeUpstream([*chunks, UpstreamBroken("broke")]), tap=Holding())
        assert client.body == b"".join(chunks)
        assert (outcome.is_complete, client.is_ended) == (False, False)


async def test_a_request_that_ends_in_no_request_is_refused_and_on_record() -> None:
    class Broken(Client):
        async def receive(self) -> Message:
            raise Refusal(400, code="malformed_request", message="not a number", is_closing=True)

    class Reading(FakeUpstream):
        async def send(self, request: UpstreamRequest) -> UpstreamResponse:
            assert not isinstance(request.body, bytes)
            return await super().send(replace(request, body=b"".join([part async for part in request.body])))

    client, upstream = Broken(), Reading()
    body = request_body({"headers": [(b"content-length", b"9")]}, client.receive)
    answer = Answer(client.send, added=lambda waited_s: [(b"x-pith-id", b"1")])
    await relay(client.receive, answer, upstream, replace(REQUEST, body=body))
    assert (client.sent[0]["status"], upstream.requests) == (400, [])
    assert (b"x-pith-id", b"1") in client.sent[0]["headers"]
    assert (answer.outcome().status, answer.outcome().is_complete) == (400, True)

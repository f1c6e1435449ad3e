"""Answers of our own."""

from __future__ import annotations

import json

import pytest
from starlette.types import Message

from gateway.refusal import Refusal, refuse


async def answered(refusal: Refusal) -> tuple[Message, Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await refuse(send, refusal, [(b"x-pith-id", b"pith-1")])
    start, body = sent
    return start, body


async def test_the_answer_has_openais_shape_and_its_own_length() -> None:
    start, body = await answered(Refusal(503, "overloaded", "too much at once", retry_after_s=1))

    headers = dict(start["headers"])
    assert start["status"] == 503
    assert headers[b"content-length"] == b"%d" % len(body["body"])
    assert headers[b"retry-after"] == b"1"
    assert headers[b"x-pith-id"] == b"pith-1"
    assert json.loads(body["body"]) == {
        "type": "error",
        "error": {"message": "too much at once", "type": "api_error", "param": None, "code": "overloaded"},
    }


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
    ],
)
def test_the_kind_follows_from_the_status(status: int, kind: str) -> None:
    assert json.loads(Refusal(status, "code", "message").body())["error"]["type"] == kind


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_what_a_client_would_retry_by_itself_it_is_told_not_to(status: int) -> None:
    assert (b"x-should-retry", b"false") in Refusal(status, "code", "message").headers()


def test_a_time_to_wait_invites_a_retry() -> None:
    names = {name for name, _ in Refusal(429, "code", "message", retry_after_s=2).headers()}
    assert b"x-should-retry" not in names


def test_nothing_is_said_of_retries_where_clients_make_none() -> None:
    names = [name for name, _ in Refusal(400, "code", "message").headers()]
    assert names == [b"content-type", b"content-length"]


def test_a_connection_that_cannot_go_on_is_closed() -> None:
    assert (b"connection", b"close") in Refusal(400, "code", "message", is_closing=True).headers()

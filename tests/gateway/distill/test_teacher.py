"""One request to a real endpoint, and what comes of it."""

from __future__ import annotations

import json

import pytest

from gateway.distill.teacher import Busy, Endpoint, Lost, NoAnswer, Refused, Reply, Teacher, TeacherError
from gateway.types import Usage
from tests.gateway.distill.teacher_server import Said, TeacherServer, completion

KEY = "sk-secret-1"


async def ask(said: Said, **endpoint: object) -> tuple[Reply, TeacherServer]:
    with TeacherServer(lambda n, asked: said) as server:
        there = Endpoint(server.url, "gpt-x", **{"key": KEY, **endpoint})  # type: ignore[arg-type]  # as given
        async with Teacher(there, "delete words", 1) as teacher:
            return await teacher.ask("the text", 77), server


async def test_an_answer_and_what_was_asked() -> None:
    reply, server = await ask(completion("{}"), body={"max_tokens": None, "seed": 1, "temperature": 0})
    assert reply == Reply("{}", True, Usage(100, 10))
    [asked] = server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.body == {
        "model": "gpt-x",
        "messages": [
            {"role": "system", "content": "delete words"},
            {"role": "user", "content": "the text"},
        ],
        "seed": 1,
        "temperature": 0,
    }


async def test_no_key_is_sent_where_none_is_given() -> None:
    _, server = await ask(completion("x"), key=None)
    assert "authorization" not in server.asked[0].headers
    assert server.asked[0].body["max_tokens"] == 77


@pytest.mark.parametrize(
    ("end", "path"),
    [
        ("/", "/v1/chat/completions"),
        ("", "/v1/chat/completions"),
        ("/v1/", "/v1/chat/completions"),
        ("/a/v2", "/a/v2/chat/completions"),
    ],
)
async def test_a_host_alone_stands_for_its_v1(end: str, path: str) -> None:
    with TeacherServer(lambda n, asked: completion("x")) as server:
        url = server.url.removesuffix("/v1") + end
        async with Teacher(Endpoint(url, "m"), "", 1) as teacher:
            await teacher.ask("a", 1)
    assert [asked.path for asked in server.asked] == [path]


async def test_an_answer_that_was_cut_or_says_nothing() -> None:
    assert (await ask(completion("x", "length")))[0].is_whole is False
    assert (await ask(completion(None, usage=None)))[0] == Reply("", True, None)


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        (Said(b"{}", 429, {"retry-after": "3"}), Busy, "status 429"),
        (Said(b"{}", 500), Busy, "status 500"),
        (Said(b"oops", 503, {"retry-after": "Thu, 01 Jan 2026 00:00:00 GMT"}), Busy, "status 503"),
        (Said(b"<html>"), Lost, "no chat completion"),
        (Said(b'{"choices": [{"mess'), Lost, "no chat completion"),
        (Said(b'{"choices": []}'), Lost, "no chat completion"),
        (Said(b'{"choices": [3]}'), Lost, "no chat completion"),
        (Said(b'{"choices": [{"message": {}}]}', cut=5), Lost, "the connection broke off"),
        (Said(b'{"error": {"message": "too rude"}}', 400), Refused, "status 400: too rude"),
        (Said(b"[]", 422), Refused, "status 422: no reason given"),
        (Said(b'{"error": {"message": "key sk-secret-1"}}', 401), TeacherError, "answers with status 401"),
        (Said(b"{}", 302, {"location": "/"}), TeacherError, "answers with status 302"),
        (Said(b"{}", 404), TeacherError, "answers with status 404"),
    ],
)
async def test_what_goes_wrong_has_a_kind(said: Said, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        await ask(said)
    assert KEY not in str(caught.value)


async def test_how_long_to_wait_is_taken_from_the_answer() -> None:
    for written, wait_s in {"3": 3.0, "0": 0.0, "-1": None, "nan": None, "soon": None}.items():
        with pytest.raises(Busy) as caught:
            await ask(Said(b"", 429, {"retry-after": written}))
        assert caught.value.wait_s == wait_s


async def test_nobody_there() -> None:
    with TeacherServer(lambda n, asked: Said()) as server:
        url = server.url
    async with Teacher(Endpoint(url, "x"), "", 1) as teacher:
        with pytest.raises(Busy, match="no connection"):
            await teacher.ask("a", 1)


@pytest.mark.parametrize(
    "endpoint", [Endpoint("http://a\x7f", "m", KEY), Endpoint("http://a", "m", "sk-secret-1é")]
)
async def test_what_cannot_be_asked_is_said(endpoint: Endpoint) -> None:
    async with Teacher(endpoint, "", 1) as teacher:
        with pytest.raises(TeacherError, match=r"cannot be asked: .*; check --url and the key") as caught:
            await teacher.ask("a", 1)
    assert KEY not in str(caught.value)


def test_a_key_is_not_shown() -> None:
    assert KEY not in repr(Endpoint("http://a", "m", KEY))
    assert issubclass(Refused, NoAnswer)
    assert json.loads(completion("x").content)["choices"][0]["message"]["content"] == "x"

"""gateway.admin.guard: who may ask, from the head of a request alone."""

from __future__ import annotations

from base64 import b64encode

import pytest
from pydantic import SecretStr

from gateway.admin.guard import OPEN_PATHS, Guard
from gateway.types import RawHeaders

TOKEN = "0123456789abcdef"
WITH, WITHOUT = Guard(SecretStr(TOKEN), "0.0.0.0"), Guard(None, "127.0.0.2")


def answer(guard: Guard, headers: RawHeaders, method: str = "GET", path: str = "/metrics") -> int:
    refusal = guard.refuse(method, path, headers)
    return 200 if refusal is None else refusal.status


def host(name: str) -> tuple[bytes, bytes]:
    return b"host", name.encode()


def basic(pair: str) -> str:
    return f"Basic {b64encode(pair.encode()).decode()}"


HERE = host("127.0.0.1:8081")


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8081", 200),
        ("127.0.0.1", 200),
        ("127.0.0.1:9", 200),
        ("[::1]:8081", 200),
        ("[::1]", 200),
        ("127.0.0.2:8081", 200),
        ("evil.example", 403),
        ("localhost.evil.example:8081", 403),
        ("evil.example:127.0.0.1", 403),
        ("", 403),
        ("127.0.0.1.", 403),
    ],
)
def test_without_a_token_the_host_has_to_be_this_machine(name: str, status: int) -> None:
    assert answer(WITHOUT, [host(name)]) == status
    assert answer(WITHOUT, [host(name)], path="/healthz") == status
    assert answer(WITH, [host(name), (b"authorization", f"Bearer {TOKEN}".encode())]) == 200


@pytest.mark.parametrize("headers", [[], [HERE, HERE]])
def test_one_host_is_sent(headers: RawHeaders) -> None:
    assert answer(WITHOUT, headers) == 400


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ([f"Bearer {TOKEN}"], 200),
        ([f"bearer  {TOKEN} "], 200),
        ([], 401),
        ([TOKEN], 401),
        (["Bearer"], 401),
        (["Bearer "], 401),
        ([f"Bearer {TOKEN}x"], 401),
        ([f"Bearer {TOKEN[:-1]}"], 401),
        ([f"Bearer {TOKEN} {TOKEN}"], 401),
        ([f"Basic {TOKEN}"], 401),
        ([basic(f":{TOKEN}")], 200),
        ([basic(f"anyone:{TOKEN}")], 200),
        ([basic(f"{TOKEN}:")], 401),
        ([basic(f"{TOKEN}")], 401),
        ([basic(f"a:b:{TOKEN}")], 401),
        (["Basic"], 401),
        (["Basic \xe9"], 401),
        (["Basic Og=="], 401),
        ([basic(f":{TOKEN}"), basic(f":{TOKEN}")], 401),
        (["Bearer \xe9"], 401),
        ([f"Bearer {TOKEN}", f"Bearer {TOKEN}"], 401),
    ],
)
def test_the_token_is_sent_once_and_whole(values: list[str], status: int) -> None:
    headers = [HERE, *((b"authorization", value.encode("latin-1")) for value in values)]
    assert answer(WITH, headers) == status
    for path in OPEN_PATHS:
        assert answer(WITH, headers, path=path) == 200


def test_no_refusal_tells_the_token() -> None:
    refusal = WITH.refuse("GET", "/metrics", [HERE])
    assert refusal is not None
    assert TOKEN not in refusal.message + repr(WITH)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([], 200),
        ([(b"origin", b"http://127.0.0.1:8081")], 200),
        ([(b"origin", b"https://127.0.0.1:8081")], 200),
        ([(b"sec-fetch-site", b"same-origin")], 200),
        ([(b"origin", b"http://127.0.0.1:8080")], 403),
        ([(b"origin", b"http://evil.example")], 403),
        ([(b"origin", b"null")], 403),
        ([(b"sec-fetch-site", b"cross-site")], 403),
        ([(b"sec-fetch-site", b"same-site")], 403),
        ([(b"origin", b"http://127.0.0.1:8081"), (b"origin", b"http://evil.example")], 403),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH"])
def test_another_sites_page_does_not_write(fields: RawHeaders, status: int, method: str) -> None:
    assert answer(WITHOUT, [HERE, *fields], method) == status
    assert answer(WITH, [HERE, (b"Authorization", f"Bearer {TOKEN}".encode()), *fields], method) == status
    assert answer(WITHOUT, [HERE, *fields], "GET") == 200

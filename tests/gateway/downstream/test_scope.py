"""What an application is told of a request, by our server and by another one."""

from __future__ import annotations

import pytest
from starlette.types import Scope

from gateway.downstream.framing import Head
from gateway.downstream.reader import Opened
from gateway.downstream.scope import Extension, extension_of, scope_of

SPELLED = [(b"Host", b"a"), (b"X-B", b"1")]
LOWERED = [(b"host", b"a"), (b"x-b", b"1")]


def made(target: bytes) -> Scope:
    head = Head(b"GET", target, "1.1", [(b"host", b"a")])
    request = Opened(head, SPELLED, LOWERED, keeps_alive=True, offers_websocket=False)
    return scope_of(request, Extension(target, SPELLED), client=("c", 1), server=("s", 2), state={})


@pytest.mark.parametrize(
    ("target", "path", "raw_path", "query"),
    [
        (b"/a", "/a", b"/a", b""),
        (b"/a?", "/a", b"/a", b""),
        (b"/a%20b?x=%20", "/a b", b"/a%20b", b"x=%20"),
        (b"/a?b?c", "/a", b"/a", b"b?c"),
    ],
)
def test_path_and_query_are_asgis_and_the_target_is_as_spelled(
    target: bytes, path: str, raw_path: bytes, query: bytes
) -> None:
    scope = made(target)
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == (path, raw_path, query)
    assert extension_of(scope).target == target


def test_names_of_fields_are_lower_case_for_asgi_and_as_spelled_beside() -> None:
    scope = made(b"/")
    assert (scope["headers"], extension_of(scope).headers) == (LOWERED, SPELLED)


@pytest.mark.parametrize(
    ("fields", "target"),
    [
        ({"raw_path": b"/a%20b", "query_string": b"x=%20"}, b"/a%20b?x=%20"),
        ({"raw_path": b"/a%20b", "query_string": b""}, b"/a%20b"),
        ({"raw_path": None, "query_string": b""}, b"/a"),
    ],
)
def test_of_another_server_there_is_what_asgi_knows(fields: dict[str, object], target: bytes) -> None:
    told = extension_of({"path": "/a", "headers": LOWERED, **fields})
    assert told == Extension(target, LOWERED)
    assert not told.is_draining

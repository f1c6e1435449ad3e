"""gateway.cache.location: what URLs name, and that no message shows one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cache.location import Login, RedisLocation, Tls, parse_location


@pytest.mark.parametrize(
    ("url", "kind", "hosts", "rest"),
    [
        ("redis://h", "server", (("h", 6379),), {}),
        ("redis://h:7000/", "server", (("h", 7000),), {}),
        ("redis://10.0.0.5:7000/3", "server", (("10.0.0.5", 7000),), {"db": 3}),
        ("redis://[::1]:7000/3", "server", (("::1", 7000),), {"db": 3}),
        ("redis://[::1]", "server", (("::1", 6379),), {}),
        ("redis://u:p@h", "server", (("h", 6379),), {"login": Login("u", "p")}),
        ("redis://:p%40%2F%3A@h", "server", (("h", 6379),), {"login": Login(None, "p@/:")}),
        ("redis://u:a@b@h", "server", (("h", 6379),), {"login": Login("u", "a@b")}),
        ("rediss://h", "server", (("h", 6379),), {"tls": Tls()}),
        ("rediss://h?ca=/a.pem&cert=c&key=k", "server", (("h", 6379),), {"tls": Tls("/a.pem", "c", "k")}),
        ("unix:///run/redis.sock", "socket", (), {"path": "/run/redis.sock"}),
        ("unix://u:p@/a%20b?db=2", "socket", (), {"path": "/a b", "db": 2, "login": Login("u", "p")}),
        (
            "redis+sentinel://u:p@a,b:1/mymaster",
            "sentinel",
            (("a", 26379), ("b", 1)),
            {"service": "mymaster", "login": Login("u", "p")},
        ),
        (
            "rediss+sentinel://a/s/2?sentinel_user=x&sentinel_password=y&ca=c",
            "sentinel",
            (("a", 26379),),
            {"service": "s", "db": 2, "sentinel_login": Login("x", "y"), "tls": Tls("c")},
        ),
        ("redis+cluster://a:1,b", "cluster", (("a", 1), ("b", 6379)), {}),
        ("rediss+cluster://a", "cluster", (("a", 6379),), {"tls": Tls()}),
    ],
)
def test_what_a_url_names(
    url: str, kind: str, hosts: tuple[tuple[str, int], ...], rest: dict[str, object]
) -> None:
    assert parse_location(url) == RedisLocation(kind, url, hosts, **rest)  # type: ignore[arg-type]  # a table's


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "begins with nothing that is known; write memory://, redis://HOST:PORT/DB"),
        ("http://h", "begins with nothing that is known"),
        ("redis:// h", "holds a blank"),
        ("redis://h\n", "holds a blank or a control character"),
        ("redis://", "has a host or port that cannot be read"),
        ("redis://h:0", "has a host or port that cannot be read"),
        ("redis://h:65536", "has a host or port that cannot be read"),
        ("redis://h:²", "has a host or port that cannot be read"),
        ("redis://hé", "has a host or port that cannot be read"),
        ("redis://[::1", "cannot be read as a URL"),
        ("redis://[::1]x", "cannot be read"),
        ("redis://u:p:w@", "has a host or port that cannot be read"),
        ("redis://u:p/w@h", "has a host or port that cannot be read"),
        ("redis://a,b", "names several hosts; for Sentinels write redis+sentinel://"),
        ("redis://h/x", "has a database that is no number"),
        ("redis://h/0/1", "has more than a database's number after the host"),
        ("redis://h/123456", "has a database that is no number"),
        ("redis://u:p#w@h", "holds a #; in a password it is written %23"),
        ("redis://h#", "holds a #"),
        ("redis://h?x=1", "this kind of URL takes none"),
        ("redis://h?ca=x", "this kind of URL takes none"),
        ("rediss://h?c=x", "this kind of URL takes ca, cert, key"),
        ("redis://h?x", "has something after ? that is no parameter"),
        ("unix://run/redis.sock", "names no socket; write unix:///run/redis.sock"),
        ("unix://", "names no socket"),
        ("redis+sentinel://h", "names no service"),
        ("redis+sentinel://h/s/0/1", "names no service"),
        ("redis+cluster://h/0", "names a database, and a Cluster has only one"),
    ],
)
def test_what_is_no_location(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_location(url)
    assert problem in str(caught.value)


PASSWORD = "hunter2"
PIECES = st.sampled_from(
    [
        "redis://",
        "redis+cluster://",
        "unix://",
        "http:",
        "u:",
        PASSWORD,
        "@",
        "h",
        ":",
        ",",
        "/",
        "?",
        "#",
        "[",
        "9",
    ]
)


@given(st.lists(PIECES, max_size=12))
def test_no_message_and_no_representation_shows_a_password(pieces: list[str]) -> None:
    url = "".join(pieces)
    try:
        location = parse_location(url)
    except ValueError as error:
        said = f"{error} {error.__cause__}"
    else:
        said = repr(replace(location, hosts=(), path="", service="", login=Login(None, PASSWORD)))
    assert PASSWORD not in said

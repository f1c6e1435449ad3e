"""URLs of upstreams: what they say, and why others are refused."""

from __future__ import annotations

import pytest

from gateway.upstreams.origin import parse_origin


@pytest.mark.parametrize(
    ("url", "host", "port", "authority", "prefix"),
    [
        ("https://api.openai.com", "api.openai.com", 443, b"api.openai.com", b""),
        ("http://localhost:8000/", "localhost", 8000, b"localhost:8000", b""),
        ("https://h:443/a/b%2F/", "h", 443, b"h:443", b"/a/b%2F"),
        ("http://[::1]:9", "::1", 9, b"[::1]:9", b""),
    ],
)
def test_names_an_origin(url: str, host: str, port: int, authority: bytes, prefix: bytes) -> None:
    origin = parse_origin(url)
    assert (origin.host, origin.port, origin.authority, origin.prefix) == (host, port, authority, prefix)
    assert origin.is_tls == url.startswith("https")


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("api.openai.com", "begin with http:// or https:// and a host"),
        ("ftp://host", "begin with http:// or https:// and a host"),
        ("https://", "begin with http:// or https:// and a host"),
        ("https://host:port", "host or port cannot be read"),
        ("https://a..b", "host or port cannot be read"),
        ("https://host/a b", "must be a plain URL"),
        ("https://host/?a=1", "query or fragment"),
        ("https://host/#a", "query or fragment"),
        ("https://host/v1/", "use 'https://host'"),
        ("https://user:sk-secret@host", "key: env:NAME"),
    ],
)
def test_that_is_no_origin_is_refused(url: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=remedy) as caught:
        parse_origin(url)
    assert "secret" not in str(caught.value)

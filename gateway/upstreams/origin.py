"""Where an upstream is: the one reading of its URL, for the configuration and for the connection."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the configured URL points."""

    is_tls: bool
    host: str
    port: int
    authority: bytes
    """Value of the `Host` field."""
    prefix: bytes
    """Put before every request's own path."""


def parse_origin(url: str) -> Origin:
    """An http(s) origin with an optional path prefix; ValueError for anything less or more.

    No message repeats a URL that holds a user, a query or what cannot be read.
    """
    if not url.isascii() or not url.isprintable() or set(url) & set(' \\<>"'):
        raise ValueError("must be a plain URL such as https://api.openai.com")
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode("ascii")
        port = parts.port
    except ValueError as error:  # what idna raises is one, too
        raise ValueError(
            "is not a URL: its host or port cannot be read; e.g. http://10.0.0.5:8000"
        ) from error
    if fault := _fault(url, parts):
        raise ValueError(fault)
    is_tls = parts.scheme == "https"
    named = f"[{host}]" if ":" in host else host
    authority = named if port is None else f"{named}:{port}"
    prefix = parts.path.rstrip("/").encode("ascii")
    return Origin(is_tls, host, port or (443 if is_tls else 80), authority.encode("ascii"), prefix)


def _fault(url: str, parts: SplitResult) -> str | None:
    if "@" in parts.netloc:
        return "holds a user name or password; remove it and name the credential with key: env:NAME"
    if "?" in url or "#" in url:
        return "holds a query or fragment; remove it, requests bring their own"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"value {url!r}: begin with http:// or https:// and a host"
    if (path := parts.path.rstrip("/")).endswith("/v1"):
        better = parts._replace(path=path.removesuffix("/v1")).geturl()
        return (
            f"value {url!r} ends in /v1, and requests bring /v1 themselves: the upstream would see /v1/v1; "
            f"use {better!r}"
        )
    return None

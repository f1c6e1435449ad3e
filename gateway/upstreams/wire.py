"""HTTP/1.1 without I/O: a request's head as bytes, an answer out of bytes.

Laws: what is written is the target and the header fields given, byte for byte, and nothing else; an answer
reads the same however its bytes were split; its body comes out undecoded; a body that ends early is never
taken for a whole one. No client library keeps the first of them (docs/architecture.md).
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import httptools

from gateway.headers import values, without
from gateway.types import RawHeaders

MAX_HEAD_BYTES = 256 * 1024
"""Status line and header fields of an answer, interim answers included."""

_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class MalformedAnswer(Exception):
    """The upstream's bytes are no whole HTTP/1.1 answer."""


def framed(headers: RawHeaders, body: bytes | AsyncIterator[bytes]) -> tuple[RawHeaders, bool]:
    """`headers` saying how `body` is delimited, and whether it goes in chunks.

    Bytes go with their own length, in the place of the client's; a stream keeps the length the client gave.
    """
    if not isinstance(body, bytes):
        if values(headers, b"content-length"):
            return headers, False
        return [*headers, (b"transfer-encoding", b"chunked")], True
    lengths = [i for i, (name, _) in enumerate(headers) if name.lower() == b"content-length"]
    if not body and not lengths:
        return headers, False
    at = lengths[0] if lengths else len(headers)
    name = headers[at][0] if lengths else b"content-length"
    field = (name, b"%d" % len(body))
    return [*without(headers[:at], _FRAMING), field, *without(headers[at:], _FRAMING)], False


def request_head(method: str, target: bytes, headers: RawHeaders) -> bytes:
    """Request line and header fields; ValueError if any of them would end its line early."""
    lines = [b"%s %s HTTP/1.1\r\n" % (method.encode("ascii"), target)]
    lines += [b"%s: %s\r\n" % field for field in headers]
    head = b"".join([*lines, b"\r\n"])
    n_ends = len(lines) + 1
    if (head.count(b"\r"), head.count(b"\n"), head.count(b"\0")) != (n_ends, n_ends, 0) or b" " in target:
        raise ValueError("request target or header field holds a line break, NUL or blank; nothing was sent")
    return head


class AnswerReader:
    """Reads the one final answer to a request; interim answers (1xx) are read over.

    A 101 to a request that asked for it is final: what follows is another protocol's, and `take`n as it is.
    """

    def __init__(self, *, is_bodiless: bool = False, may_upgrade: bool = False) -> None:
        """`is_bodiless` for the answer to HEAD, whose length describes a body that does not come."""
        self.status = 0
        self.reason = b""
        self.headers: RawHeaders = []
        self.has_head = False
        self.is_complete = False
        self.is_upgraded = False
        self.is_reusable = False
        """Whether the connection may serve another request; false until the answer is complete."""
        self.n_buffered = 0
        self._is_bodiless = is_bodiless
        self._may_upgrade = may_upgrade
        self._is_interim = False
        self._ends_at_eof = False
        self._n_head_bytes = 0
        self._body: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)

    @property
    def has_begun(self) -> bool:
        """Whether any byte has come."""
        return self._n_head_bytes > 0

    def feed(self, data: bytes) -> None:
        """Take in bytes as they arrived."""
        if self.is_upgraded:
            self._add(data)
            return
        if not self.has_head:
            self._n_head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if not self._may_upgrade:
                raise MalformedAnswer("protocol switched unasked") from upgrade
            self.has_head = self.is_upgraded = True
            self._add(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self.is_reusable = False
            if not self.is_complete:
                raise MalformedAnswer("not valid HTTP/1.1") from error
        if not self.has_head and self._n_head_bytes > MAX_HEAD_BYTES:
            raise MalformedAnswer(f"head longer than {MAX_HEAD_BYTES} bytes")

    def feed_eof(self) -> None:
        """The upstream closed the connection: the end of a body without framing, else a break."""
        self.is_reusable = False
        if self.has_head and self._ends_at_eof:
            self.is_complete = True
        if not self.is_complete:
            raise MalformedAnswer("connection closed before the end")

    def take(self) -> bytes:
        """The body bytes that arrived since the last call."""
        body = b"".join(self._body) if len(self._body) != 1 else self._body[0]
        self._body.clear()
        self.n_buffered = 0
        return body

    # Called by the parser.

    def on_message_begin(self) -> None:
        if self.is_complete:
            self.is_reusable = False

    def on_status(self, reason: bytes) -> None:
        if not self.has_head:  # in pieces, as it arrived
            self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.has_head:  # else a trailer, which no ASGI server could send on
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.is_complete:
            return
        self.status = self._parser.get_status_code()
        if self.status < 200:
            self._is_interim = True
            if self.status == 101 and self._may_upgrade:
                return  # the parser goes on to say HttpParserUpgrade, or that no protocol was named
            self.headers.clear()
            self.reason = b""
            return
        if self.status > 599:
            raise MalformedAnswer(f"status {self.status}")
        codings = values(self.headers, b"transfer-encoding")
        if any(coding.strip().lower() != b"chunked" for coding in codings):
            raise MalformedAnswer("a transfer coding other than chunked")
        self._ends_at_eof = not codings and not values(self.headers, b"content-length")
        self.has_head = True
        if self._is_bodiless:
            self._complete()

    def on_body(self, body: bytes) -> None:
        if self.is_complete:  # bytes behind the end: nobody's answer
            self.is_reusable = False
            return
        self._add(body)

    def on_message_complete(self) -> None:
        if self._is_interim:
            self._is_interim = False
        elif not self.is_complete:
            self._complete()

    def _add(self, data: bytes) -> None:
        self._body.append(data)
        self.n_buffered += len(data)

    def _complete(self) -> None:
        self.is_complete = True
        self.is_reusable = self._parser.should_keep_alive()

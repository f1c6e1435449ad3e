"""Requests out of a client's bytes, without I/O.

Laws: requests read the same however their bytes were split; at most MAX_HEAD_BYTES of an unfinished head are
ever held; what is no request raises Refusal, after which nothing may be fed; bytes behind a request that ends
the connection belong to no request.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import httptools

from gateway.downstream.framing import (
    FRAMING,
    MAX_HEAD_BYTES,
    MAX_TARGET_BYTES,
    OVERHEAD_BYTES,
    OVERHEAD_RATIO,
    TELLING,
    Head,
    malformed,
    refusal_of,
    refusal_of_size,
    target_too_long,
    too_large,
    unparsed,
)
from gateway.refusal import Refusal
from gateway.types import RawHeaders


class Opened(NamedTuple):
    """A request whose head is here."""

    head: Head
    spelled: RawHeaders
    """All fields, with their names as spelled."""
    lowered: RawHeaders
    """The same with names in lower case."""
    keeps_alive: bool
    """Whether another request may follow it."""
    offers_websocket: bool

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits to be told to send its body."""
        return self.head.version == "1.1" and _says(self.head, b"expect", b"100-continue")


class Sink(Protocol):
    """Told what is read, in order."""

    def opened(self, request: Opened) -> None:
        """A head."""

    def body(self, data: bytes) -> None:
        """More of the body of the request opened last."""

    def ended(self) -> None:
        """The request opened last is whole."""


class RequestReader:
    """Reads one request after the other."""

    def __init__(self, sink: Sink) -> None:
        self.is_in_head = False
        """The first byte of a request is here, and not the whole head."""
        self.is_in_body = False
        self.is_over = False
        """The request opened last ends the connection, or asks to switch protocols: nothing more is read."""
        self.method = "GET"
        """Of the request being read, as far as it is known."""
        self._sink = sink
        self._parser = httptools.HttpRequestParser(self)
        self._refusal: Refusal | None = None
        self._target = b""
        self._fields: RawHeaders = []
        self._opened: Opened | None = None
        self._is_muted = False
        self._n_head = 0
        self._n_ended = 0
        self._n_body = 0
        self._n_body_wire = 0

    def feed(self, data: bytes) -> bytes:
        """Take in bytes as they arrived; returns those behind the last request. Raises Refusal."""
        while data and not self.is_over:
            data = self._feed(data)
        return data

    def _feed(self, data: bytes) -> bytes:
        """Let the parser read; returns what is left for another time. No head is fed beyond its limit."""
        was_in_body, n_ended = self.is_in_body, self._n_ended
        room = len(data) if was_in_body else MAX_HEAD_BYTES - self._n_head
        part, rest = (data, b"") if len(data) <= room else (data[:room], data[room:])
        try:
            self._parser.feed_data(part)
        except httptools.HttpParserUpgrade as switch:
            return self._switched(part[switch.args[0] :] + rest)
        except httptools.HttpParserError as error:
            if self.is_over:  # what it does not like stands behind the last request
                return b""
            raise self._refusal or unparsed(error, part) from None
        if n_ended != self._n_ended or self.is_in_body:
            self._n_head = 0
        else:
            self._n_head += len(part)
            if self._n_head >= MAX_HEAD_BYTES:
                raise too_large(f"more than {MAX_HEAD_BYTES} bytes before the end of the header fields")
        if was_in_body and self.is_in_body:
            self._check_overhead(len(part))
        return rest

    def _check_overhead(self, n_bytes: int) -> None:
        self._n_body_wire += n_bytes
        if self._n_body_wire > OVERHEAD_BYTES + OVERHEAD_RATIO * self._n_body:
            raise malformed("a chunked body with far more framing than content")

    def _switched(self, rest: bytes) -> bytes:
        """The client offers another protocol, and the parser has stopped behind the head.

        To a WebSocket the bytes that follow belong once the upstream has agreed, and to nobody before. Any
        other offer is declined by saying nothing: the request has a body and successors like every request.
        """
        assert self._opened is not None
        framing = [field for field in self._opened.head.telling if field[0] in FRAMING]
        if self._opened.offers_websocket:
            if framing:
                raise malformed("a request for a WebSocket has no body")
            self._end()
            self.is_over = True
            return rest
        self._parser = httptools.HttpRequestParser(self)
        if framing:
            self._is_muted = True
            self._parser.feed_data(b"POST / HTTP/1.1\r\n%b: %b\r\n\r\n" % framing[0])
            self._is_muted = False
        else:
            self._end()
        return rest

    def _end(self) -> None:
        assert self._opened is not None
        self._n_ended += 1
        self.is_in_body = False
        self.is_over = not self._opened.keeps_alive
        self._sink.ended()

    # Called by the parser.

    def on_message_begin(self) -> None:
        if self._is_muted:
            return
        if self.is_over:  # the parser follows HTTP/1.0's keep-alive, we do not
            raise malformed("the connection was to end before")
        self.is_in_head = True
        self.method = "GET"
        self._target = b""
        self._fields = []

    def on_url(self, url: bytes) -> None:
        if not self._is_muted:
            self._target += url
            if len(self._target) > MAX_TARGET_BYTES:
                raise self._because(target_too_long())

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.is_in_head:  # else a trailer, which has no say in where the request goes
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        if self._is_muted:
            return
        fields, method, version = self._fields, self._parser.get_method(), self._parser.get_http_version()
        self.method = method.decode("ascii")
        lowered = [(name.lower(), value) for name, value in fields]
        head = Head(method, self._target, version, [field for field in lowered if field[0] in TELLING])
        refusal = refusal_of_size(fields) or refusal_of(head)
        if refusal is not None:
            raise self._because(refusal)
        self.is_in_head, self.is_in_body = False, True
        self._n_body = self._n_body_wire = 0
        self._opened = Opened(
            head,
            fields,
            lowered,
            keeps_alive=version == "1.1" and self._parser.should_keep_alive(),
            offers_websocket=self._parser.should_upgrade() and _says(head, b"upgrade", b"websocket"),
        )
        self._sink.opened(self._opened)

    def on_body(self, body: bytes) -> None:
        self._n_body += len(body)
        self._sink.body(body)

    def on_message_complete(self) -> None:
        if not self._parser.should_upgrade():  # else the parser does not look for a body: `_switched` does
            self._end()

    def _because(self, refusal: Refusal) -> Refusal:
        """To raise from a callback, which the parser wraps in an error of its own."""
        self._refusal = refusal
        return refusal


def _says(head: Head, field: bytes, word: bytes) -> bool:
    return any(name == field and value.strip().lower() == word for name, value in head.telling)

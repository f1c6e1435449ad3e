"""Closed-loop load: so many connections, each sending its next request when the last answer is whole.

A bare protocol over httptools, so that the load costs far less than any gateway (some 20 µs a request).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import httptools

WARM_UP_S = 0.3


@dataclass(slots=True)
class Sample:
    """What one run of load saw; only answers begun after the warm-up count."""

    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    first_bytes_s: list[float] = field(default_factory=list)
    """From the last byte sent to the first one of the answer's body."""
    n_events: int = 0
    """Events of streamed answers."""
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        """Whole answers a second."""
        return len(self.latencies_s) / self.seconds

    @property
    def events_per_second(self) -> float:
        """Events of streamed answers a second."""
        return self.n_events / self.seconds


@dataclass(slots=True)
class _Run:
    requests: Iterator[bytes]
    counts_from: float
    ends_at: float
    sample: Sample


class _Sender(asyncio.Protocol):
    """One connection."""

    def __init__(self, run: _Run, ended: asyncio.Future[None]) -> None:
        self._run = run
        self._ended = ended
        self._began = self._first = 0.0
        self._n_events = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's do not subclass asyncio's
        self._parser = httptools.HttpResponseParser(self)
        self._send()

    def _send(self) -> None:
        self._first, self._n_events = 0.0, 0
        self._transport.write(next(self._run.requests))
        self._began = time.perf_counter()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(ConnectionResetError("the connection ended in the middle of the run"))

    def _fail(self, error: Exception) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)

    # Called by the parser.

    def on_body(self, body: bytes) -> None:
        self._first = self._first or time.perf_counter()
        self._n_events += body.count(b"data: ")

    def on_message_complete(self) -> None:
        now, run = time.perf_counter(), self._run
        if self._began >= run.counts_from and now <= run.ends_at:
            status = self._parser.get_status_code()
            run.sample.statuses[status] = run.sample.statuses.get(status, 0) + 1
            run.sample.latencies_s.append(now - self._began)
            run.sample.first_bytes_s.append((self._first or now) - self._began)
            run.sample.n_events += self._n_events
        if now < run.ends_at:
            self._send()
        elif not self._ended.done():
            self._ended.set_result(None)


async def load(url: str, requests: Sequence[bytes], n_connections: int, seconds: float) -> Sample:
    """`n_connections` send `requests` in turn for `seconds` seconds. Raises OSError, httptools' errors."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    counts_from = time.perf_counter() + WARM_UP_S
    sample = Sample(seconds)
    run = _Run(itertools.cycle(requests), counts_from, counts_from + seconds, sample)
    loop = asyncio.get_running_loop()
    ends: list[asyncio.Future[None]] = [loop.create_future() for _ in range(n_connections)]
    opened = [await loop.create_connection(partial(_Sender, run, end), host, port) for end in ends]
    try:
        await asyncio.gather(*ends)
    finally:
        for transport, _ in opened:
            transport.abort()
    return sample


def request(target: str, body: bytes, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """A POST of JSON as bytes on the wire."""
    fields = [("host", "bench"), ("content-type", "application/json"), ("content-length", str(len(body)))]
    lines = "".join(f"{name}: {value}\r\n" for name, value in [*fields, *headers])
    return f"POST {target} HTTP/1.1\r\n{lines}\r\n".encode() + body

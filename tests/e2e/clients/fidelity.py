"""What a client keeps of a request and of an answer: a server of ours reads and writes the bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

from gateway.types import RawHeaders
from tests.e2e.clients.adapters import Client, Got, Make

PATIENCE_S = 5.0
FIELDS = [(b"x-b", b"1"), (b"cookie", b"a=1"), (b"x-a", b"2"), (b"cookie", b"b=2"), (b"x-b", b"3")]
ANSWER_FIELDS = [(b"set-cookie", b"a=1"), (b"x-a", b"caf\xe9"), (b"set-cookie", b"b=2")]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REDIRECT = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
GZIPPED = bytes.fromhex("1f8b0800000000000003cbcf060047dddc7902000000")
OWN_FIELDS = {b"host", b"content-length", b"transfer-encoding"}
"""What any client has to say."""


class Wire:
    """A server that keeps the heads it was sent and answers as told; None closes without an answer."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self._writers: list[asyncio.StreamWriter] = []
        self.answers: list[bytes | None] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                answer = self.answers.pop(0) if self.answers else OK
                if answer is None:
                    break
                writer.write(answer)
        writer.close()

    async def aclose(self) -> None:
        for writer in self._writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    @property
    def target(self) -> bytes:
        return self.heads[-1].split(b" ", 1)[1].rsplit(b" HTTP/", 1)[0]

    @property
    def fields(self) -> RawHeaders:
        lines = self.heads[-1][:-4].split(b"\r\n")[1:]
        return [(name.lower(), value) for name, _, value in (line.partition(b": ") for line in lines)]

    def values(self, name: bytes) -> list[bytes]:
        return [value for found, value in self.fields if found == name]


Probe: TypeAlias = Callable[[Client, Wire], Awaitable[str]]
"""Asks one question; "yes" is what a transparent proxy needs."""


async def _get(client: Client, target: bytes = b"/", headers: RawHeaders | None = None) -> Got:
    async with asyncio.timeout(PATIENCE_S):
        return await client.call("GET", target, headers or [])


def _yes(holds: bool, otherwise: str = "no") -> str:
    return "yes" if holds else otherwise


def _shown(raw: bytes) -> str:
    """As code in a table of Markdown."""
    return "`" + repr(raw)[2:-1].replace("|", "\\|") + "`"


def _target(sent: bytes) -> Probe:
    async def probe(client: Client, wire: Wire) -> str:
        await _get(client, sent)
        return _yes(wire.target == sent, "sends " + _shown(wire.target))

    return probe


async def _duplicates(client: Client, wire: Wire) -> str:
    await _get(client, headers=FIELDS)
    kept = [field for field in wire.fields if field in FIELDS]
    return _yes(
        sorted(kept) == sorted(FIELDS), "joins them: " + _shown(b" and ".join(wire.values(b"cookie")))
    )


async def _order(client: Client, wire: Wire) -> str:
    await _get(client, headers=FIELDS)
    return _yes([field for field in wire.fields if field in FIELDS] == FIELDS)


async def _value_bytes(client: Client, wire: Wire) -> str:
    await _get(client, headers=[(b"x-a", b"caf\xe9")])
    return _yes(wire.values(b"x-a") == [b"caf\xe9"], "sends " + _shown(b" and ".join(wire.values(b"x-a"))))


async def _adds_nothing(client: Client, wire: Wire) -> str:
    await _get(client)
    added = sorted({name.decode() for name, _ in wire.fields if name not in OWN_FIELDS})
    return _yes(not added, "adds " + ", ".join(added))


async def _answer_fields(client: Client, wire: Wire) -> str:
    lines = b"".join(b"%b: %b\r\n" % field for field in ANSWER_FIELDS)
    wire.answers = [b"HTTP/1.1 200 OK\r\n" + lines + b"Content-Length: 0\r\n\r\n"]
    got = await _get(client)
    return _yes([(n.lower(), v) for n, v in got.headers if n.lower() != b"content-length"] == ANSWER_FIELDS)


async def _answer_bytes(client: Client, wire: Wire) -> str:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(GZIPPED)
    wire.answers = [head + GZIPPED]
    return _yes((await _get(client)).body == GZIPPED)


async def _no_redirect(client: Client, wire: Wire) -> str:
    wire.answers = [REDIRECT]
    return _yes((await _get(client)).status == 307)


def _sent_once(method: str, body: bytes) -> Probe:
    """The server closes a kept connection with a request on it, as one does that restarts."""

    async def probe(client: Client, wire: Wire) -> str:
        await _get(client)
        wire.answers = [None]
        with suppress(*client.errors):
            async with asyncio.timeout(PATIENCE_S):
                await client.call(method, b"/", [], body)
        return _yes(len(wire.heads) == 2, f"sent {len(wire.heads) - 1} times")

    return probe


PROBES: dict[str, Probe] = {
    "repeated fields stay apart": _duplicates,
    "fields keep their order": _order,
    "bytes of a field's value that are not UTF-8": _value_bytes,
    "no field is added": _adds_nothing,
    "`?` of an empty query: `/x?`": _target(b"/x?"),
    "percent-encoding: `/a%2fb%41?q=%7e+%20`": _target(b"/a%2fb%41?q=%7e+%20"),
    "dots and slashes: `//a/../b/./`": _target(b"//a/../b/./"),
    "characters as sent: `/x?q='\"[]{}\\|`": _target(b"/x?q='\"[]{}|"),
    "bytes of a target that are not ASCII": _target(b"/caf\xe9"),
    "fields of an answer, order and bytes": _answer_fields,
    "a body of an answer stays encoded": _answer_bytes,
    "a redirect is an answer": _no_redirect,
    "a POST is sent once, whatever happens": _sent_once("POST", b"{}"),
    "a PUT is sent once, whatever happens": _sent_once("PUT", b"{}"),
    "a GET is sent once, whatever happens": _sent_once("GET", b""),
}


async def fidelity(make: Make) -> dict[str, str]:
    """An answer to every probe; a client that raises is quoted by its error's type."""
    found = {}
    for question, probe in PROBES.items():
        async with _wire() as (wire, origin):
            client = make(origin, 10)
            try:
                found[question] = await probe(client, wire)
            except client.errors as error:
                found[question] = f"raises {type(error).__name__}"
            await client.aclose()
    return found


@asynccontextmanager
async def _wire() -> AsyncIterator[tuple[Wire, str]]:
    wire = Wire()
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    try:
        yield wire, "http://{}:{}".format(*server.sockets[0].getsockname())
    finally:
        server.close()
        await wire.aclose()

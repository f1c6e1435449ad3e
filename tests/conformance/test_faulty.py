"""Every probe can fail: a relay that does nothing wrong passes them, and each thing done wrong is found."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.conformance.dialects import DIALECTS
from tests.conformance.faulty import Fault, Relay, own_hops
from tests.conformance.probes import PROBES, Hop
from tests.e2e.scripted_upstream import Fields, ScriptedUpstream

HANGING_S = 0.5
"""A fault that shows as something that never comes: nobody waits longer for it."""


@asynccontextmanager
async def behind(fault: Fault) -> AsyncIterator[Hop]:
    async with ScriptedUpstream() as upstream, Relay(upstream.authority, fault) as relay:
        yield Hop(relay.port, upstream)


@pytest.mark.parametrize("name", PROBES)
async def test_a_relay_that_does_nothing_wrong_passes(name: str) -> None:
    async with behind(Fault()) as hop:
        for dialect in DIALECTS.values():
            await PROBES[name](hop, dialect)


def parsed(body: bytes) -> bytes:
    """JSON read and written again, where it can be."""
    try:
        return json.dumps(json.loads(body), separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return body


def unpacked(body: bytes) -> bytes:
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def joined(fields: Fields) -> Fields:
    """Fields of one name in one line, as dictionaries hold them."""
    values: dict[bytes, bytes] = {}
    for name, value in own_hops(fields):
        values[name] = values[name] + b", " + value if name in values else value
    return list(values.items())


def reread(piece: bytes) -> bytes:
    """Events taken apart and put together again: comments, identifiers and line ends are lost."""
    data = re.findall(rb"^data: ?(.*)$", piece, re.MULTILINE)
    return b"".join(b"data: " + one.strip() + b"\n\n" for one in data) if data else b""


def done(body: bytes) -> bytes:
    """The end that an upstream forgot."""
    return b"" if b"[DONE]" in body or body.startswith(b"{") else b"data: [DONE]\n\n"


def shortened(piece: bytes) -> bytes:
    return piece.replace(b" ", b"", 1)


FAULTS: dict[str, tuple[Fault, str]] = {
    "writes JSON anew": (Fault(body=parsed), "only_the_text_differs"),
    "writes answers' JSON anew": (Fault(piece=parsed), "errors_pass_with_their_coding"),
    "mends what is no JSON": (
        Fault(body=lambda body: body.replace(b"NaN", b"null")),
        "hostile_json_goes_on_as_it_came",
    ),
    "takes the last of two members": (
        Fault(body=lambda body: body.replace(b',"content":"other"', b"")),
        "hostile_json_goes_on_as_it_came",
    ),
    "replaces lone surrogates": (
        Fault(body=lambda body: body.replace(b"\\ud83d", b"?")),
        "hostile_json_goes_on_as_it_came",
    ),
    "rounds long integers": (
        Fault(body=lambda body: re.sub(rb"\d{4301}", b"0", body)),
        "hostile_json_goes_on_as_it_came",
    ),
    "decodes what is encoded": (Fault(body=unpacked), "an_encoded_request_goes_on_unread"),
    "writes line ends of uploads anew": (
        Fault(body=lambda body: body.replace(b"\r\n", b"\n")),
        "an_upload_keeps_its_bytes",
    ),
    "sorts fields": (
        Fault(request=lambda fields: sorted(own_hops(fields))),
        "fields_of_a_request_pass_in_order",
    ),
    "writes names in lower case": (
        Fault(request=lambda fields: [(name.lower(), value) for name, value in own_hops(fields)]),
        "fields_of_a_request_pass_in_order",
    ),
    "joins fields": (Fault(request=joined), "fields_of_a_request_pass_in_order"),
    "passes on what Connection names": (Fault(request=list), "fields_of_a_request_pass_in_order"),
    "joins fields of answers": (Fault(answer=joined), "fields_of_an_answer_return_in_order"),
    "returns what Connection names": (Fault(answer=list), "fields_of_an_answer_return_in_order"),
    "loses ranges": (
        Fault(request=lambda fields: [one for one in own_hops(fields) if one[0] != b"Range"]),
        "ranges_pass",
    ),
    "takes any request": (Fault(is_lax=True), "what_is_no_request_is_refused"),
    "has reasons of its own": (
        Fault(line=lambda line: line.replace(b"Its own reason", b"Unknown")),
        "errors_pass_with_their_coding",
    ),
    "makes of every 5xx its own": (
        Fault(line=lambda line: re.sub(rb" 5\d\d ", b" 502 ", line)),
        "errors_pass_with_their_coding",
    ),
    "forgets the coding": (
        Fault(answer=lambda fields: [one for one in own_hops(fields) if one[0] != b"Content-Encoding"]),
        "an_encoded_answer_stays_encoded",
    ),
    "tells interim answers": (Fault(tells_interim=True), "interim_answers_are_read_over"),
    "ends what has no body": (Fault(sends_bodies=True), "answers_without_body_have_none"),
    "loses a byte": (Fault(piece=shortened), "a_stream_keeps_its_bytes_however_it_is_split"),
    "decodes piece by piece": (
        Fault(piece=lambda piece: piece.decode(errors="replace").encode()),
        "a_stream_keeps_its_bytes_however_it_is_split",
    ),
    "writes events anew": (Fault(piece=reread), "odd_streams_pass_as_they_are"),
    "takes comments out": (
        Fault(piece=lambda piece: re.sub(rb"^:.*\n\n?", b"", piece, flags=re.MULTILINE)),
        "odd_streams_pass_as_they_are",
    ),
    "adds the end": (Fault(end=done), "odd_streams_pass_as_they_are"),
    "takes out what it does not know": (
        Fault(piece=lambda piece: piece.replace(b'data: {"warning":"x"}\n\n', b"")),
        "odd_streams_pass_as_they_are",
    ),
    "takes late errors out": (
        Fault(piece=lambda piece: re.sub(rb'data: \{"error".*\n\n', b"", piece)),
        "odd_streams_pass_as_they_are",
    ),
    "holds a piece": (Fault(holds=True), "nothing_waits_for_what_comes_next"),
    "ends what broke off": (Fault(mends=True), "a_break_is_seen"),
    "stays when the client left": (Fault(stays=True), "a_client_that_leaves_is_seen"),
    "reads ahead": (Fault(reads_ahead=True), "a_slow_reader_slows_the_upstream"),
}
FOUND = (AssertionError, EOFError, ValueError, IndexError)
"""How it shows: something differs, or what comes cannot be read as an answer."""
HANGING = {"takes any request", "holds a piece", "stays when the client left", "reads ahead"}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_found(name: str) -> None:
    fault, probe = FAULTS[name]
    limit_s = HANGING_S if name in HANGING else None
    async with behind(fault) as hop:
        with pytest.raises(TimeoutError if limit_s else FOUND):
            async with asyncio.timeout(limit_s):
                await PROBES[probe](hop, DIALECTS["chat"])


def test_every_probe_has_a_fault_to_find() -> None:
    assert {probe for _, probe in FAULTS.values()} == PROBES.keys()

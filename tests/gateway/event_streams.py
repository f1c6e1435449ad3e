"""Event streams of any spelling, and ways to split them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

import orjson
from hypothesis import strategies as st

from gateway.sse import EventReader, UsageHider
from gateway.types import RawHeaders

SSE: RawHeaders = [(b"content-type", b"text/event-stream; charset=utf-8")]
JSON: RawHeaders = [(b"Content-Type", b"application/json")]
USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}


def chunk_json(content: str | None = "hi", usage: object = None, **more: object) -> bytes:
    """A chat completion chunk; without content, the extra event with an empty list of choices."""
    choices = [] if content is None else [{"index": 0, "delta": {"content": content}, "finish_reason": None}]
    head = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": choices,
    }
    return orjson.dumps({**head, "usage": usage, **more})


USAGE_JSON = chunk_json(None, USAGE)
USAGE_EVENT = b"data: " + USAGE_JSON + b"\n\n"


def event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


def typed(kind: str, **fields: object) -> bytes:
    """An event with its type said twice, as responses and messages stream them."""
    return b"event: %b\n" % kind.encode() + event(orjson.dumps({"type": kind, **fields}))


def split(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    marks = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:stop] for start, stop in pairwise(marks)]


def read(chunks: Iterable[bytes], limit: int = 1 << 20) -> list[bytes]:
    reader = EventReader(limit)
    return [data for chunk in chunks for data in reader.feed(chunk)]


def hide(chunks: Iterable[bytes], limit: int = 16 << 10) -> bytes:
    hider = UsageHider(limit)
    return b"".join([hider.feed(chunk) for chunk in chunks]) + hider.end()


def one_by_one(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


# Streams: blocks of lines, each line with an end of its own, each block ended by a blank line.

line_ends = st.sampled_from([b"\n", b"\r\n", b"\r"])
ordinary_data = st.one_of(
    st.text(max_size=12).map(lambda text: chunk_json(text)),
    st.just(chunk_json(None)),  # no usage
    st.just(chunk_json("x", USAGE)),  # usage, but an ordinary chunk
    st.just(chunk_json(None, USAGE, object="other")),
    st.just(chunk_json("long " * 60)),
    st.sampled_from([b"[DONE]", b"", b"{", b"plain", b'{"error":{"message":"x"}}', b"[]", b'"choices":[{']),
    st.binary(max_size=8).map(lambda data: re.sub(rb"[\r\n]", b"", data)),
)
other_lines = st.sampled_from(
    [b"id: 7", b"event: ping", b"retry: 10", b"data", b"unknown", b"event", b": note"]
)


def data_lines(data: bytes, n_lines: int, space: bytes) -> list[bytes]:
    """One JSON text over several data lines, cut at commas between members."""
    pieces = data.split(b',"usage"', n_lines - 1)
    pieces = [pieces[0], *[b'"usage"' + piece for piece in pieces[1:]]]
    pieces[:-1] = [piece + b"," for piece in pieces[:-1]]
    return [b"data:" + space + piece for piece in pieces]


@st.composite
def blocks(draw: st.DrawFn, data: st.SearchStrategy[bytes]) -> bytes:
    """One event: perhaps other fields, then data, each line with its own end, then a blank line."""
    fields = draw(st.lists(other_lines.filter(lambda line: line not in (b"data", b": note")), max_size=2))
    lines = [*fields, *data_lines(draw(data), draw(st.integers(1, 2)), draw(st.sampled_from([b"", b" "])))]
    body = b"".join(_ended(line, draw(line_ends)) for line in lines)
    return body + _blank(draw(line_ends), body)


def _ended(line: bytes, end: bytes) -> bytes:
    return line + end


def _blank(end: bytes, body: bytes) -> bytes:
    """A blank line; after a line that ends with CR a lone LF would only complete that end."""
    return b"\r\n" if body.endswith(b"\r") and end == b"\n" else end


comments = st.tuples(st.sampled_from([b": keep", b":", b": data: {"]), line_ends).map(b"".join)
usage_blocks = blocks(st.just(USAGE_JSON))
ordinary_blocks = blocks(ordinary_data)
cuts = st.lists(st.integers(0, 1 << 20), max_size=12)

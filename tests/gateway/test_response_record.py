"""Which answers are recorded, what of them, and that nothing but a record is taken for one."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.response_record import Answer, Replay, is_recordable, is_whole, kept, pack, unpack
from gateway.types import RawHeaders, UpstreamRequest, Usage

STREAM: RawHeaders = [(b"Content-Type", b"text/event-stream; charset=utf-8")]
JSON: RawHeaders = [(b"content-type", b"application/json")]
WHOLE = b'{"choices":[{"message":{"content":"Hi"}}]}'
EVENT = b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n'
DONE = b"data: [DONE]\n\n"
ANSWER = Answer(JSON, WHOLE, 100.0, Usage(prompt_tokens=9, completion_tokens=2, cached_tokens=3))

fields = st.lists(
    st.tuples(st.sampled_from([b"content-type", b"openai-model"]), st.binary(max_size=6)), max_size=3
)
usages = st.none() | st.builds(Usage, st.integers(0, 10**9), st.integers(0, 10**9), estimated=st.booleans())


@given(fields, st.binary(max_size=200), st.floats(0, 1e10), usages)
def test_what_is_packed_is_unpacked(
    headers: RawHeaders, body: bytes, stored_at: float, usage: Usage | None
) -> None:
    answer = Answer(headers, body, stored_at, usage)
    assert unpack(pack(answer)) == answer


@given(st.binary(max_size=200))
def test_garbage_is_a_miss(value: bytes) -> None:
    assert unpack(value) is None
    assert unpack(b"\x01" + value) is None


@given(st.integers(0, len(pack(ANSWER)) - 1), st.integers(0, 255))
def test_a_damaged_record_is_a_miss_or_of_the_same_form(at: int, byte: int) -> None:
    value = bytearray(pack(ANSWER))
    value[at] = byte
    found = unpack(bytes(value))
    assert found is None or (
        len(found.body) == len(WHOLE) and {name.lower() for name, _ in found.headers} <= {JSON[0][0]}
    )


@given(st.integers(0, len(pack(ANSWER)) - 1))
def test_a_record_that_was_cut_is_a_miss(length: int) -> None:
    assert unpack(pack(ANSWER)[:length]) is None
    assert unpack(pack(ANSWER) + b"x") is None


@pytest.mark.parametrize(
    "head",
    [
        {"at": "soon", "headers": [], "usage": None, "length": 0},
        {"at": 1, "headers": [["a"]], "usage": None, "length": 0},
        {"at": 1, "headers": [[1, 2]], "usage": None, "length": 0},
        {"at": 1, "headers": [["content-type", "\N{SNOWMAN}"]], "usage": None, "length": 0},
        {"at": 1, "headers": [], "usage": {"prompt": 1}, "length": 0},
        {"at": 1, "headers": [], "usage": None},
    ],
)
def test_a_record_of_another_hand_is_a_miss(head: object) -> None:
    said = json.dumps(head).encode()
    assert unpack(b"\x01" + len(said).to_bytes(4, "big") + said) is None


def test_a_planted_field_is_not_replayed() -> None:
    planted = replace(ANSWER, headers=[*JSON, (b"set-cookie", b"a=b")])
    assert unpack(pack(planted)) == ANSWER


def test_an_answer_lives_for_its_time() -> None:
    assert ANSWER.is_fresh(159.9, 60)
    assert not ANSWER.is_fresh(160.0, 60)


def test_only_what_is_about_the_content_is_kept() -> None:
    said = [
        (b"Content-Type", b"application/json"),
        (b"set-cookie", b"a=b"),
        (b"x-request-id", b"req_1"),
        (b"x-ratelimit-remaining-tokens", b"9"),
        (b"date", b"now"),
        (b"content-length", b"9"),
        (b"openai-processing-ms", b"9"),
        (b"OpenAI-Model", b"gpt"),
    ]
    assert kept(said) == [(b"Content-Type", b"application/json"), (b"OpenAI-Model", b"gpt")]


@pytest.mark.parametrize(
    ("status", "headers", "is_streamed", "expected"),
    [
        (200, JSON, False, True),
        (200, STREAM, True, True),
        (200, [(b"content-type", b"Application/JSON; charset=utf-8")], False, True),
        (200, [*JSON, (b"set-cookie", b"a=b")], False, True),
        (200, [*JSON, (b"content-encoding", b"gzip")], False, True),
        (200, [*JSON, (b"cache-control", b"no-cache")], False, True),
        (200, STREAM, False, False),
        (200, JSON, True, False),
        (200, [], False, False),
        (201, JSON, False, False),
        (206, JSON, False, False),
        (400, JSON, False, False),
        (500, JSON, False, False),
        (200, [*JSON, (b"content-encoding", b"br")], False, False),
        (200, [*STREAM, (b"content-encoding", b"gzip")], True, False),
        (200, [*JSON, (b"cache-control", b"max-age=3, No-Store")], False, False),
        (200, [*JSON, (b"cache-control", b"private")], False, False),
    ],
)
def test_what_begins_like_this_may_be_recorded(
    status: int, headers: RawHeaders, is_streamed: bool, expected: bool
) -> None:
    assert is_recordable(status, headers, is_streamed=is_streamed) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (WHOLE, True),
        (b'{"choices":[],"error":null}', True),
        (b'{"error":{"message":"late"}}', False),
        (b"{}", False),
        (WHOLE[:-1], False),
        (b"", False),
    ],
)
def test_a_body_is_whole_when_it_is_an_object_without_error(body: bytes, expected: bool) -> None:
    assert is_whole(JSON, body, is_streamed=False) is expected
    assert (
        is_whole([*JSON, (b"Content-Encoding", b"gzip")], gzip.compress(body), is_streamed=False) is expected
    )


def test_a_packed_body_that_cannot_be_unpacked_is_not_whole() -> None:
    packed = [*JSON, (b"content-encoding", b"gzip")]
    assert not is_whole(packed, gzip.compress(WHOLE)[:-9], is_streamed=False)
    assert not is_whole(packed, WHOLE, is_streamed=False)
    bomb = gzip.compress(b'{"a":"' + b"x" * (16 << 20) + b'"}')
    assert not is_whole(packed, bomb, is_streamed=False)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (EVENT + DONE, True),
        (EVENT + b": ping\n\n" + DONE, True),
        (EVENT.replace(b"\n", b"\r\n") + DONE, True),
        (EVENT, False),
        (EVENT + DONE.rstrip(), False),
        (EVENT + b'data: {"error":{"message":"late"}}\n\n' + DONE, False),
        (EVENT + b"data: {broken\n\n" + DONE, False),
        (EVENT + DONE + EVENT, False),
        (DONE, True),
        (b"", False),
    ],
)
def test_a_stream_is_whole_when_it_ends_with_done_and_has_no_error(body: bytes, expected: bool) -> None:
    assert is_whole(STREAM, body, is_streamed=True) is expected


async def test_a_replay_gives_the_bytes() -> None:
    body = b"x" * 200_000
    replay = Replay(replace(ANSWER, body=body))
    response = await replay.send(UpstreamRequest("POST", b"/", [], b""))
    pieces = [piece async for piece in response.body]
    await response.aclose()
    await replay.aclose()
    assert (response.status, response.headers, b"".join(pieces)) == (200, JSON, body)
    assert len(pieces) > 1

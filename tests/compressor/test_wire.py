"""Frames: what goes in comes out, and what is no frame is said to be none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressor import wire
from compressor.compat_chunks import Rows
from compressor.scorers.rows import Row
from compressor.types import Chunk, Words
from compressor.wire import HEAD, Kind, WireError
from compressor.words import split

DTYPES = ("u1", "?", "<u2", "<i4", "<u4", "<i8", "<f4")


def there_and_back(frame: bytes) -> tuple[Kind, list[wire.Array]]:
    kind, n_arrays, n_bytes = wire.read_head(frame[: HEAD.size])
    assert n_bytes == len(frame) - HEAD.size
    return kind, wire.unpack(bytearray(frame[HEAD.size :]), n_arrays)


@given(st.lists(st.tuples(st.sampled_from(DTYPES), st.integers(0, 20)), max_size=5))
def test_arrays_come_out_as_they_went_in(shapes: list[tuple[str, int]]) -> None:
    arrays = [np.arange(length).astype(dtype) for dtype, length in shapes]
    kind, found = there_and_back(wire.pack(Kind.SCORES, arrays))
    assert kind == Kind.SCORES
    for before, after in zip(arrays, found, strict=True):
        assert before.dtype == after.dtype
        assert np.array_equal(before, after)
        assert after.flags.aligned
        assert after.flags.writeable


@given(st.binary(max_size=200), st.integers(0, 4))
def test_garbage_is_none_or_arrays_never_another_error(body: bytes, n_arrays: int) -> None:
    try:
        arrays = wire.unpack(bytearray(body), n_arrays)
    except WireError:
        return
    assert len(arrays) == n_arrays
    for kind in (Kind.ROWS, Kind.WORDS, Kind.COMPAT_ROWS):
        try:
            wire.read_chunks(kind, arrays)
        except WireError:
            continue


@pytest.mark.parametrize("head", [HEAD.pack(99, 0, 0), HEAD.pack(Kind.SCORES, 1, wire.MAX_BYTES + 1)])
def test_what_is_no_head_is_refused(head: bytes) -> None:
    with pytest.raises(WireError, match="no head"):
        wire.read_head(head)


def test_an_array_longer_than_its_frame_is_refused() -> None:
    frame = wire.pack(Kind.SCORES, [np.arange(10, dtype=np.int32)])
    with pytest.raises(WireError, match="no array"):
        wire.unpack(bytearray(frame[HEAD.size : -8]), 1)


def test_what_is_said_comes_out() -> None:
    _, arrays = there_and_back(wire.pack_said(Kind.READY, {"fingerprint": "f", "limits": None}))
    assert wire.said(arrays) == {"fingerprint": "f", "limits": None}


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"1", b"\xff"])
def test_what_says_nothing_is_refused(raw: bytes) -> None:
    with pytest.raises(WireError):
        wire.said([np.frombuffer(raw, np.uint8)])
    with pytest.raises(WireError):
        wire.said([])


def chunks() -> dict[Kind, list[Chunk]]:
    none = np.empty(0, np.int32)
    rows = [
        Row(np.arange(size, dtype=np.int32), 1, size - 1, none, none, np.empty(0, np.bool_))
        for size in (3, 8, 512)
    ]
    compat = [
        Rows(np.arange(6, dtype=np.int64).reshape(2, 3), np.array([[1, 1, 0], [1, 0, 0]], np.bool_)),
        Rows(np.zeros((1, 4), np.int64), np.ones((1, 4), np.bool_)),
    ]
    words = [split(text) for text in ("one", "two words 안녕", "a\nb")]
    return {
        Kind.ROWS: [Chunk(len(row.ids), row) for row in rows],
        Kind.COMPAT_ROWS: [Chunk(9, one) for one in compat],
        Kind.WORDS: [Chunk(1, one) for one in words],
    }


@pytest.mark.parametrize("kind", list(chunks()))
def test_chunks_cross(kind: Kind) -> None:
    given_chunks = chunks()[kind]
    assert {wire.kind_of(chunk) for chunk in given_chunks} == {kind}
    found_kind, arrays = there_and_back(wire.pack_chunks(kind, given_chunks))
    found = wire.read_chunks(found_kind, arrays)
    assert [chunk.n_tokens for chunk in found] == [chunk.n_tokens for chunk in given_chunks]
    for before, after in zip(given_chunks, found, strict=True):
        assert fields(before.payload) == fields(after.payload)


def fields(payload: Any) -> list[Any]:
    names = {
        Row: ("ids", "core_start", "core_end"),
        Rows: ("ids", "mask"),
        Words: ("codes", "starts", "ends"),
    }
    return [np.asarray(getattr(payload, name)).tolist() for name in names[type(payload)]]


def test_what_cannot_cross_is_named() -> None:
    with pytest.raises(TypeError, match="a chunk holds dict, which no other process is sent"):
        wire.kind_of(Chunk(1, {}))


@pytest.mark.parametrize(
    ("lengths", "values"), [([1, 1], [1, 2, 3]), ([-1, 2], [1]), ([4, -1], [1, 2, 3]), ([1], [])]
)
def test_lengths_that_measure_something_else_are_refused(lengths: list[int], values: list[int]) -> None:
    with pytest.raises(WireError, match="do not add up"):
        wire.split(np.array(lengths), np.array(values))


def test_other_chunks_than_said_are_refused() -> None:
    one = np.array([1], np.int32)
    for kind, arrays in (
        (Kind.SCORES, [one]),
        (Kind.ROWS, []),
        (Kind.ROWS, [one, one, one]),  # a field is missing
        (Kind.ROWS, [one, one, one, one, one]),  # a core has two ends
        (Kind.ROWS, [np.array([1, 1], np.int32), one, one, one, np.array([2, 2], np.int32)]),
        (Kind.COMPAT_ROWS, [one, one, np.array([7], np.int32), one, np.array([5]), one, np.array([True])]),
    ):
        with pytest.raises(WireError):
            wire.read_chunks(kind, arrays)

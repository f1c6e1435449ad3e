"""Chunks and scores as bytes between an engine and the process of its scorer. Pure; no pickles.

A frame is a head (kind, number of arrays, bytes that follow) and arrays of one dimension, each with its type
and length, on multiples of 8 bytes. Chunks of one kind cross together: field by field, all values in one
array and the lengths in another, so a batch costs a few copies, not some for each chunk.

A frame that is not of this form raises WireError; nothing in it can run code.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from compressor.compat_chunks import Rows
from compressor.scorers.rows import Row
from compressor.types import Chunk, Words

Array: TypeAlias = NDArray[Any]
Fields: TypeAlias = tuple[Array, ...]

HEAD = struct.Struct("<IIQ")
"""Kind, arrays, bytes that follow."""
MAX_BYTES = 1 << 30
"""Of a frame: far more than a batch has, far less than would hurt."""

_ARRAY_HEAD = struct.Struct("<8sQ")
_ALIGNED = 8
_TYPES = {
    dtype.str.encode(): dtype for dtype in map(np.dtype, ("u1", "?", "<u2", "<i4", "<u4", "<i8", "<f4"))
}


class Kind(IntEnum):
    """What a frame says."""

    LOAD = 1
    READY = 2
    REFUSED = 3
    SCORES = 4
    FAILED = 5
    ROWS = 16
    COMPAT_ROWS = 17
    WORDS = 18


class WireError(Exception):
    """What came is no frame."""


def pack(kind: Kind, arrays: Sequence[Array]) -> bytes:
    """A frame."""
    pieces: list[bytes] = []
    for array in arrays:
        raw = array.tobytes()
        pieces += [_ARRAY_HEAD.pack(array.dtype.str.encode(), len(array)), raw, bytes(-len(raw) % _ALIGNED)]
    body = b"".join(pieces)
    return HEAD.pack(kind, len(arrays), len(body)) + body


def read_head(head: bytes | bytearray) -> tuple[Kind, int, int]:
    """Kind, number of arrays and bytes that follow."""
    kind, n_arrays, n_bytes = HEAD.unpack(head)
    if kind not in list(Kind) or n_bytes > MAX_BYTES:
        raise WireError(f"no head of a frame: kind {kind}, {n_bytes} bytes")
    return Kind(kind), n_arrays, n_bytes


def unpack(body: bytearray, n_arrays: int) -> list[Array]:
    """The arrays of a frame, on its memory."""
    arrays: list[Array] = []
    at = 0
    for _ in range(n_arrays):
        if at + _ARRAY_HEAD.size > len(body):
            raise WireError("a frame ends within the head of an array")
        name, length = _ARRAY_HEAD.unpack_from(body, at)
        dtype = _TYPES.get(name.rstrip(b"\0"))
        at += _ARRAY_HEAD.size
        if dtype is None or at + length * dtype.itemsize > len(body):
            raise WireError("a frame holds no array that it can hold")
        arrays.append(np.frombuffer(body, dtype, length, at))
        at += length * dtype.itemsize
        at += -at % _ALIGNED
    return arrays


def pack_said(kind: Kind, said: dict[str, Any]) -> bytes:
    """A frame that says something in JSON."""
    return pack(kind, [np.frombuffer(json.dumps(said).encode(), np.uint8)])


def said(arrays: Sequence[Array]) -> dict[str, Any]:
    """What such a frame says."""
    try:
        told = json.loads(arrays[0].tobytes())
    except (IndexError, ValueError) as error:
        raise WireError("a frame says nothing") from error
    if not isinstance(told, dict):
        raise WireError("a frame says nothing")
    return told


def join(parts: Sequence[Array]) -> tuple[Array, Array]:
    """Lengths, and all values behind each other."""
    return np.array([len(part) for part in parts], np.int32), np.concatenate(parts)


def split(lengths: Array, values: Array) -> list[Array]:
    """The parts again."""
    ends = np.cumsum(lengths, dtype=np.int64).tolist()
    if len(lengths) and (int(lengths.min()) < 0 or ends[-1] != len(values)):
        raise WireError("lengths do not add up to what they measure")
    starts = [0, *ends[:-1]]
    return [values[start:end] for start, end in zip(starts, ends, strict=True)]


@dataclass(frozen=True, slots=True)
class _Codec:
    """How payloads of one type cross: to arrays of one dimension, and back."""

    payload: type
    fields: Callable[[Any], Fields]
    build: Callable[..., object]


def _row(ids: Array, core: Array) -> object:
    """As the scorer of such rows wants it; characters stay with whoever merges."""
    none = np.empty(0, np.int32)
    return Row(ids, int(core[0]), int(core[1]), none, none, np.empty(0, np.bool_))


def _compat_rows(shape: Array, ids: Array, mask: Array) -> Rows:
    try:
        return Rows(ids.reshape(shape.tolist()), mask.reshape(shape.tolist()))
    except ValueError as error:
        raise WireError("rows are not of their shape") from error


_CODECS = {
    Kind.ROWS: _Codec(
        Row, lambda row: (row.ids, np.array((row.core_start, row.core_end), np.int32)), build=_row
    ),
    Kind.COMPAT_ROWS: _Codec(
        Rows,
        lambda rows: (np.array(rows.ids.shape, np.int32), rows.ids.ravel(), rows.mask.ravel()),
        build=_compat_rows,
    ),
    Kind.WORDS: _Codec(
        Words, lambda words: (words.codes, words.starts, words.ends, words.flags), build=Words
    ),
}
_KINDS = {codec.payload: kind for kind, codec in _CODECS.items()}


def kind_of(chunk: Chunk) -> Kind:
    """As what a chunk crosses. Raises TypeError where it cannot."""
    kind = _KINDS.get(type(chunk.payload))
    if kind is None:
        raise TypeError(f"a chunk holds {type(chunk.payload).__name__}, which no other process is sent")
    return kind


def pack_chunks(kind: Kind, chunks: Sequence[Chunk]) -> bytes:
    """A frame of chunks of one kind; at least one."""
    codec = _CODECS[kind]
    columns = zip(*(codec.fields(chunk.payload) for chunk in chunks), strict=True)
    costs = np.array([chunk.n_tokens for chunk in chunks], np.int32)
    return pack(kind, [costs, *(array for column in columns for array in join(column))])


def read_chunks(kind: Kind, arrays: Sequence[Array]) -> list[Chunk]:
    """The chunks of a frame."""
    if kind not in _CODECS or len(arrays) % 2 == 0:
        raise WireError("a frame holds no chunks")
    columns = [split(lengths, values) for lengths, values in zip(arrays[1::2], arrays[2::2], strict=True)]
    try:
        payloads = [_CODECS[kind].build(*fields) for fields in zip(*columns, strict=True)]
        return [Chunk(cost, payload) for cost, payload in zip(arrays[0].tolist(), payloads, strict=True)]
    except (TypeError, ValueError, IndexError) as error:
        raise WireError("a frame holds other chunks than it says") from error

"""The bytes of an ONNX graph: as much of the format as our graphs need, so that writing one needs no package.

ONNX files are protocol buffers: fields of a number and a value, where a value is an integer, a float, or
bytes that may hold fields again. Field numbers are those of onnx.proto3.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

FLOAT, INT8 = 1, 3
"""Element types."""
_IR_VERSION = 9
_EXTERNAL = 1


@dataclass(frozen=True, slots=True)
class Node:
    """One operation. Its only output is also its name."""

    kind: str
    inputs: tuple[str, ...]
    output: str
    domain: str = ""
    options: tuple[tuple[str, int | float | tuple[int, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Tensor:
    """A name, a type and dimensions; a dimension that is a string is free."""

    name: str
    kind: int
    dims: tuple[int | str, ...]


def model_bytes(
    nodes: Sequence[Node],
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    weights: Sequence[Tensor],
    opsets: Sequence[tuple[str, int]],
) -> bytes:
    """A model whose weights are given when it is loaded."""
    graph = b"".join(
        [
            *(_block(1, _node(node)) for node in nodes),
            _text(2, "graph"),
            *(_block(5, _weight(weight)) for weight in weights),
            *(_block(11, _value(value)) for value in inputs),
            *(_block(12, _value(value)) for value in outputs),
        ]
    )
    versions = (_block(8, _text(1, domain) + _integer(2, version)) for domain, version in opsets)
    return b"".join([_integer(1, _IR_VERSION), _text(2, "pith"), _block(7, graph), *versions])


def _node(node: Node) -> bytes:
    inputs = b"".join(_text(1, name) for name in node.inputs)
    options = b"".join(_block(5, _option(name, value)) for name, value in node.options)
    names = _text(2, node.output) + _text(3, node.output) + _text(4, node.kind)
    return inputs + names + options + _text(7, node.domain)


def _option(name: str, value: int | float | tuple[int, ...]) -> bytes:
    if isinstance(value, tuple):
        return _text(1, name) + b"".join(_integer(8, one) for one in value) + _integer(20, 7)
    if isinstance(value, float):
        return _text(1, name) + _key(2, 5) + struct.pack("<f", value) + _integer(20, 1)
    return _text(1, name) + _integer(3, value) + _integer(20, 2)


def _weight(weight: Tensor) -> bytes:
    dims = b"".join(_integer(1, int(dim)) for dim in weight.dims)
    where = _block(13, _text(1, "location") + _text(2, "weights.safetensors"))
    return dims + _integer(2, weight.kind) + _text(8, weight.name) + where + _integer(14, _EXTERNAL)


def _value(value: Tensor) -> bytes:
    dims = (_text(2, dim) if isinstance(dim, str) else _integer(1, dim) for dim in value.dims)
    shape = b"".join(_block(1, dim) for dim in dims)
    kind = _integer(1, value.kind) + _block(2, shape)
    return _text(1, value.name) + _block(2, _block(1, kind))


def _text(field: int, text: str) -> bytes:
    return _block(field, text.encode())


def _block(field: int, content: bytes) -> bytes:
    return _key(field, 2) + _varint(len(content)) + content


def _integer(field: int, value: int) -> bytes:
    return _key(field, 0) + _varint(value % (1 << 64))


def _key(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)

"""Reads the folder of an embedded model: weights, graph and tokenizer, whole and of this release.

`weights.safetensors` holds every weight by name; its metadata say the sizes of the network, which weights the
graph takes, and the version of the inputs it was trained on. `graph.onnx` names the weights and holds none.
`tokenizer.json.gz` is a tokenizer of the tokenizers library.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer

from compressor.errors import ModelError
from compressor.scorers.embedded_inputs import BEGIN, END, INPUTS_VERSION, N_VALUES
from compressor.scorers.nibbles import unpacked

SHIPPED = Path(__file__).parents[1] / "models" / "default"
"""The model that is part of the package."""
WEIGHTS, GRAPH, TOKENIZER = "weights.safetensors", "graph.onnx", "tokenizer.json.gz"

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model's parts. What stands in front of the graph is taken apart here."""

    tokenizer: Tokenizer
    graph: bytes
    weights: Arrays
    named: tuple[str, ...]
    """The weights that the graph names."""
    shape: Mapping[str, int]
    digest: str
    """Of all three files."""
    pieces: NDArray[np.int8]
    scale: NDArray[np.float32]
    positions: NDArray[np.float32]
    values: NDArray[np.float32]
    begin: NDArray[np.float32]
    end: NDArray[np.float32]


def read_model(folder: Path) -> Model:
    """The model of a folder. Raises ModelError."""
    try:
        return _assembled(folder)
    except KeyError as error:
        raise ModelError(f"model {str(folder)!r}: {WEIGHTS} lacks {error}: export it anew") from error


def _assembled(folder: Path) -> Model:
    contents = {name: _read(folder, name) for name in (WEIGHTS, GRAPH, TOKENIZER)}
    digest = hashlib.sha256()
    for content in contents.values():
        digest.update(hashlib.sha256(content).digest())
    weights, metadata = _weights(folder / WEIGHTS)
    _check_version(folder, metadata)
    pieces, scale = levels_of(weights), weights["pieces.scale"].astype(np.float32)
    tokenizer = _tokenizer(folder / TOKENIZER, contents[TOKENIZER])
    if tokenizer.get_vocab_size() != len(pieces):
        raise ModelError(
            f"model {str(folder)!r}: the tokenizer has {tokenizer.get_vocab_size()} pieces, the weights have "
            f"{len(pieces)}: they are not of one model"
        )
    named = tuple(json.loads(metadata["graph"]))
    if missing := [name for name in named if name not in weights]:
        raise KeyError(missing[0])
    special = {at: pieces[at].astype(np.float32) * scale[at] for at in (BEGIN, END)}
    return Model(
        tokenizer,
        contents[GRAPH],
        weights,
        named,
        json.loads(metadata["shape"]),
        digest.hexdigest()[:16],
        pieces,
        scale,
        weights["positions.weight"].astype(np.float32),
        weights["values.weight"].astype(np.float32),
        special[BEGIN],
        special[END],
    )


def levels_of(weights: Arrays) -> NDArray[np.int8]:
    """The table of pieces, each number to be multiplied by its row's scale: in four bits or, once, eight."""
    table = weights["pieces.weight"]
    if table.dtype == np.uint8:
        return unpacked(table.view(np.uint8))
    return table.astype(np.int8, copy=False)


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise ModelError(
            f"model {str(folder)!r}: {name} cannot be read ({error.strerror}): install the package again, or "
            "name another scorer"
        ) from error


def _weights(path: Path) -> tuple[dict[str, NDArray[np.generic]], dict[str, str]]:
    try:
        with safe_open(path, "numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except SafetensorError as error:
        raise ModelError(f"model {str(path.parent)!r}: {path.name} is damaged ({error})") from error


def _check_version(folder: Path, metadata: Mapping[str, str]) -> None:
    found = (metadata.get("inputs"), metadata.get("values"))
    if found != (INPUTS_VERSION, str(N_VALUES)):
        raise ModelError(
            f"model {str(folder)!r}: was trained on inputs of version {found[0]} with {found[1]} "
            f"values, this release makes version {INPUTS_VERSION} with {N_VALUES}: export it anew"
        )


def _tokenizer(path: Path, content: bytes) -> Tokenizer:
    try:
        return Tokenizer.from_str(gzip.decompress(content).decode())
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ModelError(f"model {str(path.parent)!r}: {path.name} is damaged ({error})") from error
    except Exception as error:  # all that tokenizers ever raises
        raise ModelError(f"model {str(path.parent)!r}: {path.name} does not load ({error})") from error

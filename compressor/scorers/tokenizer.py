"""A model's own tokenizer, reading user text as text: ids with character spans, never control tokens.

`encode_special_tokens` alone does not do that: it stops the search for "<s>" in the text, but a Unigram model
still has "<s>" among its pieces, at the best score of all. So the control tokens are also renamed, in the
tokenizer's JSON, to strings that no text is expected to hold; their ids stay.

One object serves all threads: settings are fixed here, and encoding only reads ("Already borrowed", as in
tokenizers issue 537, takes a thread that changes padding or truncation).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from tokenizers import Encoding, Tokenizer

from compressor.errors import ModelError
from compressor.scorers.stretches import Stretches, is_local
from compressor.types import Bools, Ints, Spans

_PIECE = 16_384
"""Characters encoded at a time, up to twice as many where no seam is found: tokens of a piece are turned into
arrays in one step, during which no other thread runs, 1 ms or so."""

_SEAM = re.compile(r"(?<=\n)(?=\S)|(?<=\S)(?= \S)")
"""Line starts and single spaces: tokenizers join nothing across them, but glue a space to what follows."""

_SURROGATES = re.compile("[\ud800-\udfff]")
"""JSON can spell half a character; tokenizers take none."""

_UNREACHABLE = "\U0010ffff"
"""A noncharacter: Unicode keeps it out of interchanged text."""


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """The tokens of a text: ids, spans [starts, ends) in characters, and which are not the unknown token."""

    ids: Ints
    starts: Ints
    ends: Ints
    is_known: Bools


class TextTokenizer:
    """Text to tokens. `prefix` and `suffix` are the control tokens the model wants around a row; every id
    that `encode` can give is below `n_ids`."""

    def __init__(self, definition: Any, name: str) -> None:
        if not isinstance(definition, dict) or "vocab" not in definition.get("model", {}):
            raise ModelError(f"model {name!r}: tokenizer.json has no 'model' with a 'vocab': fetch it again")
        self._tokenizer = _build(_with_specials_renamed(definition), name)
        self._unknown = _unknown_id(definition)
        self._stretches = Stretches(self._each) if is_local(definition) else None
        self.prefix, self.suffix = _frame(self._tokenizer, name)
        ordinary = [token["id"] for token in definition.get("added_tokens", []) if not token.get("special")]
        n_pieces = self._tokenizer.get_vocab_size(with_added_tokens=False)
        self.n_ids = 1 + max([n_pieces - 1, *self.prefix, *self.suffix, *ordinary])

    def encode(self, text: str) -> Tokens:
        """The tokens of `text`, nothing around them."""
        text = _SURROGATES.sub("\ufffd", text)
        all_ids, all_spans = (self._stretches and self._stretches.encode(text)) or self._whole(text)
        # normalizers that reorder characters can step back by one; the searches that follow need sorted spans
        starts, ends = np.maximum.accumulate(all_spans[:, 0]), np.maximum.accumulate(all_spans[:, 1])
        return Tokens(all_ids, starts, ends, self._known(all_ids, starts, ends))

    def _whole(self, text: str) -> tuple[Ints, Spans]:
        """The ids of a text's tokens and their spans."""
        cuts = _piece_starts(text)
        pieces = [text[start:end] for start, end in zip(cuts, [*cuts[1:], None], strict=True)]
        ids, spans = self._each(pieces)
        spans = [own + np.int32(start) for start, own in zip(cuts, spans, strict=True)]
        return np.concatenate(ids), np.concatenate(spans)

    def _each(self, pieces: list[str]) -> tuple[list[Ints], list[Spans]]:
        """The ids and spans of each piece's tokens."""
        # the plural releases the interpreter lock, the singular holds it: 0.5 s for a text of 500k tokens
        encodings = self._tokenizer.encode_batch(pieces, add_special_tokens=False)
        ids: list[Ints] = []
        spans: list[Spans] = []
        while encodings:
            encoding = encodings.pop()  # freed one by one: each takes the lock for as long as it takes
            ids.append(np.array(encoding.ids, np.int32))
            flat = np.fromiter(chain.from_iterable(encoding.offsets), np.int32, 2 * len(ids[-1]))
            spans.append(flat.reshape(-1, 2))
        return ids[::-1], spans[::-1]

    def _known(self, ids: Ints, starts: Ints, ends: Ints) -> Bools:
        """Which tokens say something of their characters: neither the unknown one, nor the mark of a word's
        beginning ("▁") that has no character of its own and is given the unknown one's."""
        is_known: Bools = ids != self._unknown
        if not is_known.all():
            is_known[:-1] &= is_known[1:] | (starts[:-1] < starts[1:]) | (ends[:-1] > ends[1:])
        return is_known


def _piece_starts(text: str) -> list[int]:
    """Where to cut a long text for encoding: where its tokens are the same in one piece or two."""
    starts = [0]
    while len(text) - starts[-1] > 2 * _PIECE:
        found = _SEAM.search(text, starts[-1] + _PIECE, starts[-1] + 2 * _PIECE)
        starts.append(found.start() if found else starts[-1] + 2 * _PIECE)
    return starts


def _build(definition: Any, name: str) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_str(json.dumps(definition))
    except Exception as error:  # all that tokenizers ever raises
        raise ModelError(
            f"model {name!r}: tokenizer.json does not load ({error}): save it with a current tokenizers"
        ) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.encode_special_tokens = True
    return tokenizer


def _frame(tokenizer: Tokenizer, name: str) -> tuple[list[int], list[int]]:
    """The ids the tokenizer's own post-processor puts before and after a text."""
    framed: Encoding = tokenizer.encode("a")
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    for at in range(len(framed.ids) - len(bare) + 1):
        if bare and framed.ids[at : at + len(bare)] == bare:
            return framed.ids[:at], framed.ids[at + len(bare) :]
    raise ModelError(
        f"model {name!r}: tokenizer.json makes {framed.ids} of 'a' with control tokens and {bare} without: "
        "a post-processor that changes the text's own tokens is not supported"
    )


def _unknown_id(definition: Any) -> int:
    """The id that stands for text the vocabulary lacks; -1 if there is none."""
    model = definition["model"]
    if model.get("unk_id") is not None:  # Unigram
        return int(model["unk_id"])
    vocabulary = model["vocab"]
    return int(vocabulary.get(model.get("unk_token"), -1)) if isinstance(vocabulary, dict) else -1


def _with_specials_renamed(definition: Any) -> Any:
    """A copy in which no control token can be spelled by a text. A named unknown token keeps its name."""
    model = definition["model"]
    added = definition.get("added_tokens", [])
    names = {token["content"] for token in added if token.get("special")} - {model.get("unk_token")}
    vocabulary = model["vocab"]
    renamed: Any
    if isinstance(vocabulary, dict):
        renamed = {_UNREACHABLE + piece if piece in names else piece: at for piece, at in vocabulary.items()}
    else:
        renamed = [[_UNREACHABLE + piece if piece in names else piece, score] for piece, score in vocabulary]
    hidden = [
        {**token, "content": _UNREACHABLE + token["content"]} if token["content"] in names else token
        for token in added
    ]
    return {**definition, "model": {**model, "vocab": renamed}, "added_tokens": hidden}

"""How LLMLingua-2 prepares a text: force tokens to placeholders, tokens to chunks, chunks to rows. Pure.

Quirks that a byte depends on: a chunk has up to 511 tokens; it ends after the last token that *is* one of
`chunk_end_tokens`, else wherever it is full; it becomes text again and is tokenized anew. Around a row stand
the literal strings "[CLS]" and "[SEP]", whatever the model: for XLM-RoBERTa they are unknown words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from compressor.params import MAX_FORCE_TOKENS
from compressor.types import Chunk

ROW_TOKENS = 512
"""Every row is as long, padding included."""
BATCH_ROWS = 50
"""Rows that share a forward pass: those of one call, in order."""
PLACEHOLDERS = tuple(f"[NEW{index}]" for index in range(MAX_FORCE_TOKENS))
_REACH = ROW_TOKENS - 2
_CLS, _SEP, _PAD = "[CLS]", "[SEP]", "[PAD]"

Family: TypeAlias = Literal["bert", "xlm-roberta"]


class Vocabulary(Protocol):
    """A model's own tokenizer, which takes control tokens spelled in a text for control tokens."""

    @property
    def family(self) -> Family:
        """Whose rules hold for where a word begins."""

    @property
    def specials(self) -> frozenset[str]:
        """Tokens that are no part of any word."""

    def tokenize(self, text: str) -> list[str]:
        """The tokens of `text`, nothing around them."""

    def ids(self, tokens: Sequence[str]) -> list[int]:
        """Each token's id, that of the unknown token where there is none."""

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Each id's token."""

    def join(self, tokens: Sequence[str]) -> str:
        """Tokens to text."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A chunk's payload: rows of one forward pass, and which of their tokens the model is to look at."""

    ids: NDArray[np.int64]
    mask: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ForceTokens:
    """Literals to keep. What is not a token of the vocabulary is `placed`: literal → placeholder."""

    literals: tuple[str, ...]
    placed: Mapping[str, str]

    @classmethod
    def of(cls, literals: Sequence[str], vocabulary: Vocabulary) -> ForceTokens:
        """Raises AssertionError where there are more literals than placeholders."""
        if len(literals) > MAX_FORCE_TOKENS:
            raise AssertionError(f"{len(literals)} force_tokens: give at most {MAX_FORCE_TOKENS}")
        numbered = zip(literals, PLACEHOLDERS, strict=False)
        placed = {text: name for text, name in numbered if len(vocabulary.tokenize(text)) != 1}
        return cls(tuple(literals), placed)

    def hide(self, text: str) -> str:
        """Literals to placeholders, one literal after the other."""
        for literal, name in self.placed.items():
            text = text.replace(literal, name)
        return text

    def show(self, text: str) -> str:
        """Placeholders to literals."""
        for literal, name in self.placed.items():
            text = text.replace(name, literal)
        return text

    def with_names(self, literals: Iterable[str]) -> frozenset[str]:
        """The literals, and the placeholders of those that have one."""
        given = frozenset(literals)
        return given | {name for literal, name in self.placed.items() if literal in given}


def chunk_texts(text: str, ends: frozenset[str], vocabulary: Vocabulary) -> list[str]:
    """The text's chunks, as text again; none of a text without tokens."""
    tokens = vocabulary.tokenize(text)
    return [vocabulary.join(tokens[start:end]) for start, end in _cuts(tokens, ends)]


def _cuts(tokens: Sequence[str], ends: frozenset[str]) -> Iterator[tuple[int, int]]:
    start = 0
    while start + _REACH < len(tokens):
        last = start + _REACH
        is_end = (at for at in range(last, start, -1) if tokens[at] in ends)
        end = next(is_end, last) + 1
        yield start, end
        start = end
    if start < len(tokens):
        yield start, len(tokens)


def batches(texts: Sequence[str], vocabulary: Vocabulary) -> list[Chunk]:
    """The chunks' rows, as many to a pass as the package gives its model."""
    rows = [_row(text, vocabulary) for text in texts]
    parts = [rows[at : at + BATCH_ROWS] for at in range(0, len(rows), BATCH_ROWS)]
    return [_batch(part, vocabulary) for part in parts]


def _row(text: str, vocabulary: Vocabulary) -> list[str]:
    tokens = [_CLS, *vocabulary.tokenize(text), _SEP][:ROW_TOKENS]
    return tokens + [_PAD] * (ROW_TOKENS - len(tokens))


def _batch(rows: Sequence[Sequence[str]], vocabulary: Vocabulary) -> Chunk:
    ids = np.array([vocabulary.ids(row) for row in rows], np.int64)
    mask = np.array([[token != _PAD for token in row] for row in rows], np.bool_)
    return Chunk(ids.size, Rows(ids, mask))

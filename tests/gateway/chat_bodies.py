"""Chat requests of any spelling, in pieces: which bytes may change, and what a change may be (law 5)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.compressor.texts import clean_texts
from tests.gateway.json_documents import SPELLINGS, documents, gaps

COVERED = ("user", "tool")
"""Roles that the tests' policy compresses."""
ROLES = ("system", "developer", "user", "assistant", "tool", "function", "")

_UNIT = re.compile(rb'\\u[dD][89abAB]..\\u....|\\u....|\\.|[^\\"\x80-\xff]|[\xc2-\xf4][\x80-\xbf]+')
"""The spelling of one character within a string literal."""


@dataclass(frozen=True)
class Piece:
    """Some bytes of a body. `is_text`: a string literal that may be cut."""

    raw: bytes
    is_text: bool = False


Pieces = tuple[Piece, ...]


def body(pieces: Sequence[Piece]) -> bytes:
    return b"".join(piece.raw for piece in pieces)


def spell(text: str, seed: int) -> bytes:
    """A string literal for `text`; characters take turns in how they are escaped."""
    return b'"%b"' % "".join(
        SPELLINGS[(seed >> at % 16) % len(SPELLINGS)](char) for at, char in enumerate(text)
    ).encode("utf-8")


def is_cut_of(sent: bytes, pieces: Sequence[Piece]) -> bool:
    """Whether `sent` is the body with nothing changed but characters left out of texts, as a whole each."""
    at = 0
    for piece in pieces:
        if not piece.is_text:
            if sent[at : at + len(piece.raw)] != piece.raw:
                return False
            at += len(piece.raw)
            continue
        literal = re.compile(rb'"(?:[^"\\]|\\.)*"').match(sent, at)
        if literal is None or not _is_subsequence(_UNIT.findall(literal[0][1:-1]), piece.raw):
            return False
        at = literal.end()
    return at == len(sent)


def _is_subsequence(units: Sequence[bytes], literal: bytes) -> bool:
    rest = iter(_UNIT.findall(literal[1:-1]))
    return all(unit in rest for unit in units)


def _text(text: str, seed: int, role: str) -> Piece:
    return Piece(spell(text, seed), role in COVERED)


def _content(role: str, text: str, seed: int, shape: int, gap: str) -> list[Piece]:
    g = gap.encode()
    if shape == 0:
        return [Piece(b'[{"type":"text",' + g + b'"text":'), _text(text, seed, role), Piece(g + b"}]")]
    if shape == 1:
        other = b'{"type":"image_url","image_url":{"url":"data:,"},"text":"not a text"},'
        return [
            Piece(b"[" + other + g + b'{"text":'),
            _text(text, seed, role),
            Piece(g + b',"type":"t\\u0065xt","x":1.10}]'),
        ]
    return [_text(text, seed, role)]


@st.composite
def messages(draw: st.DrawFn) -> Pieces:
    """One message."""
    role = draw(st.sampled_from(ROLES + COVERED * 3))
    gap = draw(gaps).encode()
    text, seed = draw(clean_texts), draw(st.integers(0, 0xFFFF))
    content = _content(role, text, seed, draw(st.integers(0, 4)), draw(gaps))
    head = b'{%b"role":%b,%b"content":' % (gap, spell(role, 0), gap)
    _, extra = draw(documents)
    tail = draw(st.sampled_from([b"}", b',"x_extra":' + extra + b"}", b',"name":"a"' + gap + b"}"]))
    return (Piece(head), *content, Piece(tail))


conversations = st.lists(messages(), min_size=1, max_size=5)


def request(conversation: Sequence[Pieces], more: bytes = b"") -> Pieces:
    """A whole body; `more` are further members of the request."""
    pieces: list[Piece] = [Piece(b'{"model":"gpt-4o","seed":1E2, "messages" : [')]
    for index, message in enumerate(conversation):
        pieces += [Piece(b"," if index else b""), *message]
    return (*pieces, Piece(b"]" + more + b"}\n"))

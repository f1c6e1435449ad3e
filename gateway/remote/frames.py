"""What two instances of Pith say to each other about scores: texts there, a score a word back. Pure.

Either message is a head in JSON behind its length, and a body: the texts in UTF-8, or the scores as 16 bits
each. What crosses are scores, not results, so that policies select where they are and what is recorded is
shared by all of them. Words are found on both sides; both say by which version, and scores of another version
or model are none. What is no message raises ValueError; a text is never in its words.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np

from compressor import DeadlineExceeded, Overloaded, ScorerDown, ScoringError
from compressor.types import SCORE_ONE, Scores
from compressor.words import WORDS_VERSION

PATH: Final = "/pith/v1/scores"
MEDIA_TYPE: Final = "application/vnd.pith.scores"
PROTOCOL: Final = 1
MAX_HEAD: Final = 1 << 20
MAX_TEXTS: Final = 1000
BYTES_A_WORD: Final = 2

_MAX_COUNT: Final = 2**53
"""What JSON keeps exactly everywhere; above it a number of seconds may be none."""
_LENGTH: Final = struct.Struct("<I")
_ERRORS: Final = {kind.skip: kind for kind in (ScorerDown, Overloaded, DeadlineExceeded)}


@dataclass(frozen=True, slots=True)
class Asked:
    """Texts that want scores; none: who is there?"""

    texts: tuple[str, ...]
    fingerprint: str | None
    """Of the scorer that is expected; None: any."""
    deadline_ms: int | None
    """When scores are of use to a request."""
    patience_ms: int
    """When they are of use at all: until then they are waited for in the background."""


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """Who answers, and for each text the scores of its words or why there are none."""

    fingerprint: str
    words: str
    outcomes: tuple[Scores | ScoringError, ...]


def pack_asked(asked: Asked) -> bytes:
    """As bytes."""
    texts = [text.encode("utf-8", "surrogatepass") for text in asked.texts]
    head = {
        "protocol": PROTOCOL,
        "words": WORDS_VERSION,
        "fingerprint": asked.fingerprint,
        "deadline_ms": asked.deadline_ms,
        "patience_ms": asked.patience_ms,
        "bytes": [len(text) for text in texts],
    }
    return _joined(head, texts)


def read_asked(raw: bytes) -> Asked:
    """What was asked."""
    head, body = _parted(raw)
    sizes: Any = head.get("bytes")
    if head.get("protocol") != PROTOCOL:
        raise ValueError(f"protocol is {str(head.get('protocol'))[:9]!r}: this release speaks {PROTOCOL}")
    if not _are_counts(sizes) or len(sizes) > MAX_TEXTS or sum(sizes) != len(body):
        raise ValueError(f"bytes are not those of at most {MAX_TEXTS} texts that follow")
    fingerprint, deadline_ms, patience_ms = (
        head.get(name) for name in ("fingerprint", "deadline_ms", "patience_ms")
    )
    if not isinstance(fingerprint, str | None):
        raise ValueError("fingerprint is neither a string nor null")
    if not (deadline_ms is None or _are_counts([deadline_ms])) or not _are_counts([patience_ms]):
        raise ValueError("deadline_ms and patience_ms are not whole milliseconds")
    texts = tuple(part.decode("utf-8", "surrogatepass") for part in _slices(body, sizes))
    return Asked(texts, fingerprint, deadline_ms, cast(int, patience_ms))


def pack_answered(answered: Answered) -> bytes:
    """As bytes."""
    said = [one.skip if isinstance(one, ScoringError) else len(one) for one in answered.outcomes]
    head = {
        "protocol": PROTOCOL,
        "words": answered.words,
        "fingerprint": answered.fingerprint,
        "texts": said,
    }
    scores = [one.astype("<u2") for one in answered.outcomes if not isinstance(one, ScoringError)]
    return _joined(head, [one.tobytes() for one in scores])


def read_answered(raw: bytes) -> Answered:
    """What was answered."""
    head, body = _parted(raw)
    said, fingerprint, words = head.get("texts"), head.get("fingerprint"), head.get("words")
    if head.get("protocol") != PROTOCOL or not isinstance(fingerprint, str) or not isinstance(words, str):
        raise ValueError("it is of another release")
    if not isinstance(said, list) or not all(
        _are_counts([one]) or (isinstance(one, str) and one in _ERRORS) for one in said
    ):
        raise ValueError("texts are neither counts nor reasons")
    sizes = [BYTES_A_WORD * one for one in said if isinstance(one, int)]
    if sum(sizes) != len(body):
        raise ValueError("scores are more or fewer than said")
    scores = iter([np.frombuffer(part, "<u2").astype(np.uint16) for part in _slices(body, sizes)])
    outcomes = tuple(next(scores) if isinstance(one, int) else _reason(one) for one in said)
    if any(not isinstance(one, ScoringError) and int(one.max(initial=0)) > SCORE_ONE for one in outcomes):
        raise ValueError("scores are above 1")
    return Answered(fingerprint, words, outcomes)


def _reason(skip: str) -> ScoringError:
    return _ERRORS[cast(Any, skip)](f"the remote scorer says {skip}")


def _joined(head: dict[str, Any], parts: Sequence[bytes]) -> bytes:
    raw = json.dumps(head).encode()
    return b"".join([_LENGTH.pack(len(raw)), raw, *parts])


def _parted(raw: bytes) -> tuple[dict[str, Any], bytes]:
    """Head and body."""
    if len(raw) < _LENGTH.size:
        raise ValueError("it is too short")
    [size] = _LENGTH.unpack_from(raw)
    if size > MAX_HEAD or _LENGTH.size + size > len(raw):
        raise ValueError("its head is longer than it is, or than any")
    try:
        head = json.loads(raw[_LENGTH.size : _LENGTH.size + size])
    except (ValueError, RecursionError) as error:
        raise ValueError("its head is not JSON") from error
    if not isinstance(head, dict):
        raise ValueError("its head is no object")
    return head, raw[_LENGTH.size + size :]


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT
        for value in values
    )


def _slices(body: bytes, sizes: Sequence[int]) -> list[bytes]:
    parts, at = [], 0
    for size in sizes:
        parts.append(body[at : at + size])
        at += size
    return parts

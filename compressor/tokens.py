"""Token counts of the target model, and how many of them each word costs.

tiktoken ships no vocabularies; litellm's package carries the common ones, found here without importing it
(that import takes seconds). Text is always encoded as ordinary text: "<|endoftext|>" is thirteen characters.
"""

from __future__ import annotations

import importlib.util
import os
import threading
from bisect import bisect_left
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import tiktoken
from numpy.typing import NDArray

from compressor.types import Codes, Ints, Words

Tokens: TypeAlias = NDArray[np.uint32]
"""Ids of a text's tokens in one encoding."""

DEFAULT_ENCODING = "o200k_base"
_AVAILABLE = ("o200k_base", "cl100k_base", "p50k_base", "o200k_harmony")
"""Encodings whose ranks lie in litellm's package."""
_PIECE = 1 << 17
"""Characters; any text of so many can be encoded, seven times as many blanks cannot."""


def encoding_for(model: str | None) -> tuple[str, bool]:
    """The encoding of a model by name, and whether it is truly that model's (else the nearest stand-in)."""
    name = (model or "").rsplit("/", 1)[-1]
    try:
        found = tiktoken.encoding_name_for_model(name)
    except KeyError:
        return DEFAULT_ENCODING, False
    return (found, True) if found in _AVAILABLE else (DEFAULT_ENCODING, False)


BESIDE_CHARACTERS = 16_384
"""Of so many, half are encoded on another thread: 1 ms each."""
_SEPARATOR: Final = "<|endoftext|>"
"""A token of its own in every encoding, between texts that are encoded at one go."""

SAMPLE_CHARACTERS = 1000
"""Of each of the two places an estimate looks at: some 0.1 ms in all."""


class TokenCounter:
    """Counts in one encoding. Safe on any thread; tiktoken releases the interpreter lock while it encodes."""

    def __init__(self, encoding: tiktoken.Encoding) -> None:
        self._encoding = encoding
        self._lengths = np.zeros(encoding.n_vocab + 1, np.uint8)  # the longest has 128 bytes
        for token in range(encoding.n_vocab):
            try:
                self._lengths[token] = len(encoding.decode_single_token_bytes(token))
            except KeyError:
                continue  # vocabularies have holes

    def count(self, text: str) -> int:
        """Tokens in `text`."""
        return len(self.encode(text))

    def count_all(self, texts: Sequence[str]) -> list[int]:
        """Tokens in each text."""
        return [len(tokens) for tokens in self.encode_all(texts)]

    def encode_all(self, texts: Sequence[str]) -> list[Tokens]:
        """The tokens of each text. Many at one go let the interpreter lock go once, and for longer."""
        n_characters = sum(map(len, texts))
        half = _half(texts) if n_characters >= BESIDE_CHARACTERS else 0
        if not half:
            return self._encode_joined(texts)
        beside = _beside.submit(self._encode_joined, texts[:half])
        rest = self._encode_joined(texts[half:])
        first = self._encode_joined(texts[:half]) if beside.cancel() else beside.result()
        return [*first, *rest]

    def _encode_joined(self, texts: Sequence[str]) -> list[Tokens]:
        try:
            joined = self._encoding.encode_to_numpy(
                _SEPARATOR.join(texts), allowed_special={_SEPARATOR}, disallowed_special=()
            )
        except (UnicodeEncodeError, ValueError):  # one of them is special
            return list(map(self.encode, texts))
        cuts = (joined == self._encoding.eot_token).nonzero()[0].tolist()
        if len(cuts) != len(texts) - 1:  # one of them spells the separator
            return list(map(self.encode, texts))
        return [joined[start + 1 : end] for start, end in zip([-1, *cuts], [*cuts, None], strict=True)]

    def count_strictly(self, text: str) -> int:
        """As tiktoken counts unless told otherwise. Raises ValueError for "<|endoftext|>" and its like."""
        return len(self._encoding.encode(text))

    def estimate(self, text: str) -> int:
        """As `count`, but of a long text from its beginning and middle: where there is no time to count."""
        if len(text) <= 2 * SAMPLE_CHARACTERS:
            return self.count(text)
        middle = len(text) // 2
        sample = text[:SAMPLE_CHARACTERS] + text[middle : middle + SAMPLE_CHARACTERS]
        return round(self.count(sample) * len(text) / len(sample))

    def weigh(self, tokens: Tokens, words: Words) -> Ints:
        """How many of a text's tokens end inside each of its words or the gap before it, shape [n].

        Weights sum to the count, but for tokens of white space after the last word.
        """
        token_ends = np.cumsum(self._lengths[tokens], dtype=np.int64)
        words_upto = np.searchsorted(token_ends, _byte_offsets(words.codes, words.ends), side="right")
        return np.diff(words_upto, prepend=0).astype(np.int32)

    def encode(self, text: str) -> Tokens:
        """The tokens of `text`."""
        try:
            return self._encoding.encode_to_numpy(text, disallowed_special=())
        except UnicodeEncodeError:  # a lone surrogate: counted as U+FFFD, which is as long in UTF-8
            return self.encode(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
        except ValueError:  # a megabyte of blanks overflows the stack of tiktoken's regular expressions
            if len(text) <= _PIECE:
                raise
            pieces = (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))
            return np.concatenate([self.encode(piece) for piece in pieces])


def _half(texts: Sequence[str]) -> int:
    """How many of the texts have about half of the characters."""
    upto = list(accumulate(map(len, texts)))
    return bisect_left(upto, upto[-1] / 2)


def _byte_offsets(codes: Codes, offsets: Ints) -> NDArray[np.int64]:
    """Where character offsets lie in the text's UTF-8 bytes."""
    if not codes.size or int(codes.max()) < 0x80:
        return offsets.astype(np.int64)
    lengths = 1 + (codes >= 0x80).astype(np.int64) + (codes >= 0x800) + (codes >= 0x10000)
    return np.concatenate(([0], np.cumsum(lengths)))[offsets]


_beside: Final = ThreadPoolExecutor(1, "pith-tokens")
"""Its thread starts when it is first wanted."""
_counters: Final[dict[str, TokenCounter]] = {}
_loading: Final = threading.Lock()


def counter(encoding: str) -> TokenCounter:
    """The counter of an encoding, loaded once: 0.2 s, 43 MiB. Raises ValueError for an unknown one."""
    if not is_loaded(encoding):
        with _loading:
            if not is_loaded(encoding):
                _counters[encoding] = _load(encoding)
    return _counters[encoding]


def is_loaded(encoding: str) -> bool:
    """Whether `counter` has it at once."""
    return encoding in _counters


def _load(encoding: str) -> TokenCounter:
    os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(ranks_folder()))
    vocabulary = tiktoken.get_encoding(encoding)
    # Its tables are made. The dictionary they were made of is kept for pickling only, and is 30 MiB more.
    vocabulary._mergeable_ranks = {}
    return TokenCounter(vocabulary)


def ranks_folder() -> Path:
    """Where the vocabularies lie, by the names under which tiktoken looks for them."""
    spec = importlib.util.find_spec("litellm")
    if spec is None or spec.origin is None:
        raise RuntimeError(
            "package litellm is not installed: it carries the token vocabularies; run `make install`"
        )
    return Path(spec.origin).parent / "litellm_core_utils" / "tokenizers"

"""The two shipped word tables, as arrays: how frequent a word is in eight languages, and which Han and
Hiragana characters hold together inside a word.

Loaded once, at first use, from `data/*.tsv.gz` (built by `compressor.train.frequency_table`; about 0.1 s).
Look-ups are exact, take arrays, and depend on nothing but their arguments.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from threading import Lock
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from compressor.chars import codes_of, hash_spans
from compressor.types import Bools, Codes, Hashes

Language: TypeAlias = Literal["en", "ko", "zh", "ja", "de", "fr", "es", "pt"]
LANGUAGES: tuple[Language, ...] = ("en", "ko", "zh", "ja", "de", "fr", "es", "pt")
LATIN: tuple[Language, ...] = ("en", "de", "fr", "es", "pt")

_COLUMN = {str(language): i for i, language in enumerate(LANGUAGES)}

Rows: TypeAlias = NDArray[np.int32]
"""Row of the table per word; 0 for words it does not know."""
Tenths: TypeAlias = NDArray[np.uint8]
"""Zipf values in tenths; 0 for unknown."""

_LOADING = Lock()
"""Threads that ask at the same moment wait for one load instead of each doing their own."""
_PLANE = 0x10000
_SLOT_BITS = 19
_MIX = np.uint64(0xD6E8FEB86659FD93)
_MIXED_MARGIN = 12
"""Mean Zipf tenths a word by which the best Latin language must lead, else the two best are read together.

Of 929 English texts of 150 words 99 % lead by more than 13.9; half English and half French ones by 1 to 9.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Cohesion:
    """Which pairs of Han or Hiragana characters hold together: a bit matrix over the characters known.

    Two thirds of its blocks of 32 bytes have no bit: they are stored once for all, which saves 3 MiB.
    """

    ids: NDArray[np.int32]
    """Code point (below 0x10000) to row and column; 0 for characters not in the table."""
    simple: Codes
    """Code point (below 0x10000) to its simplified form, itself for most."""
    blocks: NDArray[np.uint16]
    """Row of `bits` per 256 cells of the matrix; row 0 is empty."""
    bits: NDArray[np.uint8]
    stride: int

    def is_cohesive(self, left: Codes, right: Codes) -> Bools:
        """Per pair: is a word boundary between the two unlikely? Traditional forms count as simplified."""
        cells = self._ids(left) * np.int32(self.stride) + self._ids(right)
        bits = self.bits[self.blocks[cells >> 8], (cells >> 3) & 31]
        is_set: Bools = (bits >> (cells & 7).astype(np.uint8)) & 1 != 0
        return is_set

    def simplified(self, codes: Codes) -> Codes:
        """Each character's simplified form; itself where it has none."""
        forms = self.simple[np.minimum(codes, _PLANE - 1)]
        return np.where(codes < _PLANE, forms, codes)

    def _ids(self, codes: Codes) -> NDArray[np.int32]:
        return self.ids[np.minimum(codes, _PLANE - 1)]


@dataclass(frozen=True, eq=False)
class FrequencyTable:
    """Zipf values of words in eight languages, by the word's hash: buckets of a hash table."""

    keys: Hashes
    """Mixed hashes in order, hence by bucket; row r of `tenths` belongs to keys[r - 1]."""
    buckets: NDArray[np.int32]
    """First key of each bucket, and one past the last."""
    tenths: Tenths
    """Zipf tenths, shape [1 + words, languages]; row 0 is the unknown word."""

    @cached_property
    def _deepest(self) -> int:
        return int(np.diff(self.buckets).max())

    def rows(self, hashes: Hashes) -> Rows:
        """The row of each word, 0 where unknown."""
        mixed = _mixed(hashes)
        slots = _slots(mixed)
        first, past = self.buckets[slots], self.buckets[slots + 1]
        found = np.zeros(len(hashes), np.int32)
        last = len(self.keys) - 1
        for depth in range(self._deepest):
            at = first + np.int32(depth)
            is_hit = (self.keys[np.minimum(at, last)] == mixed) & (at < past)
            found[is_hit] = at[is_hit] + 1
        return found

    def zipf(self, hashes: Hashes, language: Language) -> NDArray[np.float32]:
        """log10 of occurrences per billion words in that language; 0 where unknown."""
        column = _COLUMN[language]
        zipf: NDArray[np.float32] = self.tenths[self.rows(hashes), column].astype(np.float32) / np.float32(10)
        return zipf

    def latin_languages(self, rows: Rows, counts: NDArray[np.int64]) -> tuple[Language, ...]:
        """The language that explains these words best, or the two best if neither clearly does; best first.

        The sum of Zipf values is a unigram log likelihood, an unknown word counting as one in a billion.
        """
        columns = [_COLUMN[language] for language in LATIN]
        likelihood = (self.tenths[rows][:, columns] * counts[:, None]).sum(axis=0)
        n = max(1, int(counts[rows > 0].sum()))
        order = sorted(range(len(LATIN)), key=lambda i: (-int(likelihood[i]), i))
        lead = int(likelihood[order[0]]) - int(likelihood[order[1]])
        best = order[:1] if lead >= _MIXED_MARGIN * n else order[:2]
        return tuple(LATIN[i] for i in best)


def _mixed(hashes: Hashes) -> Hashes:
    """A bijection that spreads hashes evenly over the high bits."""
    mixed: Hashes = (hashes ^ (hashes >> np.uint64(32))) * _MIX
    return mixed


def _slots(mixed: Hashes) -> NDArray[np.int64]:
    return (mixed >> np.uint64(64 - _SLOT_BITS)).astype(np.int64)


def _read(name: str) -> bytes:
    return gzip.decompress((files("compressor") / "data" / name).read_bytes())


def _fields(data: bytes) -> list[list[str]]:
    """Rows of a table, comments left out."""
    return [line.split("\t") for line in data.decode().splitlines() if not line.startswith("#")]


def parse_cohesion(data: bytes) -> Cohesion:
    """The bit matrix of a cohesion table's text."""
    rows = _fields(data)
    pairs = [(left, right) for kind, left, right in rows if kind == "pair"]
    lefts = np.repeat(codes_of("".join(left for left, _ in pairs)), [len(right) for _, right in pairs])
    rights = codes_of("".join(right for _, right in pairs))
    known = np.unique(np.concatenate([lefts, rights]))
    ids = np.zeros(_PLANE, np.int32)
    ids[known] = np.arange(1, len(known) + 1)
    simple = np.arange(_PLANE, dtype=np.uint32)
    for kind, target, forms in rows:
        if kind == "fold":
            simple[codes_of(forms)] = ord(target)
    stride = len(known) + 1
    cells = np.sort(ids[lefts] * stride + ids[rights])
    at, first = np.unique(cells >> 3, return_index=True)
    held, of = np.unique(at >> 5, return_inverse=True)
    blocks = np.zeros((stride * stride >> 8) + 1, np.uint16)
    blocks[held] = np.arange(1, len(held) + 1)
    bits = np.zeros((len(held) + 1, 32), np.uint8)
    bits[of + 1, at & 31] = np.bitwise_or.reduceat(np.uint8(1) << (cells & 7).astype(np.uint8), first)
    return Cohesion(ids[simple], simple, blocks, bits, stride)


def parse_frequency(data: bytes) -> FrequencyTable:
    """The hash table of a frequency table's text."""
    rows = _fields(data)
    codes = codes_of(" ".join(words for _, _, words in rows))
    is_gap = codes == ord(" ")
    starts = np.flatnonzero(np.append(True, is_gap[:-1])).astype(np.int32)
    mixed = _mixed(hash_spans(codes, starts, (~is_gap).astype(np.uint8)))
    order = np.argsort(mixed)
    ordered = mixed[order]
    is_first = np.append(True, ordered[1:] != ordered[:-1])
    row = np.empty(len(order), np.int64)
    row[order] = np.cumsum(is_first)
    keys = ordered[is_first]
    sizes = [words.count(" ") + 1 for _, _, words in rows]
    tenths = np.zeros((len(keys) + 1, len(LANGUAGES)), np.uint8)
    column = np.repeat([_COLUMN[language] for language, _, _ in rows], sizes)
    tenths[row, column] = np.repeat([round(float(zipf) * 10) for _, zipf, _ in rows], sizes)
    buckets = np.zeros((1 << _SLOT_BITS) + 1, np.int32)
    np.cumsum(np.bincount(_slots(keys), minlength=1 << _SLOT_BITS), out=buckets[1:])
    return FrequencyTable(keys, buckets, tenths)


def load() -> None:
    """Read the tables now and not at the first text: 0.2 s, and 35 MiB for a moment of which 8 stay."""
    _load_frequency()
    _load_cohesion()


@cache
def _load_cohesion() -> Cohesion:
    return parse_cohesion(_read("cohesion.tsv.gz"))


@cache
def _load_frequency() -> FrequencyTable:
    return parse_frequency(_read("frequency.tsv.gz"))


@cache
def _load_fingerprint() -> str:
    digest = hashlib.sha256()
    for name in ("frequency.tsv.gz", "cohesion.tsv.gz"):
        digest.update(_read(name))
    return digest.hexdigest()[:16]


def cohesion() -> Cohesion:
    """The shipped cohesion table."""
    with _LOADING:
        return _load_cohesion()


def frequency() -> FrequencyTable:
    """The shipped frequency table."""
    with _LOADING:
        return _load_frequency()


def fingerprint() -> str:
    """Names the content of both tables."""
    with _LOADING:
        return _load_fingerprint()

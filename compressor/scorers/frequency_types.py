"""The distinct words of a text (types), and what the shipped tables know of each.

Everything that depends on the word alone is found once a type; the words of the text then index into it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from compressor.chars import BASE, folded, hash_spans, hash_words
from compressor.lexicon import LANGUAGES, Rows, Tenths, cohesion, frequency
from compressor.scorers.frequency_roles import Role, roles_of
from compressor.types import Codes, Hashes, Ints, Words
from compressor.words import Flag

# Korean endings by what they say of their word; the scorer has one weight for each kind.
ENDINGS: tuple[str, ...] = (
    "",
    "을 를",
    "이 가 께서 이가",
    "은 는 에는 에서는 으로는 로는 들은 들이",
    "의 에서의 으로의 로의 들의 까지의 부터의",
    "에 에서 에게 한테 께 으로 로 로서 으로서 로써 으로써 에도 에서도 에게서",
    "와 과 이나 나 이랑 랑 이란 란",
    "도 만 까지 부터 마다 조차 밖에 보다 처럼 만큼 뿐 라도 이라도 만이 만을 들 들을",
    "다 요 니다 습니다 입니다 합니다 됩니다 했다 한다 된다 됐다 되었다 하였다 이다 였다 이었다 했습니다 "
    "되었습니다 였습니다 이었습니다 해요 하세요 세요 예요 이에요 돼요 했어요 어요 아요 는다 ㄴ다 까요 ㅂ니다 "
    "네요 죠 지요",
    "고 며 면 면서 지만 어서 아서 해서 하여 하고 하며 하면 하면서 하지만 되고 되며 되면 되면서 되어 돼 "
    "으면 으며 해 해도 니까 으니 는데 인데 한데 이고 이며 거나 하거나 이거나 더니 려고 하려고 하려면 려면",
    "지 하지 되지 게 하게 되게 도록 하도록 되도록",
    "한 된 하는 되는 할 될 했던 하던 인 적인 적 적으로 던 라는 이라는 다는 는지 려는 하려는",
    "기 하기 되기 함 됨 음 하기를 하는지",
)
_LONGEST_ENDING = 5
_APOSTROPHE = ord("'")
_INVERSE_BASE = np.uint64(pow(BASE, -1, 2**64))


@dataclass(frozen=True, slots=True, eq=False)
class Types:
    """Per word of the text: which type it is and where it recurs. Per type: what is known of it."""

    of: NDArray[np.intp]
    """Type of each word, shape [n]."""
    rank: Ints
    """How many times the type stood before, shape [n]."""
    gap: Ints
    """Words since it last stood, 0 at its first time, shape [n]."""
    counts: NDArray[np.int64]
    tenths: Tenths
    """Zipf value in the text's language, of the stem where the whole word is unknown; 0 unknown."""
    roles: NDArray[np.uint8]
    endings: NDArray[np.uint8]
    """Index into ENDINGS."""
    stems: Hashes
    """Hash of the word without its Korean ending; of the word itself where nothing was cut."""
    columns: NDArray[np.uint8]
    """Language, as a place in LANGUAGES."""


def find_types(words: Words) -> Types:
    """The types of a text."""
    order = np.argsort(words.hashes, kind="stable")
    ordered = words.hashes[order]
    is_first = np.append(True, ordered[1:] != ordered[:-1])
    begins = np.flatnonzero(is_first)
    counts = np.diff(begins, append=len(order))
    group = np.cumsum(is_first) - 1
    of, rank, gap = np.empty_like(order), np.empty(len(order), np.int32), np.empty(len(order), np.int32)
    of[order] = group
    rank[order] = np.arange(len(order)) - begins[group]
    gap[order] = np.where(is_first, 0, np.diff(order, prepend=0))
    return Types(of, rank, gap, counts, *_known(words, order[begins], counts))


def _known(
    words: Words, at: NDArray[np.intp], counts: NDArray[np.int64]
) -> tuple[Tenths, NDArray[np.uint8], NDArray[np.uint8], Hashes, NDArray[np.uint8]]:
    """Zipf tenths, role, ending, stem and language of the types that stand at the words `at`."""
    table = frequency()
    flags = words.flags[at]
    hashes = words.hashes[at]
    rows = table.rows(hashes)
    is_hangul, is_cjk = (flags & Flag.HANGUL) != 0, (flags & Flag.CJK) != 0
    is_latin = ((flags & Flag.HAS_LETTER) != 0) & ~is_hangul & ~is_cjk
    _strip_apostrophes(words, at, np.flatnonzero(is_latin & (rows == 0) & ((flags & Flag.INNER) != 0)), rows)
    _simplify(words, at, np.flatnonzero(is_cjk & (rows == 0)), rows)
    stems, endings = _strip_endings(words, at, np.flatnonzero(is_hangul), rows)

    han = _han_columns(words, at[is_cjk], counts[is_cjk])
    latin = [LANGUAGES.index(name) for name in table.latin_languages(rows[is_latin], counts[is_latin])]
    columns = np.full(len(at), latin[0], np.uint8)
    columns[is_hangul], columns[is_cjk] = LANGUAGES.index("ko"), han[0]
    tenths = table.tenths[rows, columns]
    tenths[is_latin] = table.tenths[rows[is_latin]][:, latin].max(axis=1, initial=0)
    tenths[is_cjk] = table.tenths[rows[is_cjk]][:, han].max(axis=1, initial=0)
    roles = roles_of(hashes, columns)
    stem_roles = roles_of(stems, columns)
    return tenths, np.where(roles == Role.NONE, stem_roles, roles), endings, stems, columns


def _han_columns(words: Words, at: NDArray[np.intp], counts: NDArray[np.int64]) -> list[int]:
    """Columns to read Han words by: Japanese where Kana is common, both where it is merely present."""
    first = words.codes[words.starts[at]]
    kana = int(counts[(first >= 0x3041) & (first <= 0x30FF)].sum())
    n = int(counts.sum())
    zh, ja = LANGUAGES.index("zh"), LANGUAGES.index("ja")
    if kana * 10 >= n:
        return [ja]
    return [zh, ja] if kana * 50 >= n else [zh]


def _strip_apostrophes(words: Words, at: NDArray[np.intp], some: NDArray[np.intp], rows: Rows) -> None:
    """Look unknown words up without what an apostrophe glues to them: l'école, qu'elle; company's."""
    if not len(some):
        return
    starts, ends = words.starts[at[some]], words.ends[at[some]]
    codes, hashes = words.codes, words.hashes[at[some]].copy()
    last = len(codes) - 1
    for width in (1, 2):
        mark = np.minimum(starts + np.int32(width), last)
        is_elision = (folded(codes[mark]) == _APOSTROPHE) & (ends - starts > width + 2)
        lead = _hash_ranges(codes, starts[is_elision], starts[is_elision] + np.int32(width + 1))
        hashes[is_elision] -= lead
        for _ in range(width + 1):
            hashes[is_elision] *= _INVERSE_BASE
    is_possessive = (
        (ends - starts > 3) & (folded(codes[ends - 2]) == _APOSTROPHE) & (folded(codes[ends - 1]) == ord("s"))
    )
    hashes[is_possessive] = _hash_ranges(codes, starts[is_possessive], ends[is_possessive] - np.int32(2))
    rows[some] = frequency().rows(hashes)


def _simplify(words: Words, at: NDArray[np.intp], some: NDArray[np.intp], rows: Rows) -> None:
    """Look unknown Han words up by their simplified characters."""
    if len(some):
        starts, ends = words.starts[at[some]], words.ends[at[some]]
        rows[some] = frequency().rows(_hash_ranges(words.codes, starts, ends, is_simplified=True))


def _hash_ranges(codes: Codes, starts: Ints, ends: Ints, *, is_simplified: bool = False) -> Hashes:
    """Hash of each non-empty range of characters."""
    lengths = ends - starts
    offsets = np.zeros(len(lengths), np.int32)
    np.cumsum(lengths[:-1], out=offsets[1:])
    members = codes[np.arange(int(lengths.sum())) + np.repeat(starts - offsets, lengths)]
    if is_simplified:
        members = cohesion().simplified(members)
    return hash_spans(members, offsets)


@cache
def _ending_tables() -> tuple[tuple[Hashes, NDArray[np.uint8]], ...]:
    """Per length 1 … _LONGEST_ENDING: sorted hashes of the endings and their kinds."""
    tables = []
    for length in range(1, _LONGEST_ENDING + 1):
        found: dict[str, int] = {}
        for kind, endings in enumerate(ENDINGS):
            for ending in endings.split():
                if len(ending) == length:
                    found.setdefault(ending, kind)
        hashes = hash_words(list(found))
        order = np.argsort(hashes)
        tables.append((hashes[order], np.array(list(found.values()), np.uint8)[order]))
    return tuple(tables)


def _strip_endings(
    words: Words, at: NDArray[np.intp], some: NDArray[np.intp], rows: Rows
) -> tuple[Hashes, NDArray[np.uint8]]:
    """Look Korean words up without particle or verb ending; the longest that leaves a known stem wins.

    Returns stems (the word itself where nothing was cut) and ending kinds of all types, and completes `rows`.
    """
    stems = words.hashes[at].copy()
    endings = np.zeros(len(at), np.uint8)
    if not len(some):
        return stems, endings
    starts, ends, whole = words.starts[at[some]], words.ends[at[some]], stems[some]
    lengths = ends - starts
    tail = np.zeros(len(some), np.uint64)
    for length, (keys, kinds) in enumerate(_ending_tables(), start=1):
        # the tail of `length` characters, hashed as a word: one more character shifts the others by one
        code = folded(words.codes[np.maximum(ends - length, 0)]).astype(np.uint64)
        tail = (tail + code) * np.uint64(BASE)
        found = np.minimum(np.searchsorted(keys, tail), len(keys) - 1)
        is_cut = (keys[found] == tail) & (lengths > length)
        cut = np.flatnonzero(is_cut)
        stem = _hash_ranges(words.codes, starts[cut], ends[cut] - np.int32(length)) if len(cut) else whole[:0]
        stem_rows = frequency().rows(stem)
        place = some[cut]
        # a shorter ending may leave a known stem where the longer one does not
        is_better = (stem_rows > 0) | (stems[place] == whole[cut])
        place, stem, stem_rows, kind = (
            place[is_better],
            stem[is_better],
            stem_rows[is_better],
            kinds[found[cut][is_better]],
        )
        stems[place], endings[place] = stem, kind
        rows[place] = np.where(stem_rows > 0, stem_rows, rows[place])
    return stems, endings

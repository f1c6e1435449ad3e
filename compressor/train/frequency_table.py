"""Builds the two tables behind the model-free scorer from the word lists of the wordfreq package.

    python -m compressor.train.frequency_table [--out compressor/data]

`frequency.tsv.gz` has rows `language, zipf, words`: all words of that language that round to that Zipf value
(log10 of occurrences per billion words), sorted. `cohesion.tsv.gz` has rows `pair, a, bcd…`: the characters
that hold together with `a` inside a Chinese or Japanese word, and rows `fold, simplified, traditional…`.
Both start with a comment naming source and licence. Same wordfreq and zlib, same bytes.
"""

from __future__ import annotations

import gzip
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import click
import msgpack
import wordfreq

SIZES = {"en": 40_000, "ko": 30_000, "zh": 30_000, "ja": 30_000}
"""Words kept of the languages named here; of the others, OTHER_SIZE."""
OTHER_SIZE = 30_000
LANGUAGES = ("en", "ko", "zh", "ja", "de", "fr", "es", "pt")

HAN_RATIO, KANA_RATIO = 3.0, 5.0
"""A pair holds together when it is this many times likelier inside a word than across two independent ones.

Chosen on Chinese and Japanese treebanks, where word F1 moves by 0.02 at most from 2 to 8 (docs/frequency.md).
"""
RAREST_PAIR = 2e-8
"""Pairs inside words rarer than this in sum are left out: 15 % of the rows for 0.001 of F1."""

HEADER = (
    "# {title}. From wordfreq {version} (Robyn Speer), https://github.com/rspeer/wordfreq.\n"
    "# Licence: CC BY-SA 4.0, https://creativecommons.org/licenses/by-sa/4.0/ (credits: NOTICE)\n"
)
_LATIN = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_SCRIPTS = {
    "ko": re.compile("[가-힣]+"),
    "zh": re.compile("[㐀-鿿]+"),
    "ja": re.compile("[ぁ-ゟァ-ヿ㐀-鿿々〇]+"),
}
_HAN_KANA = re.compile("[ぁ-ゟ㐀-鿿々〇]+")
_HAN = re.compile("[㐀-鿿々〇]")


def frequency_rows(language: str, frequencies: Mapping[str, float], size: int) -> Iterator[str]:
    """Rows of one language's most frequent words, most frequent first."""
    script = _SCRIPTS.get(language, _LATIN)
    words = [word for word in frequencies if script.fullmatch(word)]
    words.sort(key=lambda word: (-frequencies[word], word))
    by_zipf: dict[int, list[str]] = defaultdict(list)
    for word in words[:size]:
        by_zipf[round(math.log10(frequencies[word] * 1e9) * 10)].append(word)
    for tenths in sorted(by_zipf, reverse=True):
        yield f"{language}\t{tenths / 10}\t{' '.join(sorted(by_zipf[tenths]))}\n"


def cohesive_pairs(frequencies: Mapping[str, float]) -> set[str]:
    """The pairs of adjacent characters that are likelier inside one word than across two words."""
    inside: dict[str, float] = defaultdict(float)
    starts: dict[str, float] = defaultdict(float)
    ends: dict[str, float] = defaultdict(float)
    for word, frequency in frequencies.items():
        if _HAN_KANA.fullmatch(word):
            starts[word[0]] += frequency
            ends[word[-1]] += frequency
            for left, right in pairwise(word):
                inside[left + right] += frequency
    total = sum(starts.values())
    pairs = set()
    for pair, frequency in inside.items():
        ratio = HAN_RATIO if _HAN.match(pair[0]) and _HAN.match(pair[1]) else KANA_RATIO
        if frequency >= RAREST_PAIR and frequency * total > ratio * ends[pair[0]] * starts[pair[1]]:
            pairs.add(pair)
    return pairs


def fold_rows(simplified: Mapping[str, str]) -> Iterator[str]:
    """Rows that send traditional characters to the simplified one."""
    forms: dict[str, list[str]] = defaultdict(list)
    for traditional, target in simplified.items():
        if traditional != target:
            forms[target].append(traditional)
    for target in sorted(forms):
        yield f"fold\t{target}\t{''.join(sorted(forms[target]))}\n"


def pair_rows(pairs: Iterable[str], simplified: Mapping[str, str]) -> Iterator[str]:
    """Rows of pairs, both characters simplified, grouped by their first."""
    followers: dict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        left, right = (simplified.get(char, char) for char in pair)
        followers[left].add(right)
    for left in sorted(followers):
        yield f"pair\t{left}\t{''.join(sorted(followers[left]))}\n"


def _simplified() -> dict[str, str]:
    """wordfreq's map from traditional to simplified characters, where both are in the basic plane."""
    path = Path(wordfreq.__file__).parent / "data" / "_chinese_mapping.msgpack.gz"
    codes = msgpack.loads(gzip.decompress(path.read_bytes()), strict_map_key=False)
    chars = {chr(code): target for code, target in codes.items()}
    return {char: target for char, target in chars.items() if _HAN.fullmatch(char) and _HAN.fullmatch(target)}


def _write(path: Path, title: str, rows: Iterable[str]) -> None:
    header = HEADER.format(title=title, version=version("wordfreq"))
    data = gzip.compress((header + "".join(rows)).encode(), compresslevel=9, mtime=0)
    path.write_bytes(data)
    click.echo(f"{path}: {len(data):,} bytes")


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("compressor/data"))
def main(out: Path) -> None:
    """Write frequency.tsv.gz and cohesion.tsv.gz to the folder OUT."""
    lists = {language: wordfreq.get_frequency_dict(language, "best") for language in LANGUAGES}
    simplified = _simplified()
    rows = [
        row
        for language, frequencies in lists.items()
        for row in frequency_rows(language, frequencies, SIZES.get(language, OTHER_SIZE))
    ]
    _write(out / "frequency.tsv.gz", "Word frequencies: language, Zipf value, words", rows)
    pairs = cohesive_pairs(lists["zh"]) | cohesive_pairs(lists["ja"])
    rows = [*pair_rows(pairs, simplified), *fold_rows(simplified)]
    _write(out / "cohesion.tsv.gz", "Characters that hold together inside Chinese and Japanese words", rows)


if __name__ == "__main__":
    main()

"""Adds whole words to a tokenizer: those that MiniLM knows whole, and the most frequent of each language.

    python -m compressor.train.whole_words --data DIR --minilm DIR --tokenizer tokenizer.json --out wider.json

Pieces learnt from counts spell even frequent words ("because", "vous") in parts, and the mean of their
vectors says less than one of their own would: every fifth English word of running text had none. A word added
scores a nat above the parts that spelled it, so it wins where it stands alone and hardly ever else. Old
pieces keep their places: weights of the narrower tokenizer go on serving.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import click
from tokenizers import Tokenizer

from compressor.scorers.embedded_inputs import N_SPECIALS, WORD_MARK
from compressor.train.corpus import read_texts
from compressor.train.vocabulary import BYTES, tokenizer_of
from compressor.words import split

NUMBERS: Mapping[str, int] = {
    "en": 12_000,
    "ko": 4_000,
    "zh": 1_500,
    "ja": 1_000,
    "fr": 1_500,
    "es": 1_500,
    "de": 1_200,
    "pt": 1_300,
}
"""Words added, by language."""
_AHEAD = 1.0
_LISTED = 60_000


def widened(tokenizer: Tokenizer, words: Iterable[str]) -> Tokenizer:
    """A tokenizer that knows these words whole besides; those it spells in one piece already are left out."""
    vocabulary = json.loads(tokenizer.to_str())["model"]["vocab"]
    scores = dict(map(tuple, vocabulary))
    added = {}
    for word in words:
        parts = tokenizer.encode(word, add_special_tokens=False).tokens
        if len(parts) > 1 and all(part in scores for part in parts) and WORD_MARK + word not in scores:
            added[WORD_MARK + word] = sum(scores[part] for part in parts) + _AHEAD
    learnt = vocabulary[N_SPECIALS + len(BYTES) :]
    return tokenizer_of([*map(tuple, learnt), *added.items()])


def _lacks_a_piece(parts: list[str], language: str) -> bool:
    """Chinese and Japanese words are the same pieces wherever they stand: the mark alone tells nothing."""
    said = parts[parts[0] == WORD_MARK :] if language in ("zh", "ja") else parts
    return len(said) > 1


def chosen_words(data: Path, minilm: Tokenizer, tokenizer: Tokenizer) -> list[str]:
    """The most frequent words of each language that lack a piece; in English, such as MiniLM knows whole."""
    known, pieces = minilm.get_vocab(), tokenizer.get_vocab()
    found: dict[str, None] = {}
    for language, counts in frequencies(data).items():
        lacking = (
            word
            for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            if word.isalpha() and word not in found and (language != "en" or word in known)
        )
        n = 0
        for word in lacking:
            if n == NUMBERS[language]:
                break
            parts = tokenizer.encode(word, add_special_tokens=False).tokens
            if _lacks_a_piece(parts, language) and WORD_MARK + word not in pieces:
                found[word] = None
                n += 1
    return list(found)


def frequencies(data: Path) -> dict[str, dict[str, float]]:
    """Of each language, the share of each word: the mean of that in its texts and that in wordfreq's list."""
    from wordfreq import get_frequency_dict  # of the extra `train`; large tables

    of_texts: dict[str, Counter[str]] = defaultdict(Counter)
    for text in read_texts(data):
        words = split(text.text)
        for start, end in zip(words.starts.tolist(), words.ends.tolist(), strict=True):
            of_texts[text.language][text.text[start:end].lower()] += 1
    found = {}
    for language in NUMBERS:
        listed = get_frequency_dict(language, "best")
        some = Counter(dict(sorted(listed.items(), key=lambda item: -item[1])[:_LISTED]))
        total: dict[str, float] = defaultdict(float)
        for counts in (of_texts[language], some):
            n = sum(counts.values())
            for word, count in counts.items():
                total[word] += count / n / 2
        found[language] = dict(total)
    return found


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--minilm", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--tokenizer", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
def main(data: Path, minilm: Path, tokenizer: Path, out: Path) -> None:
    """Write TOKENIZER with whole words added."""
    narrow = Tokenizer.from_file(str(tokenizer))
    theirs = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    wide = widened(narrow, chosen_words(data, theirs, narrow))
    out.write_text(wide.to_str(), encoding="utf-8")
    click.echo(
        f"{out}: {wide.get_vocab_size()} pieces, {wide.get_vocab_size() - narrow.get_vocab_size()} new"
    )


if __name__ == "__main__":
    main()

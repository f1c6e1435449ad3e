"""Makes the embedded model's tokenizer: pieces for eight languages, and bytes for whatever has none.

    python -m compressor.train.vocabulary --data DIR --out tokenizer.json

Unigram pieces, learnt from word counts of wordfreq (extra `train`) and of the texts of DIR, each language in
its share. Case is folded and compatibility forms are unified, accents stay. Words are told apart by the text
(`compressor.words`), so a piece never reaches from one into the next.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from compressor.scorers.embedded_inputs import N_SPECIALS
from compressor.train.corpus import read_texts
from compressor.words import split

SPECIALS = tuple(f"\U0010ffff{name}" for name in ("unknown", "empty", "newline", "mask", "begin", "end"))
"""Begin with a noncharacter: Unicode keeps it out of interchanged text."""
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
"""What byte fallback calls them. The pre-tokenizer cuts at "<", so no text spells one."""

SHARES: Mapping[str, float] = {
    "en": 0.38,
    "ko": 0.20,
    "zh": 0.10,
    "ja": 0.10,
    "de": 0.06,
    "fr": 0.055,
    "es": 0.055,
    "pt": 0.05,
}
"""Of the instances that pieces are learnt from, by language."""
_INSTANCES = 4_000_000
_LISTED = 60_000
"""Most frequent words of wordfreq taken a language."""
_LIST_SHARE = 0.6
"""Of a language's instances: the list is broad, the texts are short but spell whole Korean words."""
_DAMPING = 0.6
"""Counts are raised to this: pieces for rare words rather than better odds for frequent ones."""


def make_tokenizer(counts: Mapping[str, float], size: int) -> Tokenizer:
    """A tokenizer learnt from how often each word occurs."""
    learning = _without_pieces()
    trainer = trainers.UnigramTrainer(
        vocab_size=size - N_SPECIALS - len(BYTES),
        special_tokens=[],
        unk_token=None,
        max_piece_length=16,
        shrinking_factor=0.75,
        n_sub_iterations=2,
        show_progress=False,
    )
    learning.train_from_iterator(_instances(counts), trainer)
    learnt = json.loads(learning.to_str())["model"]["vocab"]
    return tokenizer_of([(piece, score) for piece, score in learnt])


def tokenizer_of(pieces: Sequence[tuple[str, float]]) -> Tokenizer:
    """The tokenizer of some pieces with their scores; our special pieces and the bytes come first."""
    learnt = [(piece, score) for piece, score in pieces if piece not in SPECIALS]
    lowest = min(score for _, score in learnt) - 10
    reserved = [(piece, lowest) for piece in (*SPECIALS, *BYTES)]
    definition = json.loads(_without_pieces().to_str())
    definition["model"] |= {"vocab": [*reserved, *learnt], "unk_id": 0, "byte_fallback": True}
    return Tokenizer.from_str(json.dumps(definition))


def _without_pieces() -> Tokenizer:
    """How text is taken apart before there are pieces."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Split(Regex(r"\p{P}|\p{S}"), "isolated"),
            pre_tokenizers.Metaspace(prepend_scheme="always", split=False),
        ]
    )
    return tokenizer


def _instances(counts: Mapping[str, float]) -> Iterator[str]:
    for word, count in counts.items():
        for _ in range(max(round(count), 1)):
            yield word


def word_counts(folder: Path) -> dict[str, float]:
    """Instances of each word to learn from."""
    of_texts: dict[str, Counter[str]] = defaultdict(Counter)
    for text in read_texts(folder):
        words = split(text.text)
        for start, end in zip(words.starts.tolist(), words.ends.tolist(), strict=True):
            of_texts[text.language][text.text[start:end].lower()] += 1
    total: Counter[str] = Counter()
    for language, share in SHARES.items():
        _add(total, of_texts[language], share * _INSTANCES * (1 - _LIST_SHARE))
        _add(total, _listed(language), share * _INSTANCES * _LIST_SHARE)
    return dict(total)


def _listed(language: str) -> dict[str, float]:
    from wordfreq import get_frequency_dict  # of the extra `train`; large tables

    known = sorted(get_frequency_dict(language, "best").items(), key=lambda item: -item[1])
    return {word: frequency * 1e8 for word, frequency in known[:_LISTED]}


def _add(total: Counter[str], counts: Mapping[str, float], instances: float) -> None:
    damped = {word: count**_DAMPING for word, count in counts.items() if word.strip()}
    scale = instances / max(sum(damped.values()), 1e-9)
    for word, count in damped.items():
        if count * scale >= 0.5:
            total[word] += count * scale


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--size", default=32_000, show_default=True, help="Pieces in all.")
def main(data: Path, out: Path, size: int) -> None:
    """Learn the pieces from DATA and write the tokenizer."""
    tokenizer = make_tokenizer(word_counts(data), size)
    out.write_text(tokenizer.to_str(), encoding="utf-8")
    click.echo(f"{out}: {tokenizer.get_vocab_size()} pieces")


if __name__ == "__main__":
    main()

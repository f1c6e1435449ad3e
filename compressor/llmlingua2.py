"""`compat`: what `compress_prompt` of llmlingua 0.2.2 answers, byte for byte, as a generator without I/O.

    contexts → placeholders → chunks → (probabilities) → drop contexts → (probabilities) → words → kept → text

Given the same weights in fp32, text, counts and word labels are the package's; where it raises one of
REFERENCE_ERRORS, so does this. What it loses is lost here too: laws 1, 2 and 9 do not hold.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressor.compat_chunks import ForceTokens, Rows, Vocabulary, batches, chunk_texts
from compressor.compat_prompt import CL100K, Prompt, PromptOptions
from compressor.compat_select import drop_repeats, label, percentile, zero_repeats
from compressor.compat_words import Merged, Probability, WordRules, word_probabilities
from compressor.tokens import counter
from compressor.types import Chunk

REFERENCE_ERRORS = (
    ValueError,
    IndexError,
    TypeError,
    ZeroDivisionError,
    AssertionError,
    NotImplementedError,
)
"""What the package raises for texts and options it cannot take."""

_WORDS_AT_RATE_1 = re.compile(r"\w+|[-!@#$%^&*()+?/\\|`~;:\"<>={}]")
"""Labels of a text that is left as it is are of these, which have nothing to do with its tokens."""

Probs = list[NDArray[np.float32]]
"""Of each batch, the probabilities of all tokens the mask lets through, row after row."""

Ask = Generator[list[Chunk], Probs, Prompt]


@dataclass(frozen=True, slots=True)
class _Labelled:
    """The words of one context, and which of them are kept."""

    text: str
    words: tuple[str, ...]
    labels: tuple[bool, ...]


class _Job:
    """What all steps of one call share."""

    def __init__(self, options: PromptOptions, vocabulary: Vocabulary) -> None:
        self.options = options
        self.vocabulary = vocabulary
        self.forced = ForceTokens.of(options.force_tokens, vocabulary)
        self._ends = self.forced.with_names(options.chunk_end_tokens)
        self._rules = WordRules(
            vocabulary.family, vocabulary.specials, self.forced, reserve_digit=options.force_reserve_digit
        )
        self.count = counter(CL100K).count_strictly
        self._weights: dict[str, int] = {}

    def chunks(self, context: str) -> list[str]:
        """The chunks of a context, as text."""
        return chunk_texts(self.forced.hide(context), self._ends, self.vocabulary)

    def merge(self, contexts: Sequence[Sequence[str]], asked: Sequence[Chunk], probs: Probs) -> _Words:
        """The words of every chunk, a list a context."""
        of_rows = _rows(asked, probs)
        return [[self._merge(*next(of_rows)) for _ in chunks] for chunks in contexts]

    def _merge(self, ids: list[int], probabilities: NDArray[np.float32]) -> Merged:
        return self._rules.merge(self.vocabulary.tokens(ids), probabilities)

    def ask(self, contexts: Sequence[Sequence[str]]) -> Generator[list[Chunk], Probs, _Words]:
        """The words of every chunk, from the model."""
        asked = batches([chunk for chunks in contexts for chunk in chunks], self.vocabulary)
        probs = (yield asked) if asked else []
        return self.merge(contexts, asked, probs)

    def keep(self, chunks: Sequence[Merged], reduce: float) -> _Labelled:
        """A context without the words below the threshold of their chunk."""
        kept, labels = [], []
        for merged in chunks:
            chosen = self._labels(merged, reduce)
            kept.append(
                self.vocabulary.join([w for w, is_kept in zip(merged.words, chosen, strict=True) if is_kept])
            )
            labels += chosen
        words = tuple(self.plain(word) for merged in chunks for word in merged.words)
        return _Labelled("".join(kept), words, tuple(labels))

    def _labels(self, merged: Merged, reduce: float) -> list[bool]:
        options, words = self.options, merged.words
        probabilities = word_probabilities(merged.probabilities, options.token_to_word)
        if options.drop_consecutive:
            probabilities = zero_repeats(words, probabilities, reduce, options.force_tokens)
        labels = label(words, probabilities, reduce, self._weigh)
        return drop_repeats(words, labels, options.force_tokens) if options.drop_consecutive else labels

    def _weigh(self, word: str) -> int:
        if word not in self._weights:
            self._weights[word] = self.count(word)
        return self._weights[word]

    def restore(self, chunks: Sequence[str]) -> _Labelled:
        """A context of which nothing is to be dropped; what its tokens lost stays lost."""
        shown = [self.forced.show(chunk) for chunk in chunks]
        words = tuple(word for text in shown for word in _WORDS_AT_RATE_1.findall(text))
        return _Labelled("".join(shown), words, (True,) * len(words))

    def plain(self, word: str) -> str:
        """A word as it is labelled."""
        return word.lstrip("▁") if self.vocabulary.family == "xlm-roberta" else word


_Words = list[list[Merged]]


def compress_prompt(contexts: str | Sequence[str], options: PromptOptions, vocabulary: Vocabulary) -> Ask:
    """Yields batches of rows, is sent the probability of each of their tokens, returns the prompt."""
    job = _Job(options, vocabulary)
    texts = [contexts] if isinstance(contexts, str) else list(contexts)
    origin_tokens = sum(map(job.count, texts))
    chunked = [job.chunks(text) for text in texts]
    if options.use_context_level_filter and len(texts) != 1:
        return (yield from _filtered(job, chunked, origin_tokens))
    rate = options.rate
    if options.target_token > 0:
        rate = min(options.target_token / origin_tokens, 1.0)
    labelled = yield from _compressed(job, chunked, rate)
    return _answer(job, labelled, labelled, origin_tokens)


def _filtered(job: _Job, chunked: list[list[str]], origin_tokens: int) -> Ask:
    """Whole contexts first, then what is left, which is scored anew."""
    options = job.options
    context_rate = _context_rate(options, len(chunked), origin_tokens)
    words = yield from job.ask(chunked)
    scores = [_mean(job, chunks) for chunks in words]
    threshold = percentile(scores, int(100 * (1 - context_rate)))
    is_kept = [bool(score >= threshold) or at in options.force_context_ids for at, score in enumerate(scores)]
    left = [chunks for chunks, keep in zip(chunked, is_kept, strict=True) if keep]
    rate, left_tokens = options.rate, sum(job.count(chunk) for chunks in left for chunk in chunks)
    if options.target_token >= 0:
        rate = min(options.target_token / left_tokens, 1.0)
    labelled = yield from _compressed(job, left, rate)
    following = iter(labelled)
    everything = [
        next(following) if keep else _dropped(job, chunks)
        for chunks, keep in zip(words, is_kept, strict=True)
    ]
    return _answer(job, labelled, everything, origin_tokens)


def _context_rate(options: PromptOptions, n_contexts: int, origin_tokens: int) -> float:
    """The share of contexts to keep: as given, else half way from the rate to all."""
    rate, target = options.context_level_rate, options.context_level_target_token
    if options.target_context <= 0 and rate >= 1.0 and target <= 0:
        is_twofold = options.use_token_level_filter
        if options.target_token < 0 and options.rate < 1.0:
            rate = (options.rate + 1.0) / 2 if is_twofold else options.rate
        if options.target_token >= 0:
            target = options.target_token * 2 if is_twofold else options.target_token
    if options.target_context >= 0:
        rate = min(options.target_context / n_contexts, 1.0)
    if target >= 0:
        rate = min(target / origin_tokens, 1.0)
    return rate


def _mean(job: _Job, chunks: Sequence[Merged]) -> Probability:
    """Of all words of a context, unforced."""
    of_words = [
        probability
        for merged in chunks
        for probability in word_probabilities(merged.unforced, job.options.token_to_word)
    ]
    return sum(of_words) / len(of_words)


def _compressed(
    job: _Job, contexts: Sequence[Sequence[str]], rate: float
) -> Generator[list[Chunk], Probs, list[_Labelled]]:
    reduce = max(0, 1 - rate) if job.options.use_token_level_filter else 0
    if reduce <= 0:
        return [job.restore(chunks) for chunks in contexts]
    words = yield from job.ask(contexts)
    return [job.keep(chunks, reduce) for chunks in words]


def _dropped(job: _Job, chunks: Sequence[Merged]) -> _Labelled:
    words = tuple(job.plain(word) for merged in chunks for word in merged.words)
    return _Labelled("", words, (False,) * len(words))


def _answer(
    job: _Job, compressed: Sequence[_Labelled], everything: Sequence[_Labelled], origin_tokens: int
) -> Prompt:
    texts = tuple(one.text for one in compressed)
    options = job.options
    lines = (
        f"{word}{options.label_sep}{int(is_kept)}"
        for one in everything
        for word, is_kept in zip(one.words, one.labels, strict=True)
    )
    labels = options.word_sep.join(lines) if options.return_word_label else None
    return Prompt(texts, origin_tokens, sum(map(job.count, texts)), labels)


def _rows(asked: Sequence[Chunk], probs: Probs) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
    """The ids of every row and their probabilities, masked tokens left out."""
    for chunk, flat in zip(asked, probs, strict=True):
        assert isinstance(chunk.payload, Rows)
        ids, mask = chunk.payload.ids, chunk.payload.mask
        ends = np.cumsum(mask.sum(axis=1))
        yield from zip(
            (row[seen].tolist() for row, seen in zip(ids, mask, strict=True)),
            np.split(flat, ends[:-1]),
            strict=True,
        )

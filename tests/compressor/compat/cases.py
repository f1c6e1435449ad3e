"""Random questions to the package and to `compat`: a seed gives the same case for ever."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from compressor.compat_prompt import PromptOptions
from tests.compressor.compat.texts import GENRES, text

_RATES = (
    0.1,
    0.2,
    0.25,
    0.3,
    0.33,
    0.4,
    0.5,
    0.5,
    0.6,
    0.66,
    0.7,
    0.75,
    0.8,
    0.9,
    0.95,
    1.0,
    1.5,
    0.0,
    0.01,
    0.99,
)
_FORCED: tuple[tuple[str, ...], ...] = (
    (),
    (),
    ("\n",),
    ("\n", ".", "!", "?"),
    ("\n", "?", "!", "."),
    (".", ",", ":", "\n", "\n\n"),
    ("+", "-", "*", "×", "/", "÷", "=", "The answer is", "\n", "Question:"),
    ("。", "：", "？", "\n", "类别：", "不"),
    ("the", "▁the", "report", "should be", "Retrieval"),
    ("ERROR", "id=", "2024", "##ing", "[NEW3]", "()"),
    ("\n", "\n", "."),
    ("안녕하세요", "?", "!"),
    tuple(f"w{at}" for at in range(101)),
)
_ENDS: tuple[tuple[str, ...], ...] = (
    (".", "\n"),
    (".", "\n"),
    (".", "\n"),
    (".", "\n", "?", "!", ","),
    ("\n",),
    (),
    ("▁the", "the", "。"),
)


MANY_CHUNKS = 100
"""Every so many cases one has more chunks than the package gives its model at once."""


@dataclass(frozen=True, slots=True)
class Case:
    """Contexts and options, of one text as a string or of several as a list."""

    genres: tuple[str, ...]
    contexts: str | list[str]
    options: PromptOptions


def case(family: str, seed: int) -> Case:
    """The case of that seed."""
    random = Random(f"{family}/{seed}")
    genres = ("many_chunks",) if seed % MANY_CHUNKS == MANY_CHUNKS - 1 else _genres(random)
    texts = [text(random, genre) for genre in genres]
    contexts: str | list[str] = texts
    if len(texts) == 1 and random.random() < 0.7:
        [contexts] = texts
    options: dict[str, Any] = {
        "rate": random.choice(_RATES),
        "force_tokens": random.choices(_FORCED, [8] * (len(_FORCED) - 1) + [1])[0],
        "force_reserve_digit": random.random() < 0.4,
        "drop_consecutive": random.random() < 0.4,
        "token_to_word": random.choice(("mean", "mean", "first")),
        "return_word_label": random.random() < 0.5,
        "chunk_end_tokens": random.choice(_ENDS),
    }
    if random.random() < 0.25:
        options["target_token"] = random.choice((0, 1, 5, 20, 60, 200, 1000))
    if random.random() < (0.8 if len(texts) > 1 else 0.1):
        options |= _filter(random, len(texts))
    return Case(genres, contexts, PromptOptions(**options))


def _genres(random: Random) -> tuple[str, ...]:
    n_texts = random.choices((1, 2, 3, 5, 0), (70, 12, 10, 7, 1))[0]
    return tuple(random.choice(tuple(GENRES)[:-1]) for _ in range(n_texts))


def _filter(random: Random, n_texts: int) -> dict[str, Any]:
    options: dict[str, Any] = {
        "use_context_level_filter": True,
        "use_token_level_filter": random.random() < 0.85,
        "force_context_ids": random.choice(((), (), (0,), (n_texts - 1, 1))),
    }
    match random.randrange(5):
        case 0:
            options["target_context"] = random.choice((0, 1, 2, 4))
        case 1:
            options["context_level_rate"] = random.choice((0.2, 0.5, 0.66, 0.9))
        case 2:
            options["context_level_target_token"] = random.choice((0, 30, 100, 400))
        case _:
            pass
    return options

"""`pith eval --ask`: a model answers from the full and from the compressed text. The cost is said first."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import click
import httpx
import numpy as np
from rich.console import Console
from rich.progress import track

from compressor import CompressionParams, Engine, counter, encoding_for
from compressor.errors import EvalError
from compressor.eval.documents import Document, Question
from compressor.eval.intervals import Estimate, draws, estimate, shares
from compressor.eval.reading import LONGEST_ANSWER_TOKENS, exact, f1, prompt
from compressor.types import Scorer
from gateway.prices import PriceBook

TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Asked:
    """An OpenAI-compatible URL, with or without /v1; a model; the variable with its key; a rate."""

    url: str
    model: str
    key_env: str
    rate: float


@dataclass(frozen=True, slots=True)
class Pair:
    """One question, with both prompts."""

    document: int
    question: Question
    full: str
    compressed: str


def ask(documents: Sequence[Document], scorer: Scorer, asked: Asked, *, is_agreed: bool) -> None:
    """Say what it costs, ask, have every question answered twice, and print how near the answers come."""
    key = os.environ.get(asked.key_env)
    if not key:
        raise EvalError(
            f"{asked.key_env} is not set: put the endpoint's key there or name another by --key-env"
        )
    pairs = _pairs(documents, scorer, asked)
    if not pairs:
        raise EvalError("the documents hold no questions: give `questions` as docs/quality.md describes")
    click.echo(_cost(pairs, asked), err=True)
    if not is_agreed:
        click.confirm("Ask?", abort=True, err=True)
    with httpx.Client(timeout=TIMEOUT_S, headers={"authorization": f"Bearer {key}"}) as client:
        answers = [
            (_answer(client, asked, one.full), _answer(client, asked, one.compressed))
            for one in track(pairs, "asking", console=Console(stderr=True), transient=True)
        ]
    for line in _lines(pairs, answers):
        click.echo(line)


def _pairs(documents: Sequence[Document], scorer: Scorer, asked: Asked) -> list[Pair]:
    params = CompressionParams(rate=asked.rate, tokenizer=encoding_for(asked.model)[0])
    results = Engine(scorer).compress_sync([document.text for document in documents], params)
    return [
        Pair(i, question, prompt(document.text, question.question), prompt(result.text, question.question))
        for i, (document, result) in enumerate(zip(documents, results, strict=True))
        for question in document.questions
    ]


def _cost(pairs: Sequence[Pair], asked: Asked) -> str:
    tokens = counter(encoding_for(asked.model)[0])
    sent = sum(tokens.count(one.full) + tokens.count(one.compressed) for one in pairs)
    most = 2 * len(pairs) * LONGEST_ANSWER_TOKENS
    price = PriceBook().price(asked.model)
    if price is None or price.input is None or price.output is None:
        usd = "its price is not known"
    else:
        usd = f"at most ${sent * price.input + most * price.output:.4f}"
    return (
        f"{2 * len(pairs):,} requests to {asked.url}, model {asked.model}: {sent:,} tokens in, "
        f"at most {most:,} out; {usd}."
    )


def _answer(client: httpx.Client, asked: Asked, content: str) -> str:
    base = asked.url.rstrip("/").removesuffix("/v1")
    body = {
        "model": asked.model,
        "messages": [{"role": "user", "content": content}],
        "temperature": 0,
        "max_tokens": LONGEST_ANSWER_TOKENS,
    }
    try:
        response = client.post(f"{base}/v1/chat/completions", json=body)
        response.raise_for_status()
        return str(response.json()["choices"][0]["message"]["content"] or "")
    except httpx.HTTPStatusError as error:
        raise EvalError(f"{asked.url} answered {error.response.status_code}: check model and key") from error
    except httpx.HTTPError as error:
        raise EvalError(f"{asked.url} does not answer: {type(error).__name__}") from error
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise EvalError(f"{asked.url} gave no chat completion: {type(error).__name__}") from error


def _lines(pairs: Sequence[Pair], answers: Sequence[tuple[str, str]]) -> list[str]:
    """Exact match and F1 from both texts, and their difference, paired by question and drawn by text."""
    lines = []
    for name, measure in (("exact match", exact), ("F1", f1)):
        scores = np.array(
            [
                [measure(answer, one.question.answers) for answer in both]
                for one, both in zip(pairs, answers, strict=True)
            ]
        )
        full, compressed, difference = compared(scores, [one.document for one in pairs])
        lines.append(
            f"{name}: full {_shown(full)}, compressed {_shown(compressed)}, difference {_shown(difference)}"
        )
    return lines


def compared(scores: np.ndarray[tuple[int, int], np.dtype[np.float64]], of: Sequence[int]) -> list[Estimate]:
    """Means of both columns and of their difference, with intervals over the texts the questions are of."""
    texts, rows = np.unique(np.asarray(of), return_inverse=True)
    hits, totals = np.zeros((len(texts), 2)), np.zeros((len(texts), 2))
    np.add.at(hits, rows, scores)
    np.add.at(totals, rows, 1.0)
    values, sampled = shares(draws(len(texts)), hits, totals)
    return [
        estimate(values[0], sampled[:, 0]),
        estimate(values[1], sampled[:, 1]),
        estimate(values[1] - values[0], sampled[:, 1] - sampled[:, 0]),
    ]


def _shown(found: Estimate) -> str:
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"

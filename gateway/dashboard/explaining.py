"""The playground's answer: what becomes of every word, and what that saves.

A text is scored once; every move of the slider selects anew from the scores, by the very steps a request
takes. The scores of the last few texts are kept in memory, under a hash; no text is kept.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import Any, Final, get_args

from compressor import CompressionParams, ScoreRequest, ScoringError, counter, encoding_for
from compressor.explain import Explained, Fate, explain
from compressor.flow import advance, whole
from compressor.types import Scores
from compressor.words import split
from gateway.dashboard.scorers import BESIDE, LOADED, Beside
from gateway.dashboard.trial import Part, Trial
from gateway.services import Services
from gateway.vocabularies import have_vocabulary
from policies.written import written

KEPT_TEXTS: Final = 64


class Explainer:
    """One process's; one trial at a time, so that playing takes at most a thread from requests."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._scores: OrderedDict[bytes, Scores] = OrderedDict()
        self._beside = Beside()
        self._turn = asyncio.Lock()

    async def answer(self, trial: Trial) -> dict[str, Any]:
        """As JSON has it."""
        encoding, is_exact = encoding_for(trial.model)
        await have_vocabulary(encoding)
        async with self._turn:
            texts = [await self._part(part, trial, encoding) for part in trial.parts]
            fingerprint = await self._fingerprint(trial.scorer)
        origin = sum(text["origin_tokens"] for text in texts)
        sent = sum(text["compressed_tokens"] for text in texts)
        return {
            "kind": trial.kind,
            "model": trial.model,
            "tokenizer": encoding,
            "is_exact": is_exact,
            "scorer": fingerprint,
            "texts": texts,
            "origin_tokens": origin,
            "compressed_tokens": sent,
            "saved_usd": self._saved_usd(trial.model, origin, sent),
            "yaml": _setting(trial.scorer) + written(trial.policy),
        }

    async def _part(self, part: Part, trial: Trial, encoding: str) -> dict[str, Any]:
        policy, offload, size = trial.policy, self._services.offload, len(part.text)
        params = policy.params.to_compression(tokenizer=encoding, role=part.role)
        is_covered = policy.mode != "off" and policy.params.covers(part.role)
        if not is_covered:
            explained = Explained(part.text, await offload(size, whole, part.text, params, "short"), ())
        else:
            explained = await self._explain(part.text, params, trial.scorer)
        said: dict[str, Any] = await offload(size, _described, explained, encoding)
        skip = explained.result.skip if is_covered else None
        return {"role": part.role, "is_covered": is_covered, "skip": skip, **said}

    async def _explain(self, text: str, params: CompressionParams, scorer: str) -> Explained:
        offload = self._services.offload
        steps = explain(text, params)
        step = await offload(len(text), advance, steps, None)
        while isinstance(step, ScoreRequest):
            scores = await self._score(step, scorer)
            if isinstance(scores, ScoringError):
                return Explained(text, await offload(len(text), whole, text, params, scores.skip), ())
            step = await offload(len(text), advance, steps, scores)
        return step

    async def _fingerprint(self, scorer: str) -> str:
        source = self._services.engine if scorer == LOADED else await self._beside.get(scorer)
        return source.fingerprint

    async def _score(self, request: ScoreRequest, scorer: str) -> Scores | ScoringError:
        asked = b"\0".join((scorer.encode(), request.text.encode(), request.words.starts.tobytes()))
        key = hashlib.sha256(asked).digest()
        if (known := self._scores.get(key)) is not None:
            self._scores.move_to_end(key)
            return known
        scores: Scores | ScoringError
        if scorer == LOADED:
            [scores] = await self._services.engine.score([request])
        else:
            scores = await self._beside.score(scorer, request)
        if not isinstance(scores, ScoringError):
            self._scores[key] = scores
            if len(self._scores) > KEPT_TEXTS:
                self._scores.popitem(last=False)
        return scores

    def _saved_usd(self, model: str | None, origin: int, sent: int) -> float | None:
        """At the price of fresh input; None where it is unknown."""
        price = self._services.prices.price(model)
        fresh = None if price is None else price.at(origin).input
        return None if fresh is None else (origin - sent) * fresh


def _setting(scorer: str) -> str:
    """Where the policy alone does not give this."""
    if scorer == LOADED:
        return ""
    return f"# with compressor.scorer: {BESIDE[scorer]} in the configuration\n"


def _described(explained: Explained, encoding: str) -> dict[str, Any]:
    result = explained.result
    return {
        "origin_tokens": result.origin_tokens,
        "compressed_tokens": result.compressed_tokens,
        "text": result.text,
        "pieces": list(_pieces(explained)),
        "fates": _fates(explained, encoding),
    }


def _pieces(explained: Explained) -> Iterator[tuple[str, Fate]]:
    """The text cut into its words, each with the gap before it; together they are the text."""
    done = 0
    if not explained.result.skip:  # whatever was planned: else the text went whole
        for word in explained.words:
            yield explained.text[done : word.end], word.fate
            done = word.end
    if done < len(explained.text):
        yield explained.text[done:], "kept"


def _fates(explained: Explained, encoding: str) -> dict[str, dict[str, int]]:
    """Words and tokens of the original by fate; empty where the text went whole."""
    if explained.result.skip or not explained.words:
        return {}
    tokens = counter(encoding)
    weights = tokens.weigh(tokens.encode(explained.text), split(explained.text)).tolist()
    words, of_fate = Counter[Fate](), Counter[Fate]()
    for word, weight in zip(explained.words, weights, strict=True):
        words[word.fate] += 1
        of_fate[word.fate] += weight
    return {fate: {"words": words[fate], "tokens": of_fate[fate]} for fate in get_args(Fate)}

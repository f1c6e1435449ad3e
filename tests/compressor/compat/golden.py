"""Answers of the package on record: of each case a digest of the question, and the answer's.

On record are only cases that are `is_firm`: another processor adds up in another order, which moves
probabilities by some 1e-7, and must not turn a word.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from compressor.llmlingua2 import Probs
from compressor.scorers.classifier import ClassifierScorer
from tests.compressor.compat import ours
from tests.compressor.compat.cases import Case

PATH = Path(__file__).with_name("golden.json")
_NOISE = 1e-5
"""By how much probabilities are moved to see whether anything turns: a hundred times what rounding does."""


class Record(TypedDict):
    """One case's seed, and what is known of question and answer."""

    seed: int
    question: str
    answer: str
    says: str


def record(seed: int, case: Case, answer: Mapping[str, Any]) -> Record:
    """What is kept of an answer: its digest, and in a few words what it says."""
    says = answer.get("error") or f"{answer['origin_tokens']} to {answer['compressed_tokens']} tokens"
    return Record(seed=seed, question=_digest(ours.as_question(case)), answer=_digest(answer), says=says)


def read() -> dict[str, list[Record]]:
    """The records of each family."""
    found: dict[str, list[Record]] = json.loads(PATH.read_text("utf-8"))
    return found


def write(records: Mapping[str, Sequence[Record]]) -> None:
    """One line a record."""
    families = (
        f" {json.dumps(family)}: [\n" + ",\n".join(f"  {json.dumps(one)}" for one in found) + "\n ]"
        for family, found in records.items()
    )
    PATH.write_text("{\n" + ",\n".join(families) + "\n}\n", "utf-8")


def is_firm(scorer: ClassifierScorer, case: Case) -> bool:
    """Whether moved probabilities, three ways, give the same answer."""
    answer = ours.answer(scorer, case)
    return all(ours.answer(scorer, case, partial(_moved, seed)) == answer for seed in range(3))


def _moved(seed: int, probs: Probs) -> Probs:
    """Probabilities a little off at random, the same whenever as many are moved."""
    random = np.random.default_rng(seed)
    noise = (random.uniform(-_NOISE, _NOISE, len(flat)).astype(np.float32) for flat in probs)
    return [np.clip(flat + moved, 0, 1) for flat, moved in zip(probs, noise, strict=True)]


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]

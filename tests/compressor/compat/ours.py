"""`compressor.llmlingua2` driven by hand, and its answer in the form of the package's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeAlias

from compressor.compat_prompt import Prompt
from compressor.llmlingua2 import REFERENCE_ERRORS, Probs, compress_prompt
from compressor.scorers.classifier import ClassifierScorer
from tests.compressor.compat.cases import Case

Change: TypeAlias = Callable[[Probs], Probs]


def ask(scorer: ClassifierScorer, case: Case, change: Change = lambda probs: probs) -> Prompt:
    """The prompt, its chunks scored as they come, by probabilities that `change` may have moved."""
    steps = compress_prompt(case.contexts, case.options, scorer.compat)
    try:
        chunks = next(steps)
        while True:
            chunks = steps.send(change(scorer.forward(chunks)))
    except StopIteration as end:
        prompt: Prompt = end.value
        return prompt


def answer(scorer: ClassifierScorer, case: Case, change: Change = lambda probs: probs) -> dict[str, Any]:
    """As `package_server.answer`."""
    try:
        return as_dictionary(ask(scorer, case, change))
    except REFERENCE_ERRORS as error:
        return {"error": type(error).__name__}


def as_dictionary(prompt: Prompt) -> dict[str, Any]:
    """Under the package's keys, but for its price."""
    said = {
        "compressed_prompt": prompt.compressed_prompt,
        "compressed_prompt_list": list(prompt.compressed_prompt_list),
        "origin_tokens": prompt.origin_tokens,
        "compressed_tokens": prompt.compressed_tokens,
        "ratio": prompt.ratio,
        "rate": prompt.rate,
    }
    if prompt.fn_labeled_original_prompt is not None:
        said["fn_labeled_original_prompt"] = prompt.fn_labeled_original_prompt
    return said


def as_question(case: Case) -> dict[str, Any]:
    """As `package_server` reads it."""
    return {"contexts": case.contexts, "options": asdict(case.options)}

"""One text by fidelity compat, as a generator without I/O: the counterpart of `compressor.flow`.

count → short? → (llmlingua2, which asks for probabilities) → count
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias, cast

import numpy as np

from compressor.analysis import left_whole
from compressor.compat_chunks import Vocabulary
from compressor.compat_prompt import PromptOptions
from compressor.errors import ParamsError
from compressor.llmlingua2 import REFERENCE_ERRORS, Probs, compress_prompt
from compressor.params import CompressionParams
from compressor.tokens import counter
from compressor.types import Chunk, Compressed, Scorer

CompatFlow: TypeAlias = Generator[list[Chunk], Probs, Compressed]


def vocabulary_of(scorer: Scorer) -> Vocabulary:
    """The tokenizer of a scorer of LLMLingua-2. Raises ParamsError or ModelError for any other."""
    found = getattr(scorer, "compat", None)
    if found is None:
        raise ParamsError(
            f"fidelity is 'compat', which the scorer {scorer.fingerprint} cannot: choose weights of "
            "LLMLingua-2 as the scorer (a model folder or hub name), or use native"
        )
    return cast(Vocabulary, found)


def compat_flow(text: str, params: CompressionParams, vocabulary: Vocabulary) -> CompatFlow:
    """Compress `text`; yields rows, once at most, and is sent the probabilities of their tokens."""
    count = counter(params.tokenizer).count
    origin_tokens = count(text)
    if origin_tokens < params.min_tokens:
        return left_whole(text, origin_tokens, "short")
    try:
        prompt = yield from compress_prompt(text, PromptOptions.of(params, origin_tokens), vocabulary)
    except REFERENCE_ERRORS:  # here the package would raise; a text never does
        return left_whole(text, origin_tokens, "compat_failed")
    rewritten = prompt.compressed_prompt
    return Compressed(
        rewritten, origin_tokens, count(rewritten), np.empty((0, 2), np.int32), is_rewritten=True
    )

"""Prompt compression as a library: no HTTP, no YAML, no Redis, and no torch until a scorer needs it.

    async with Engine(load_scorer("default")) as engine:
        [result] = await engine.compress([text], CompressionParams(rate=0.5))

In a script: `Engine(load_scorer("default")).compress_sync([text], CompressionParams(rate=0.5))`.
"""

from compressor.engine import Engine
from compressor.errors import (
    CompressorError,
    DeadlineExceeded,
    ModelError,
    OutOfMemory,
    Overloaded,
    ParamsError,
    PatternError,
    ScorerDown,
    ScorerLost,
    ScoringError,
)
from compressor.flow import ScoreRequest
from compressor.params import CompressionParams, Protect, RateStep
from compressor.scorers import load as load_scorer
from compressor.tokens import counter, encoding_for
from compressor.types import Chunk, Compressed, Compressor, Scorer, Scores, SkipReason, Words

__all__ = [
    "Chunk",
    "Compressed",
    "CompressionParams",
    "Compressor",
    "CompressorError",
    "DeadlineExceeded",
    "Engine",
    "ModelError",
    "OutOfMemory",
    "Overloaded",
    "ParamsError",
    "PatternError",
    "Protect",
    "RateStep",
    "ScoreRequest",
    "Scorer",
    "ScorerDown",
    "ScorerLost",
    "Scores",
    "ScoringError",
    "SkipReason",
    "Words",
    "counter",
    "encoding_for",
    "load_scorer",
]

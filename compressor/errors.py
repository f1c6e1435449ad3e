"""Errors of the compressor package.

CompressorError
├── ParamsError          a parameter is out of range; names it, its value and the remedy
├── PatternError         a user pattern that google-re2 refuses
├── ModelError           a model folder is missing or unusable; says what was looked for and where
└── ScoringError         no scores for a text; `skip` is the reason recorded
    ├── Overloaded       refused at admission
    ├── DeadlineExceeded too late to be useful
    └── ScorerDown       the scorer failed
"""

from __future__ import annotations

from typing import ClassVar, Literal


class CompressorError(Exception):
    """Root of the tree."""


class ParamsError(CompressorError, ValueError):
    """A parameter is out of range."""


class PatternError(CompressorError, ValueError):
    """A user pattern that google-re2 refuses."""


class ModelError(CompressorError):
    """A model folder is missing or unusable."""


class ScoringError(CompressorError):
    """No scores for a text; the original goes through."""

    skip: ClassVar[Literal["scorer_down", "overloaded", "deadline"]] = "scorer_down"


class Overloaded(ScoringError):
    """Refused at admission: the queue is longer than the deadline allows."""

    skip = "overloaded"


class DeadlineExceeded(ScoringError):
    """Scores would come too late to be useful."""

    skip = "deadline"


class ScorerDown(ScoringError):
    """The scorer failed."""

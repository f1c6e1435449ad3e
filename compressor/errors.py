"""Errors of the compressor package.

CompressorError
├── ParamsError          a parameter is out of range; names it, its value and the remedy
├── PatternError         a user pattern that google-re2 refuses
├── EvalError            documents or data to measure on are missing or not in the form asked for
├── ModelError           a model folder is missing or unusable; says what was looked for and where
├── DataError            a file of training data cannot be used; names file, line, value and remedy
└── ScoringError         no scores for a text; `skip` is the reason recorded
    ├── Overloaded       refused at admission
    ├── DeadlineExceeded too late to be useful
    └── ScorerDown       the scorer failed
        ├── OutOfMemory  the batch does not fit the device
        └── ScorerLost   the scorer is gone: nobody else is answered either until it is back
"""

from __future__ import annotations

from typing import ClassVar, Literal


class CompressorError(Exception):
    """Root of the tree."""


class ParamsError(CompressorError, ValueError):
    """A parameter is out of range."""


class PatternError(CompressorError, ValueError):
    """A user pattern that google-re2 refuses."""


class EvalError(CompressorError):
    """Documents or data to measure on are missing or not in the form asked for."""


class ModelError(CompressorError):
    """A model folder is missing or unusable."""


class DataError(CompressorError, ValueError):
    """A file of training data cannot be used."""


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


class OutOfMemory(ScorerDown):
    """The batch does not fit the device's memory; a smaller one may. Scorers raise it."""


class ScorerLost(ScorerDown):
    """The scorer is gone, until it is started again: there is no use in trying its chunks one by one."""

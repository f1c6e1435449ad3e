"""Scorers by name. A new one is one file and one line here; other names are model folders or hub models."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from compressor.types import Scorer

Loader: TypeAlias = Callable[[str, str], Scorer]
"""Device and precision, each "auto" or a name, to a scorer ready for use. Raises ModelError."""


def _frequency(device: str, precision: str) -> Scorer:
    from compressor.scorers.frequency import FrequencyScorer  # its tables take time to read

    return FrequencyScorer()


SCORERS: dict[str, Loader] = {"default": _frequency, "frequency": _frequency}


def load(name_or_folder: str = "default", device: str = "auto", precision: str = "auto") -> Scorer:
    """The scorer of that name, else the token-classification model in that folder or on the hub."""
    if name_or_folder in SCORERS:
        return SCORERS[name_or_folder](device, precision)
    from compressor.scorers.classifier import ClassifierScorer  # torch: seconds to import

    return ClassifierScorer.load(name_or_folder, device, precision)

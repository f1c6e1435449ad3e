"""Scorers by name. A new one is one file and one line here; other names are model folders or hub models."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from compressor.errors import ModelError
from compressor.types import Scorer

logger = logging.getLogger(__name__)

Loader: TypeAlias = Callable[[str, str], Scorer]
"""Device and precision, each "auto" or a name, to a scorer ready for use. Raises ModelError."""


def _frequency(device: str, precision: str) -> Scorer:
    from compressor.scorers.frequency import FrequencyScorer  # its tables take time to read

    return FrequencyScorer()


def _embedded(device: str, precision: str, folder: Path | None = None) -> Scorer:
    try:
        from compressor.scorers.embedded import EmbeddedScorer  # its runtime takes time to import
    except ImportError as error:
        raise ModelError(
            f"the embedded model needs onnxruntime ({error}): install the package again"
        ) from error
    return EmbeddedScorer.load(folder) if folder else EmbeddedScorer.load()


def or_frequency(load_one: Loader) -> Loader:
    """A loader that never fails for want of a model: word statistics stand in, and the log says so."""

    def load_either(device: str, precision: str) -> Scorer:
        try:
            return load_one(device, precision)
        except ModelError as error:
            logger.error("scorer degraded, texts are scored by `frequency` instead: %s", error)
            return _frequency(device, precision)

    return load_either


SCORERS: dict[str, Loader] = {
    "default": or_frequency(_embedded),
    "embedded": _embedded,
    "frequency": _frequency,
}


def is_for_cpu(name_or_folder: str) -> bool:
    """Whether that scorer runs on the processor, whatever device is named: ours do."""
    return name_or_folder in SCORERS or (Path(name_or_folder) / "graph.onnx").is_file()


def load(name_or_folder: str = "default", device: str = "auto", precision: str = "auto") -> Scorer:
    """The scorer of that name, else the model in that folder (of ours, or for token classification) or on the
    hub."""
    if name_or_folder in SCORERS:
        return SCORERS[name_or_folder](device, precision)
    if is_for_cpu(name_or_folder):
        return _embedded(device, precision, Path(name_or_folder))
    from compressor.scorers.classifier import ClassifierScorer  # torch: seconds to import

    return ClassifierScorer.load(name_or_folder, device, precision)

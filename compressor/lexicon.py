"""The shipped language tables (placeholder until the builder's tables land)."""

from __future__ import annotations

import numpy as np

from compressor.types import Bools, Codes


class Cohesion:
    """Which adjacent Han/Hiragana characters hold together inside a word."""

    def is_cohesive(self, left: Codes, right: Codes) -> Bools:
        """Shape of the arguments."""
        return np.zeros(left.shape, np.bool_)


def cohesion() -> Cohesion:
    """The shipped table."""
    return Cohesion()

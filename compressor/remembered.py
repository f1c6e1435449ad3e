"""An analysis without its text, to be remembered while the process lives.

Finding what is protected and forced costs most of what a text costs once its scores are known; a new rate,
threshold or budget changes none of it. `subject` names what an analysis depends on besides the text.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from compressor.analysis import Analysis, Outcome, left_whole
from compressor.chars import codes_of
from compressor.params import CompressionParams
from compressor.types import Compressed

_NO_CODES = np.empty(0, np.uint32)


def subject(params: CompressionParams) -> bytes:
    """What an analysis depends on besides the text: of the parameters, those that do not choose words."""
    asked = replace(
        params,
        rate=1.0,
        rates=(),
        target_tokens=None,
        threshold=None,
        min_rate=0.0,
        max_rate=1.0,
        drop_consecutive=False,
    )
    return repr(asked).encode()


@dataclass(frozen=True, slots=True, eq=False)
class Remembered:
    """What was found; neither the text nor its characters are in it."""

    _found: Outcome

    @classmethod
    def of(cls, found: Outcome) -> Remembered:
        """To be given back by `of_text`, for the same text."""
        if isinstance(found, Compressed):
            return cls(replace(found, text=""))
        return cls(replace(found, text="", words=replace(found.words, codes=_NO_CODES)))

    def of_text(self, text: str) -> Outcome:
        """The analysis of `text`, which must be the one it was made of."""
        if isinstance(self._found, Analysis):
            return replace(self._found, text=text, words=replace(self._found.words, codes=codes_of(text)))
        assert self._found.skip is not None
        return left_whole(text, self._found.origin_tokens, self._found.skip)

    @property
    def size_bytes(self) -> int:
        """Of its arrays, which are nearly all of it."""
        if isinstance(self._found, Compressed):
            return 0
        parts = (self._found, self._found.words, self._found.layout)
        values = [getattr(part, field.name) for part in parts for field in fields(part)]
        return sum(value.nbytes for value in values if isinstance(value, np.ndarray))

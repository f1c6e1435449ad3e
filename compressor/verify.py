"""After the fact: does the output keep what was promised? Checked on spans alone, not on how they came about.

A text that fails goes whole and is counted (`verify_failed`): a fault here costs savings, never content.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from compressor.types import Bools, Span, Spans, Words


def broken_promise(words: Words, spans: Spans, protected: Sequence[Span], forced: Bools) -> str | None:
    """The first promise the kept `spans` break, or None.

    Promised: an ordered selection of the text; every protected span inside one kept span, hence byte-equal;
    every forced word inside one kept span, hence whole.
    """
    flat = spans.reshape(-1)
    if len(flat) and (flat[0] < 0 or flat[-1] > len(words.codes) or (flat[1:] < flat[:-1]).any()):
        return "order"
    if not _all_inside(spans, np.array(protected, np.int32).reshape(-1, 2)):
        return "protected"
    if not _all_inside(spans, np.stack((words.starts[forced], words.ends[forced]), axis=1)):
        return "forced"
    return None


def _all_inside(spans: Spans, inner: Spans) -> bool:
    """Does every span of `inner` lie inside one of `spans`?"""
    if not len(inner):
        return True
    if not len(spans):
        return False
    host = spans[:, 0].searchsorted(inner[:, 0], side="right") - 1
    return bool(((host >= 0) & (inner[:, 1] <= spans[host, 1])).all())

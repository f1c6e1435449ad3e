"""User patterns in google-re2 syntax: spans in characters, and no pattern that backtracks.

One search is linear in the text; very many could still add up, so past `MOST_MATCHES` of one pattern the rest
of the text counts as matched: whoever protects too much loses savings, not content.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from typing import Protocol

import re2

from compressor.errors import PatternError
from compressor.types import Span

LONGEST_PATTERN = 1000
"""Characters; a longer pattern is refused."""
MOST_MATCHES = 10_000
"""Of one pattern in one text."""
_PROGRAM_BYTES = 1 << 20


class _Match(Protocol):
    def span(self) -> Span: ...


def check_pattern(pattern: str) -> str:
    """The pattern, if it is valid; raises PatternError, naming it and the remedy, if not."""
    if not pattern:
        raise PatternError("pattern '' matches nothing: remove it")
    _compiled(pattern)
    return pattern


def pattern_spans(text: str, patterns: Sequence[str]) -> list[Span]:
    """Where the patterns match, pattern by pattern; empty matches count for nothing."""
    if not patterns:
        return []
    searched = text.encode("utf-8", "replace").decode()  # a lone surrogate becomes "?", one for one
    spans: list[Span] = []
    for pattern in patterns:
        matches: list[_Match] = list(islice(_compiled(pattern).finditer(searched), MOST_MATCHES))
        found = [match.span() for match in matches]
        if len(found) == MOST_MATCHES:
            found.append((found[-1][1], len(text)))
        spans += [(start, end) for start, end in found if start < end]
    return spans


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re2._Regexp:
    if len(pattern) > LONGEST_PATTERN:
        raise PatternError(
            f"pattern {pattern[:40]!r}… has {len(pattern)} characters, more than {LONGEST_PATTERN}: "
            "split it into several patterns"
        )
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _PROGRAM_BYTES
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        raise PatternError(
            f"pattern {pattern!r} is not valid in google-re2 syntax ({_reason(error)}): correct it; "
            "look-around and back-references do not exist there"
        ) from error


def _reason(error: Exception) -> str:
    reason = error.args[0]
    return reason.decode() if isinstance(reason, bytes) else str(reason)

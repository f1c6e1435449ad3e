"""Where a text holds numbers, dates and identifiers, by patterns of its own, not the rules that keep them.

A literal is whole or it is wrong: sign, currency, separators, unit and scale belong to it (-5.00, $3 million,
3만). The kinds are disjoint: digits of a date or an identifier are no number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from compressor.types import Span

_MONTHS = (
    "January|February|March|April|May|June|July|August|September|October|November|December"
    "|Januar|Februar|März|Mai|Juni|Juli|Oktober|Dezember"
    "|janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre"
    "|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre"
    "|janeiro|fevereiro|março|maio|junho|julho|setembro|outubro|novembro|dezembro"
)
_SCALES = (
    "hundred|thousand|million|billion|percent|Tausend|Millionen|Milliarden|Prozent|mille|millions|milliards"
    "|pour\\scent|mil|millones|por\\sciento|milhões|por\\scento"
)
_DATE = re.compile(
    rf"""(?<![\w-])(?:
      \d{{4}}-\d\d-\d\d
    | \d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}}
    | \d{{1,2}}(?:st|nd|rd|th|er|\.)?\s(?:of\s|de\s)?(?:{_MONTHS})\b(?:,?\s(?:de\s)?\d{{4}})?
    | (?:{_MONTHS})\s\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s\d{{4}})?
    )(?![\w-])
    | (?:\d{{4}}년\s?)?\d{{1,2}}월(?:\s?\d{{1,2}}일)?
    | (?:\d{{4}}年)?\d{{1,2}}月(?:\d{{1,2}}[日号號])?
    """,
    re.VERBOSE,
)
_NAME = r"[A-Za-z_][A-Za-z0-9_]*(?:[./:#-]+[A-Za-z0-9_]+)*"
_IDENTIFIER = re.compile(
    rf"""https?://[!-;=?-~]*[A-Za-z0-9_/]
    | [\w.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+
    | (?<![\w/.])(?:/[\w.-]*\w){{2,}}
    | (?<![A-Za-z0-9_])(?={_NAME}(?<=[0-9_])|[A-Za-z_./:#-]*[0-9_]){_NAME}
    | (?<![A-Za-z0-9_])[A-Za-z]*[a-z][A-Z][A-Za-z]*
    | (?<![A-Za-z0-9_])(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{{7,40}}(?![A-Za-z0-9_])
    """,
    re.VERBOSE,
)
_NUMBER = re.compile(
    rf"""(?<![A-Za-z0-9_])(?:(?<![\w.,:/)-])[+\-−±])?(?:(?:EUR|USD|KRW|[$€£¥₩])\s?)?
    \d+(?:[.,:/–-]\d+)*
    (?:\s?[%‰°]C?|\s?[€£¥₩](?!\d)|\s?[십백천만억조]+(?:\s?\d+[십백천만억조]+)*|[十百千万萬億亿兆]+(?:\d+[十百千万萬億亿兆]+)*
      |\s(?:{_SCALES})\b|[A-Za-zµ]{{1,4}}\b)?
    """,
    re.VERBOSE,
)
_PATTERNS = {"identifiers": _IDENTIFIER, "dates": _DATE, "numbers": _NUMBER}
"""In this order: what an earlier kind has found is no later one's."""


def literals(text: str) -> dict[str, tuple[Span, ...]]:
    """The spans of each kind, in order."""
    taken = bytearray(len(text))
    return {kind: tuple(_found(pattern, text, taken)) for kind, pattern in _PATTERNS.items()}


def _found(pattern: re.Pattern[str], text: str, taken: bytearray) -> Iterator[Span]:
    for match in pattern.finditer(text):
        start, end = match.span()
        if not any(taken[start:end]):
            taken[start:end] = bytes([1]) * (end - start)
            yield start, end

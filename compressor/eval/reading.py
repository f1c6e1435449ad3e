"""What a reader makes of a text: the prompt, and how near an answer comes to those expected.

Exact match and F1 as for SQuAD: case, punctuation and English articles do not count; F1 is over words, in
Chinese and Japanese over characters, in Korean over syllables. The nearest of those expected counts.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

PROMPT = "Answer the question from the text alone, in as few words as possible, in the words of the text.\n\n"
LONGEST_ANSWER_TOKENS = 64

_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_BY_CHARACTER = re.compile(r"[぀-ヿ一-鿿가-힣]|[^\W_぀-ヿ一-鿿가-힣]+")


def prompt(text: str, question: str) -> str:
    """What the reader is asked."""
    return f"{PROMPT}Text:\n{text}\n\nQuestion: {question}"


def normalised(answer: str) -> str:
    """Small letters, no punctuation, no articles, single spaces."""
    kept = (" " if unicodedata.category(one)[0] in "PS" else one for one in answer.casefold())
    return " ".join(_ARTICLE.sub(" ", "".join(kept)).split())


def exact(answer: str, expected: Iterable[str]) -> float:
    """1 where it is one of those expected, else 0."""
    return float(normalised(answer) in set(map(normalised, expected)))


def f1(answer: str, expected: Iterable[str]) -> float:
    """The best overlap with one of those expected."""
    return max((_overlap(answer, one) for one in expected), default=0.0)


def _overlap(answer: str, expected: str) -> float:
    given, wanted = (Counter(_BY_CHARACTER.findall(normalised(text))) for text in (answer, expected))
    shared = (given & wanted).total()
    return 2 * shared / (given.total() + wanted.total()) if shared else 0.0

"""Names and speakers, by rule: there is no tagger here, so what is counted is what a pattern can see.

Latin script: runs of capitalised words, the first word of a sentence only where the same word stands
capitalised inside one too; in German every noun. Korean, Chinese and Japanese: words in Latin letters, what
stands in 「」 『』 《》, runs of three and more Katakana; Korean names before a title (김하늘 대리).
Speakers: what stands before a colon at the beginning of most lines, and of at least two.
"""

from __future__ import annotations

import re

from compressor.eval.fates import Kept
from compressor.types import Span

_RUN = re.compile(
    r"(?<!\w)(?!I\b)[A-ZÀ-ÖØ-Þ][\w’'-]*(?:[^\S\n](?:(?:de|da|do|of|von|du|la|the)[^\S\n])?[A-ZÀ-ÖØ-Þ][\w’'-]*)*"
)
_SENTENCE_START = re.compile(r"(?:^|[.!?:]|\n|[\"“„«()\[\]*#-])\s*$")
_QUOTED = r"[「『《]([^」』》\n]{1,40})[」』》]"
_LATIN = r"[A-Za-z][A-Za-z0-9.+-]*[A-Za-z0-9]"
_TITLE = "씨|님|대표|과장|부장|차장|대리|팀장|이사|교수|박사|주임|사원|의원|장관|선생|위원장|소장|관장"
_PATTERNS = {
    "ko": re.compile(rf"{_QUOTED}|({_LATIN})|(?<![가-힣])([가-힣]{{2,4}})(?=[^\S\n](?:{_TITLE}))"),
    "zh": re.compile(rf"{_QUOTED}|({_LATIN})"),
    "ja": re.compile(rf"{_QUOTED}|({_LATIN})|([ァ-ヴー]{{3,}})"),
}
_LABEL = re.compile(
    r"^(?:\[[^\]\n]{1,20}\][^\S\n]*)?([A-ZÀ-ÖØ-Þ가-힣一-鿿ぁ-ヶ][^:：\n.?!]{0,30})[:：](?=\s|\S)",
    re.MULTILINE,
)


def names(text: str, language: str) -> tuple[Span, ...]:
    """The names of a text in that language."""
    pattern = _PATTERNS.get(language.partition("-")[0])
    if pattern is not None:
        return tuple(match.span(match.lastindex or 0) for match in pattern.finditer(text))
    runs = [(match.span(), match[0]) for match in _RUN.finditer(text)]
    starts = [_SENTENCE_START.search(text[max(0, span[0] - 4) : span[0]]) is not None for span, _ in runs]
    inside = {run for (_, run), is_start in zip(runs, starts, strict=True) if not is_start}
    return tuple(
        span
        for (span, run), is_start in zip(runs, starts, strict=True)
        if len(run) > 1 and (not is_start or run in inside)
    )


def speakers(text: str) -> tuple[tuple[Span, Span], ...]:
    """(label, what was said up to the end of the line), of texts in which most lines have a label."""
    found = []
    for match in _LABEL.finditer(text):
        end = text.find("\n", match.end())
        said = (match.end(), len(text) if end < 0 else end)
        if len(match[1].split()) <= 4 and text[slice(*said)].strip():
            found.append((match.span(1), said))
    n_lines = sum(1 for line in text.splitlines() if line.strip())
    return tuple(found) if len(found) >= max(2, n_lines / 2) else ()


def has_lost_speaker(kept: Kept, label: Span, said: Span) -> bool:
    """Is something left of what was said, but not who said it?"""
    return not kept.is_gone(said) and not kept.is_whole(label)

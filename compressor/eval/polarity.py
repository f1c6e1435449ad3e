"""What a text denies: negations and what they deny, by a rule of its own, not the one that keeps them.

English, German, French, Spanish, Portuguese: a word of a list denies the next longer word of its clause, or
the last one before it. Korean: 안 and 못 deny the word after them; 않, 없, 아니, 말 and 못하 the one before.
Chinese denies the two characters after 不, 没, 未 …; Japanese ない and ません the two before. A rule: it
misses some and finds a few that are none. Documents marked by hand do without it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from compressor.eval.documents import Negation
from compressor.types import Span

_WORDS = {
    "en": "not never no neither nor without cannot",
    "de": "nicht nie niemals kein keine keinen keinem keiner keines ohne",
    "fr": "pas jamais aucun aucune sans ni",
    "es": "no nunca jamás ningún ninguna ninguno sin tampoco",
    "pt": "não nunca jamais nenhum nenhuma sem nem tampouco",
}
_SHORT = {"en": 3, "de": 3, "fr": 3, "es": 3, "pt": 3}
"""Words of so many letters are not what is denied, if any longer one is near."""
_REACH = 4
_CLAUSE = re.compile(r"[.,;:!?\n()—–]")
_WORD = re.compile(r"[\w’'-]+")
_CONTRACTION = re.compile(r"(?i)\b\w+n['’]t\b")
_KO_AFTER = re.compile(r"(?<![가-힣])(?:안|못)(?=\s+([가-힣]+))")
_KO_BEFORE = re.compile(
    r"(?<=\s)(?:않|없|아니|아닌|아닙|아님|말아|말고|말자|못하|못한|못했|못할|못합)[가-힣]*"
)
_HAN = re.compile(
    r"(?:不(?![同过過断斷但仅僅管如久得])|没有|沒有|没|沒|未(?![来來必])|无(?![论論])|無(?![論])|勿|非(?![常洲]))"
    r"([一-鿿]{1,2})"
)
_KANA = re.compile(r"([一-鿿ぁ-ヶー]{2})(ません|なかった|ない(?!し)|なく(?![なし]))")
_NO_DENIAL = ("少", "危", "かもしれ", "切", "なければなら")


def negations(text: str, language: str) -> tuple[Negation, ...]:
    """The negations of a text in that language; none in a language without rule."""
    rule = _RULES.get(language.partition("-")[0])
    return tuple(rule(text, language)) if rule else ()


def _by_words(text: str, language: str) -> Iterator[Negation]:
    listed = set(_WORDS[language].split())
    words = [match.span() for match in _WORD.finditer(text)]
    for i, (start, end) in enumerate(words):
        word = text[start:end]
        is_contraction = language == "en" and bool(_CONTRACTION.fullmatch(word))
        if is_contraction or word.casefold() in listed:
            denied = _denied(text, words, i, _SHORT[language])
            if denied:
                yield Negation((start, end), denied)


def _denied(text: str, words: list[Span], i: int, short: int) -> Span | None:
    """The next long word of the clause, else the last before, else the next or last of any length."""
    ahead, behind = list(_near(text, words, i, 1)), list(_near(text, words, i, -1))
    for shortest in (short + 1, 1):
        for side in (ahead, behind):
            for start, end in side:
                if end - start >= shortest:
                    return start, end
    return None


def _near(text: str, words: list[Span], i: int, step: int) -> Iterator[Span]:
    """Neighbours on one side, nearest first, as far as the clause goes."""
    for j in range(i + step, i + step * (_REACH + 1), step):
        if not 0 <= j < len(words):
            return
        left, right = sorted((j, j - step))
        if _CLAUSE.search(text, words[left][1], words[right][0]):
            return
        yield words[j]


def _korean(text: str, language: str) -> Iterator[Negation]:
    for match in _KO_AFTER.finditer(text):
        yield Negation(match.span(), match.span(1))
    for match in _KO_BEFORE.finditer(text):
        before = re.search(r"(\w+)[^\S\n]+$", text[: match.start()])
        if before:
            yield Negation(match.span(), before.span(1))


def _chinese(text: str, language: str) -> Iterator[Negation]:
    for match in _HAN.finditer(text):
        yield Negation((match.start(), match.start(1)), match.span(1))


def _japanese(text: str, language: str) -> Iterator[Negation]:
    for match in _KANA.finditer(text):
        if not match[1].endswith(_NO_DENIAL):
            yield Negation(match.span(2), match.span(1))


_RULES: dict[str, Callable[[str, str], Iterator[Negation]]] = {
    **dict.fromkeys(_WORDS, _by_words),
    "ko": _korean,
    "zh": _chinese,
    "ja": _japanese,
}

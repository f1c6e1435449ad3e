"""What a text holds that a reader may need, and how much of it a compression keeps: counts by measure.

A tally maps a measure to (how many, of how many). `MEASURES` says what each counts, and which way is better.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from compressor.eval.documents import Document, Negation, Question
from compressor.eval.fates import Kept
from compressor.eval.literals import literals
from compressor.eval.names import has_lost_speaker, names, speakers
from compressor.eval.polarity import negations
from compressor.types import Span

Tally: TypeAlias = dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Measure:
    """`is_loss`: less is better."""

    meaning: str
    is_loss: bool = False


MEASURES: Mapping[str, Measure] = {
    "answers_strict": Measure("answers whole at the place that answers"),
    "answers_lenient": Measure("answers whole anywhere"),
    "facts_together": Measure("questions all of whose facts are whole"),
    "numbers_intact": Measure("numbers whole"),
    "numbers_changed": Measure("numbers of which only a part is left, or grown together", True),
    "dates_intact": Measure("dates whole"),
    "dates_changed": Measure("dates of which only a part is left", True),
    "identifiers_intact": Measure("identifiers, URLs, paths whole"),
    "identifiers_changed": Measure("identifiers of which only a part is left", True),
    "names_intact": Measure("names whole"),
    "negations_kept": Measure("negations kept with what they deny"),
    "polarity_flips": Measure("what is denied kept without its negation", True),
    "speakers_kept": Measure("speakers' labels whole"),
    "speakers_lost": Measure("lines kept in part without their speaker", True),
    "tokens": Measure("target tokens of the original's", True),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Where the answers to one question stand."""

    at: Span | None
    anywhere: tuple[Span, ...]
    facts: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Holdings:
    """All that is looked for in one text; found once."""

    answers: tuple[Answer, ...]
    literals: Mapping[str, tuple[Span, ...]]
    names: tuple[Span, ...]
    negations: tuple[Negation, ...]
    speakers: tuple[tuple[Span, Span], ...]


def holdings(document: Document) -> Holdings:
    """What is marked in the document, and by rule what is not."""
    text, language = document.text, document.language
    found = dict(literals(text))
    if document.numbers is not None:
        taken = [*found["dates"], *found["identifiers"]]
        found["numbers"] = tuple(span for span in document.numbers if not _touches(span, taken))
    denied = negations(text, language) if document.negations is None else document.negations
    answers = tuple(_answer(text, question) for question in document.questions)
    return Holdings(answers, found, names(text, language), denied, speakers(text))


def tally(held: Holdings, kept: Kept) -> Tally:
    """How much of it was kept; measures of which the text holds nothing are left out."""
    counted = dict(_counts(held, kept))
    return {measure: (sum(hits), len(hits)) for measure, hits in counted.items() if hits}


def _counts(held: Holdings, kept: Kept) -> Iterator[tuple[str, Sequence[bool]]]:
    yield "answers_strict", [kept.is_whole(one.at) for one in held.answers if one.at]
    yield "answers_lenient", [any(map(kept.is_whole, one.anywhere)) for one in held.answers if one.anywhere]
    yield "facts_together", [all(map(kept.is_whole, one.facts)) for one in held.answers if one.facts]
    for kind, spans in held.literals.items():
        fates = [kept.fate(span) for span in spans]
        yield f"{kind}_intact", [fate == "intact" for fate in fates]
        yield f"{kind}_changed", [fate == "changed" for fate in fates]
    yield "names_intact", [kept.is_whole(span) for span in held.names]
    pairs = [(kept.is_whole(one.denies), kept.is_whole(one.denied)) for one in held.negations]
    yield "negations_kept", [denies and denied for denies, denied in pairs]
    yield "polarity_flips", [denied and not denies for denies, denied in pairs]
    yield "speakers_kept", [kept.is_whole(label) for label, _ in held.speakers]
    yield "speakers_lost", [has_lost_speaker(kept, label, said) for label, said in held.speakers]


def _answer(text: str, question: Question) -> Answer:
    first = question.answers[0]
    at = None if question.at is None else (question.at, question.at + len(first))
    anywhere = tuple(span for answer in question.answers for span in occurrences(text, answer))
    return Answer(at, anywhere, question.facts)


def occurrences(text: str, answer: str) -> Iterator[Span]:
    """Where it stands, not inside a longer number or word of Latin letters."""
    if answer.strip():
        pattern = rf"(?<![A-Za-z0-9]){re.escape(answer)}" if _is_latin(answer[0]) else re.escape(answer)
        pattern += r"(?![A-Za-z0-9])" if _is_latin(answer[-1]) else ""
        yield from (match.span() for match in re.finditer(pattern, text))


_is_latin: Callable[[str], object] = re.compile(r"[A-Za-z0-9]").fullmatch


def _touches(span: Span, others: Sequence[Span]) -> bool:
    return any(start < span[1] and span[0] < end for start, end in others)

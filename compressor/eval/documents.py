"""Texts to measure on, with questions whose answers stand in them, and what was marked in them by hand.

A JSON line a text, the form of the shipped set and of one's own documents alike:

    {"id": "…", "lang": "en", "domain": "meeting", "text": "…",
     "questions": [{"question": "…", "answers": ["…"], "at": 17, "facts": [[3, 9], [40, 52]]}],
     "numbers": [[5, 9]], "negations": [[60, 63, 64, 68]]}

All but `text` may be missing. `at`: where the first answer stands that answers the question. `facts`: spans
that must survive together. `numbers`: all numbers of the text, words such as "twelve" included; `negations`:
start and end of the negation, then of what it denies. Where a list is missing, rules look for the same.
Offsets are in characters.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias

from compressor.errors import EvalError
from compressor.types import Span

Record: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the strings of the text that answer it."""

    question: str
    answers: tuple[str, ...]
    at: int | None = None
    facts: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Negation:
    """What denies and what is denied."""

    denies: Span
    denied: Span


@dataclass(frozen=True, slots=True)
class Document:
    """One text. `numbers` and `negations` are None where nobody marked them."""

    id: str
    language: str
    domain: str
    text: str
    questions: tuple[Question, ...] = ()
    numbers: tuple[Span, ...] | None = None
    negations: tuple[Negation, ...] | None = None

    @property
    def cell(self) -> tuple[str, str]:
        """What its figures are counted under: never an average over different ones."""
        return self.domain, self.language


def shipped() -> list[Document]:
    """The evaluation set written for Pith."""
    folder = resources.files("compressor").joinpath("eval/set")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".jsonl")), key=lambda f: f.name)
    return [
        document for file in files for document in from_lines(file.name, file.read_text("utf-8").splitlines())
    ]


def read(path: Path) -> list[Document]:
    """The documents of a JSON lines file, packed by gzip or not. Raises EvalError."""
    return list(from_lines(str(path), lines(path)))


def lines(path: Path) -> list[str]:
    """The lines of a text file, packed by gzip or not. Raises EvalError."""
    try:
        content = path.read_bytes()
        return (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise EvalError(f"cannot read {path}: {error}; name a file of JSON lines in UTF-8") from error


def records(name: str, content: Iterable[str]) -> Iterator[tuple[str, Record]]:
    """(where it stands, object) of each line that is not blank. Raises EvalError."""
    for number, line in enumerate(content, 1):
        if line.strip():
            where = f"{name}, line {number}"
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                raise EvalError(f"{where}: no JSON ({error}); write one object a line") from error
            if not isinstance(record, dict):
                raise EvalError(f"{where}: {type(record).__name__}; write one object a line")
            yield where, record


def from_lines(name: str, content: Iterable[str]) -> Iterator[Document]:
    """The documents of the lines. Raises EvalError, which says where."""
    for where, record in records(name, content):
        yield document_of(where, record)


def document_of(where: str, record: Record) -> Document:
    """One record as a document. Raises EvalError."""
    text = record.get("text")
    if not isinstance(text, str):
        raise EvalError(f"{where}: `text` is {text!r}: give the text to compress, a string")
    try:
        document = Document(
            str(record.get("id", where)),
            str(record.get("lang", "en")),
            str(record.get("domain", "document")),
            text,
            tuple(_question(question) for question in record.get("questions", ())),
            _spans(record.get("numbers")),
            _negations(record.get("negations")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise EvalError(
            f"{where}: {type(error).__name__} {error}: see docs/quality.md for the form"
        ) from error
    _check(where, document)
    return document


def _question(record: Record) -> Question:
    answers = record["answers"]
    if not isinstance(answers, list) or not answers or not all(isinstance(one, str) for one in answers):
        raise ValueError(f"answers are {answers!r}, not a list of strings")
    facts = _spans(record.get("facts")) or ()
    return Question(str(record["question"]), tuple(answers), record.get("at"), facts)


def _spans(pairs: Any) -> tuple[Span, ...] | None:
    return None if pairs is None else tuple((int(start), int(end)) for start, end in pairs)


def _negations(rows: Any) -> tuple[Negation, ...] | None:
    return (
        None if rows is None else tuple(Negation((int(a), int(b)), (int(c), int(d))) for a, b, c, d in rows)
    )


def _check(where: str, document: Document) -> None:
    """Do all offsets lie in the text, and answers where they are said to stand?"""
    for question in document.questions:
        at, answer = question.at, question.answers[0]
        if at is not None and not document.text.startswith(answer, at):
            raise EvalError(f"{where}: {answer!r} does not stand at {at}: correct `at` or leave it out")
    marked = [
        *(document.numbers or ()),
        *(span for question in document.questions for span in question.facts),
    ]
    for negation in document.negations or ():
        marked += [negation.denies, negation.denied]
    for start, end in marked:
        if not 0 <= start < end <= len(document.text):
            raise EvalError(f"{where}: [{start}, {end}] is no part of the text ({len(document.text)} long)")

"""Public data to measure on, from a folder in the form docs/quality.md describes: questions, facts to keep.

A sample is the same on every machine: texts are taken in the order of the hash of their content.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from compressor.errors import EvalError
from compressor.eval.documents import Document, Question, Record, lines, records

QUESTIONS, MUST_KEEP = "qa_valid.jsonl", "mustkeep.jsonl"


def find(folder: Path, name: str) -> Path | None:
    """The file of that name in the folder, packed or not."""
    return next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)


def read(folder: Path) -> tuple[list[Document], list[Document]]:
    """The texts with questions, and those with facts that must stay. Raises EvalError if there are none."""
    asked, kept = list(questions(folder)), list(must_keep(folder))
    if not asked and not kept:
        raise EvalError(
            f"{folder} holds neither {QUESTIONS}.gz nor {MUST_KEEP}.gz: see docs/quality.md for public data"
        )
    return asked, kept


def questions(folder: Path) -> Iterator[Document]:
    """One document a text, with all that is asked about it."""
    asked: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in _records(folder, QUESTIONS, "id", "lang", "domain", "context", "answers"):
        asked[record["domain"], record["lang"], record["context"]].append(record)
    for (domain, language, text), same in asked.items():
        found = (
            Question(one.get("question", ""), tuple(one["answers"]), one.get("at"), _facts(one))
            for one in same
        )
        yield Document(same[0]["id"], language, domain, text, tuple(found))


def must_keep(folder: Path) -> Iterator[Document]:
    """Facts of single sentences and agents' conversations, as answers that may stand anywhere."""
    for record in _records(folder, MUST_KEEP, "id", "lang", "kind", "must_keep"):
        said = ((one.get("role"), one.get("content")) for one in record.get("messages", ()))
        text = record.get("text") or "\n".join(f"{role}: {content}" for role, content in said if content)
        facts = tuple(Question(record["kind"], (fact,)) for fact in record["must_keep"] if fact in text)
        if facts:
            yield Document(record["id"], record["lang"], record["kind"], text, facts)


def _facts(record: Record) -> tuple[tuple[int, int], ...]:
    return tuple((start, end) for start, end in record.get("facts", ()))


def _records(folder: Path, name: str, *fields: str) -> Iterator[Record]:
    path = find(folder, name)
    for where, record in records(str(path), lines(path)) if path else ():
        missing = [field for field in fields if field not in record]
        if missing:
            raise EvalError(f"{where} lacks {', '.join(missing)}: see docs/quality.md for the form")
        yield record


def sample(documents: Iterable[Document], limit: int | None) -> list[Document]:
    """At most `limit` texts of each domain and language, in the order of the hash of their content."""
    cells: dict[tuple[str, str], list[Document]] = defaultdict(list)
    for document in documents:
        cells[document.cell].append(document)
    if limit is None:
        return [document for cell in cells.values() for document in cell]
    return [document for cell in cells.values() for document in sorted(cell, key=_place)[:limit]]


def capped(documents: Iterable[Document], n_questions: int) -> list[Document]:
    """The same with at most so many questions a text."""
    return [replace(document, questions=document.questions[:n_questions]) for document in documents]


def _place(document: Document) -> str:
    return hashlib.sha256(document.text.encode("utf-8", "surrogatepass")).hexdigest()

"""Reads the unlabelled and the weakly labelled training texts: which files, which records, what of them.

Sources of unclear or research-only licence are never read: what is trained here may be shipped.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLOSED_SOURCES = frozenset({"gsc-train", "gsc-cased", "g1-pt", "ko-news", "petitions-ko", "loghub"})
"""No licence stated, research only, or non-commercial (tier C)."""

_TEXT_FILES = (
    *("docs_agent", "docs_dialogue", "docs_json", "docs_korean", "docs_math", "docs_multilingual"),
    *("docs_techdocs", "docs_wiki", "docs_code"),
)
_LONGEST_TEXT = 6_000
"""Characters of one record that are used: no long document outweighs many short ones."""


@dataclass(frozen=True, slots=True)
class Text:
    """One text for training. `labels` are characters' labels by task, where it has any."""

    source: str
    language: str
    text: str
    tags: str = ""
    """One part-of-speech letter a character of `text`, a space where there is none."""
    marks: str = ""
    """One "0" or "1" a character: told of by an answer or a note; empty where nobody said."""


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a JSON lines file, packed or not."""
    with (
        gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as f
    ):
        for line in f:
            yield json.loads(line)


def read_texts(folder: Path) -> Iterator[Text]:
    """All texts of the folder that may be trained on, in the order of its files."""
    for record, text in _plain(folder):
        if record["src"] not in CLOSED_SOURCES and record.get("split", "train") == "train":
            for start in range(0, min(len(text), 5 * _LONGEST_TEXT), _LONGEST_TEXT):
                yield Text(record["src"], record["lang"][:2], text[start : start + _LONGEST_TEXT])
    for record in read_records(folder / "qa_train.jsonl.gz"):
        text = record["context"][:_LONGEST_TEXT]
        yield Text(record["src"], record["lang"][:2], text, marks=_answer_marks(text, record["qas"]))
    for record in read_records(folder / "salience_words.jsonl.gz"):
        text, by_char = _joined(record, record["k"])
        yield Text(record["src"], record["lang"][:2], text, marks=by_char.replace(" ", "0"))
    for record in read_records(folder / "pos_weak.jsonl.gz"):
        text, by_char = _joined(record, record["p"])
        yield Text(record["src"], record["lang"][:2], text, tags=by_char)


def _plain(folder: Path) -> Iterator[tuple[dict[str, Any], str]]:
    for name in _TEXT_FILES:
        for record in read_records(folder / f"{name}.jsonl.gz"):
            yield record, record["text"]
    for record in read_records(folder / "meetings.jsonl.gz"):
        yield record, "\n".join(f"{speaker}: {said}" for speaker, said in record["turns"])
    for record in read_records(folder / "salience_sents.jsonl.gz"):
        yield record, " ".join(record["sents"])
    for record in read_records(folder / "pairs_train.jsonl.gz"):
        if record["src"] not in CLOSED_SOURCES:
            yield record, _joined(record, record["k"])[0]


def _joined(record: dict[str, Any], labels: str) -> tuple[str, str]:
    """The natural text of tokens, and each token's label on its characters."""
    text, by_char = [], []
    for token, space, label in zip(record["w"].split(" "), record["s"], labels, strict=True):
        gap = " " if space == "1" else ""
        text.append(gap + token)
        by_char.append(gap + label * len(token))
    return "".join(text), "".join(by_char)


def _answer_marks(text: str, questions: list[dict[str, Any]]) -> str:
    """ "1" on the first occurrence of each question's shortest answer."""
    marks = bytearray(b"0" * len(text))
    for question in questions:
        answer = min(question["a"], key=len)
        start = text.find(answer)
        if start >= 0:
            marks[start : start + len(answer)] = b"1" * len(answer)
    return marks.decode()

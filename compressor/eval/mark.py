"""Drafts of documents to the lines of the evaluation set, so that nobody counts characters.

    python -m compressor.eval.mark DRAFT.txt >> compressor/eval/set/en.jsonl

A draft has a head, a line `---`, and the text with tags that are taken out of it:

    id: pump-review
    lang: en
    domain: meeting
    1: When does the pump go back into service?
    2: Who signs the report? | Mrs Ito | Ito
    ---
    Ito: The pump does <no>not</no> <of>run</of> before <1>14 March</1>, <n>two</n> weeks late.

`<1>…</1>` answers question 1 where it stands; more answers that count stand behind `|` in the head. A
question that takes several facts together has the others in `<f1>…</f1>`. `<no>…</no>` denies what stands in
`<of>…</of>`, before or after it, in pairs: the first holds the word that denies and no helper that may go
("not" of "does not"). Numbers in digits are found; `<n>…</n>` marks those in words.
Several drafts are parted by lines of `===`.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from compressor.errors import EvalError
from compressor.eval.documents import document_of
from compressor.eval.literals import literals
from compressor.types import Span

_TAG = re.compile(r"<(/?)(n|no|of|f?\d+)>")
_QUESTION = re.compile(r"\d+")


def marked(draft: str) -> dict[str, Any]:
    """The record of one draft. Raises EvalError."""
    head, rule, body = draft.strip("\n").partition("\n---\n")
    if not rule:
        raise EvalError("a draft has a head, a line `---` and a text")
    fields = dict(re.split(r":\s*", line, maxsplit=1) for line in head.splitlines() if line.strip())
    name = fields.get("id", "a draft")
    text, spans = untagged(name, body.strip("\n"))
    questions = [
        _question(name, key, value, text, spans) for key, value in fields.items() if _QUESTION.fullmatch(key)
    ]
    record = {
        "id": name,
        "lang": fields.get("lang", "en"),
        "domain": fields.get("domain", "document"),
        "text": text,
        "questions": questions,
        "numbers": numbers(text, spans["n"]),
        "negations": _negations(name, spans),
    }
    document_of(name, record)
    return record


def untagged(name: str, body: str) -> tuple[str, dict[str, list[Span]]]:
    """The text without its tags, and the spans of each tag in order."""
    spans: dict[str, list[Span]] = defaultdict(list)
    open_at: dict[str, int] = {}
    pieces: list[str] = []
    done = n = 0
    for tag in _TAG.finditer(body):
        piece = body[done : tag.start()]
        pieces.append(piece)
        n += len(piece)
        done = tag.end()
        if not tag[1]:
            open_at[tag[2]] = n
        elif tag[2] not in open_at:
            raise EvalError(f"{name}: {tag[0]} closes nothing")
        else:
            spans[tag[2]].append((open_at.pop(tag[2]), n))
    if open_at:
        raise EvalError(f"{name}: <{next(iter(open_at))}> is not closed")
    pieces.append(body[done:])
    return "".join(pieces), spans


def numbers(text: str, in_words: list[Span]) -> list[Span]:
    """Those marked, and all in digits that lie in none of them."""
    found = [
        (start, end)
        for start, end in literals(text)["numbers"]
        if not any(start < last and first < end for first, last in in_words)
    ]
    return sorted([*found, *in_words])


def _question(name: str, key: str, value: str, text: str, spans: dict[str, list[Span]]) -> dict[str, Any]:
    question, *others = (part.strip() for part in value.split("|"))
    if not spans[key]:
        raise EvalError(f"{name}: no <{key}>…</{key}> in the text answers {question!r}")
    at, end = spans[key][0]
    record: dict[str, Any] = {"question": question, "answers": [text[at:end], *others], "at": at}
    if spans[f"f{key}"]:
        record["facts"] = sorted([(at, end), *spans[f"f{key}"]])
    return record


def _negations(name: str, spans: dict[str, list[Span]]) -> list[list[int]]:
    if len(spans["no"]) != len(spans["of"]):
        raise EvalError(f"{name}: {len(spans['no'])} <no> and {len(spans['of'])} <of>: they go in pairs")
    return [[*denies, *denied] for denies, denied in zip(spans["no"], spans["of"], strict=True)]


def drafts(text: str) -> Iterator[str]:
    """The drafts of a file."""
    yield from (draft for draft in re.split(r"^=+$", text, flags=re.MULTILINE) if draft.strip())


def main() -> None:
    """Write the lines of all drafts named to standard output."""
    for path in sys.argv[1:]:
        for draft in drafts(Path(path).read_text("utf-8")):
            sys.stdout.write(json.dumps(marked(draft), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()

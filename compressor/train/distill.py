"""First stage: documents → chunks for a teacher, what it is asked, and what its answer must look like.

A document has `id`, `lang` and `text`, and may name its `src`. A chunk's id is the document's, `#` and its
number. Pure but for reading the instruction, which lies beside this file; whoever asks brings the network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import orjson

from compressor.errors import DataError
from compressor.train.annotate import STRENGTHS
from compressor.train.chunking import chunks_of, size_of
from compressor.train.records import Record
from compressor.train.units import units_of

_FENCED = re.compile(r"\s*```(?:json)?\n(.*)\n```\s*", re.DOTALL)
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]+)*")
TOO_SHORT = 4
"""Of a chunk's least size, the part under which there is nothing to learn from it."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a teacher is given at once."""

    id: str
    source: str
    language: str
    text: str

    def answered(self, answer: Answer, teacher: str) -> dict[str, Any]:
        """The record that `annotate` reads."""
        fields = {"id": self.id, "src": self.source, "lang": self.language, "teacher": teacher}
        return {**fields, "text": self.text, "light": answer.light, "heavy": answer.heavy}


@dataclass(frozen=True, slots=True)
class Answer:
    """A chunk's text after deletions, at two strengths."""

    light: str
    heavy: str


class Malformed(Exception):
    """An answer that cannot be used; says why."""


def instruction() -> str:
    """What the teacher is told."""
    return files(__package__).joinpath("distill.txt").read_text("utf-8")


def chunks(documents: Iterable[Record]) -> Iterator[Chunk]:
    """The chunks of all documents, in order. DataError where a field is missing or an id comes twice."""
    seen: dict[str, str] = {}
    for document in documents:
        name, text, language = (document.text(field) for field in ("id", "text", "lang"))
        if not _LANGUAGE.fullmatch(language):
            raise document.wrong("lang", "must be a code such as en, ko or zh-hant")
        if name in seen:
            raise DataError(f"{document.place}: `id` {name!r} stood at {seen[name]} already; make it unique")
        seen[name] = document.place
        source = str(document.fields.get("src") or name.partition(":")[0])
        least = size_of(language).least // TOO_SHORT
        for number, part in enumerate(chunks_of(text, language)):
            if len(units_of(part, language)) >= least:
                yield Chunk(f"{name}#{number}", source, language, part)


def read_answer(content: str) -> Answer:
    """The two strings of an answer: one JSON object, bare or in one fence. Raises Malformed."""
    fenced = _FENCED.fullmatch(content)
    try:
        value = orjson.loads(fenced[1] if fenced else content)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"no JSON: {error}") from error
    if not isinstance(value, dict) or value.keys() != set(STRENGTHS):
        raise Malformed("no object with `light` and `heavy` alone")
    light, heavy = (value[name] for name in STRENGTHS)
    if not all(isinstance(string, str) and string.strip() for string in (light, heavy)):
        raise Malformed("`light` or `heavy` is no string, or blank")
    if len(heavy) > len(light):
        raise Malformed("`heavy` is longer than `light`")
    return Answer(light, heavy)

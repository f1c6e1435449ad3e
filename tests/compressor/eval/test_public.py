from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from compressor.errors import EvalError
from compressor.eval import public
from compressor.eval.documents import Document, Question

ASKED: list[dict[str, object]] = [
    {
        "id": "q1",
        "lang": "en",
        "domain": "wiki",
        "context": "A b c.",
        "question": "?",
        "answers": ["b"],
        "at": 2,
    },
    {
        "id": "q2",
        "lang": "en",
        "domain": "wiki",
        "context": "A b c.",
        "answers": ["c"],
        "facts": [[0, 1], [4, 5]],
    },
    {"id": "q3", "lang": "ko", "domain": "wiki", "context": "가 나", "answers": ["나"]},
]
KEPT: list[dict[str, object]] = [
    {"id": "m1", "lang": "en", "kind": "numbers", "text": "5 of 6", "must_keep": ["5", "7"]},
    {
        "id": "m2",
        "lang": "en",
        "kind": "agent",
        "must_keep": ["X1"],
        "messages": [
            {"role": "user", "content": "I am X1."},
            {"role": "assistant", "content": None},
            {"role": "tool"},
        ],
    },
    {"id": "m3", "lang": "en", "kind": "numbers", "text": "none", "must_keep": ["7"]},
]


def write(folder: Path, name: str, rows: list[dict[str, object]]) -> None:
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)


def test_questions_of_one_text_come_together(tmp_path: Path) -> None:
    write(tmp_path, "qa_valid.jsonl.gz", ASKED)
    [first, second], kept = public.read(tmp_path)
    assert kept == []
    assert first == Document(
        "q1",
        "en",
        "wiki",
        "A b c.",
        (Question("?", ("b",), 2), Question("", ("c",), None, ((0, 1), (4, 5)))),
    )
    assert second.cell == ("wiki", "ko")
    assert public.capped([first], 1)[0].questions == first.questions[:1]


def test_facts_that_must_stay(tmp_path: Path) -> None:
    write(tmp_path, "mustkeep.jsonl", KEPT)
    _, [numbers, agent] = public.read(tmp_path)
    assert numbers.domain == "numbers"
    assert numbers.questions == (Question("numbers", ("5",)),)
    assert agent.text == "user: I am X1."


def test_a_folder_without_data_is_told(tmp_path: Path) -> None:
    with pytest.raises(EvalError, match="neither qa_valid"):
        public.read(tmp_path)
    write(tmp_path, "qa_valid.jsonl", [{"id": "a", "lang": "en"}])
    with pytest.raises(EvalError, match="line 1 lacks domain, context, answers"):
        public.read(tmp_path)


def test_a_sample_is_the_same_whatever_the_order() -> None:
    documents = [Document(str(i), "en", "d", f"text {i}") for i in range(9)]
    documents += [Document("k", "ko", "d", "글")]
    some = public.sample(documents, 3)
    assert [document.language for document in some] == ["en", "en", "en", "ko"]
    assert set(some) == set(public.sample(reversed(documents), 3))
    assert set(public.sample(documents, 2)) < set(some)
    assert public.sample(documents, None) == documents

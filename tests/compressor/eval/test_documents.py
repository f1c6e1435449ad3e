from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from compressor.errors import EvalError
from compressor.eval.documents import Document, Negation, Question, from_lines, read, shipped


def one(**fields: object) -> Document:
    [document] = from_lines("docs", [json.dumps({"text": "Pay 5 euros, not 6.", **fields})])
    return document


def test_a_text_alone_is_a_document() -> None:
    assert one() == Document("docs, line 1", "en", "document", "Pay 5 euros, not 6.")
    assert one(domain="mail", lang="de").cell == ("mail", "de")


def test_all_fields() -> None:
    question = {"question": "How much?", "answers": ["5"], "at": 4, "facts": [[4, 5], [6, 11]]}
    document = one(id="a", questions=[question], numbers=[[4, 5]], negations=[[13, 16, 17, 18]])
    assert document.questions == (Question("How much?", ("5",), 4, ((4, 5), (6, 11))),)
    assert document.numbers == ((4, 5),)
    assert document.negations == (Negation((13, 16), (17, 18)),)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "docs, line 1: no JSON"),
        ("[]", "docs, line 1: list"),
        ('{"id": "a"}', "`text` is None"),
        ('{"text": "a", "questions": [{"question": "b"}]}', "KeyError 'answers'"),
        ('{"text": "a", "questions": [{"question": "b", "answers": "a"}]}', "not a list of strings"),
        (
            '{"text": "ab", "questions": [{"question": "b", "answers": ["b"], "at": 0}]}',
            "does not stand at 0",
        ),
        ('{"text": "a", "numbers": [[0, 2]]}', "[0, 2] is no part of the text (1 long)"),
        ('{"text": "a", "negations": [[0, 1, 1, 1]]}', "[1, 1] is no part"),
        ('{"text": "a", "numbers": [3]}', "TypeError"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(line: str, says: str) -> None:
    with pytest.raises(EvalError) as error:
        list(from_lines("docs", [line]))
    assert says in str(error.value)


def test_files_may_be_packed(tmp_path: Path) -> None:
    line = b'{"text": "a"}\n\n'
    (tmp_path / "a.jsonl").write_bytes(line)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(line))
    assert [document.text for document in read(tmp_path / "a.jsonl")] == ["a"]
    assert [document.text for document in read(tmp_path / "a.jsonl.gz")] == ["a"]
    with pytest.raises(EvalError, match=r"cannot read .*missing"):
        read(tmp_path / "missing")


DOCUMENTS = shipped()


@pytest.mark.parametrize("document", DOCUMENTS, ids=[document.id for document in DOCUMENTS])
def test_the_shipped_set_is_whole(document: Document) -> None:
    assert document.id.startswith(f"{document.language}-{document.domain}-")
    assert len(document.questions) >= 5
    assert document.numbers
    assert document.negations
    for question in document.questions:
        assert question.at is not None
        assert document.text.count(question.answers[0]) == 1 or len(question.answers[0]) < 12
    for negation in document.negations:
        (start, end), (denied, past) = negation.denies, negation.denied
        assert document.text[start:end].split()[0] not in {"do", "does", "did"}, "not alone denies"
        assert start >= past or denied >= end
        assert abs(start - denied) < 60


def test_the_shipped_set_has_each_text_once_and_several_domains() -> None:
    assert len({document.id for document in DOCUMENTS}) == len({d.text for d in DOCUMENTS}) == len(DOCUMENTS)
    assert {document.domain for document in DOCUMENTS} >= {
        "meeting",
        "document",
        "retrieved",
        "dialogue",
        "tool",
    }
    assert {document.language for document in DOCUMENTS} >= {"en", "ko"}

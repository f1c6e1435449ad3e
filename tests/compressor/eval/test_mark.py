from __future__ import annotations

import json
from pathlib import Path

import pytest

from compressor.errors import EvalError
from compressor.eval.documents import document_of
from compressor.eval.mark import drafts, main, marked

DRAFT = """id: pump
lang: en
domain: meeting
1: When? | 14 Mar
2: Who: the engineer?
---
Ito: It does <no>not</no> <of>run</of> before <1>14 March</1>, <n>two</n> weeks late,
<f2>at gate 7</f2>, says <2><n>one</n> Mr Ray</2>.
"""


def test_a_draft_becomes_a_record() -> None:
    record = marked(DRAFT)
    text = record["text"]
    assert text == ("Ito: It does not run before 14 March, two weeks late,\nat gate 7, says one Mr Ray.")
    first, second = record["questions"]
    assert first == {"question": "When?", "answers": ["14 March", "14 Mar"], "at": text.index("14 March")}
    assert second["question"] == "Who: the engineer?"
    assert [text[start:end] for start, end in second["facts"]] == ["at gate 7", "one Mr Ray"]
    assert [text[start:end] for start, end in record["numbers"]] == ["two", "7", "one"]
    [(start, end, denied, past)] = record["negations"]
    assert (text[start:end], text[denied:past]) == ("not", "run")
    assert document_of("here", record).id == "pump"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("---", "--", "a line `---`"),
        ("<1>", "", "</1> closes nothing"),
        ("</1>", "", "<1> is not closed"),
        ("<1>14 March</1>", "14 March", "no <1>"),
        ("<of>run</of>", "run", "1 <no> and 0 <of>"),
    ],
)
def test_a_draft_with_a_fault_is_refused(old: str, new: str, says: str) -> None:
    with pytest.raises(EvalError) as error:
        marked(DRAFT.replace(old, new))
    assert says in str(error.value)


def test_drafts_become_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    draft = tmp_path / "draft.txt"
    draft.write_text(f"{DRAFT}\n===\n{DRAFT}", "utf-8")
    monkeypatch.setattr("sys.argv", ["mark", str(draft)])
    main()
    first, second = capsys.readouterr().out.splitlines()
    assert first == second == json.dumps(marked(DRAFT), ensure_ascii=False)


def test_several_drafts_in_a_file() -> None:
    assert [draft.strip() for draft in drafts("a\n===\nb\n=====\n")] == ["a", "b"]

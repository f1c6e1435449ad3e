from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from compressor import load_scorer
from compressor.errors import EvalError
from compressor.eval.curves import svg
from compressor.eval.documents import Document, shipped
from compressor.eval.page import BEGIN, END, figures, markdown, picture_of, refreshed
from compressor.eval.report import Part, Report, report, shown
from compressor.eval.tables import Table, agreement, percent, signed
from tests.tracked import ROOT

PAGE = ROOT / "docs/quality.md"


def small() -> Report:
    documents = [document for document in shipped() if document.cell == ("meeting", "en")]
    unasked = Document(
        "u", "en", "log", "No question was asked about this text, which holds the number 5 only."
    )
    parts = [Part("Some", "A note.", [*documents, unasked])]
    return report(parts, {"frequency": load_scorer("frequency")}, (0.5, 0.2), None)


SMALL = small()


def test_the_page_matches_its_json() -> None:
    found = json.loads(PAGE.with_suffix(".json").read_text("utf-8"))
    pictures = {f"quality-{picture_of(part)}": part for part in found["parts"]}
    page = PAGE.read_text("utf-8")
    assert refreshed(page, found, list(pictures)) == page
    assert {path.name for path in PAGE.parent.glob("quality-*.svg")} >= set(pictures)
    for name, part in pictures.items():
        assert (PAGE.parent / name).read_text("utf-8") == svg(part["cells"], found["methods"], found["rates"])


def test_figures_go_between_the_marks() -> None:
    page = refreshed(f"before\n{BEGIN}\nold\n{END}\nafter\n", SMALL, ["a.svg"])
    assert page.startswith(f"before\n{BEGIN}\n\nScorers: `frequency` is `frequency-")
    assert page.endswith(f"{END}\nafter\n")
    assert "old" not in page
    assert "(a.svg)" in page
    assert refreshed(page, SMALL, ["a.svg"]) == page


@pytest.mark.parametrize("page", ["", BEGIN, END])
def test_a_page_without_marks_is_refused(page: str) -> None:
    with pytest.raises(EvalError, match="the page lacks the line"):
        refreshed(page, SMALL, [])


def test_tables_of_a_report() -> None:
    titles = [table.title for _, table in shown(SMALL, [0.5])]
    assert [title.partition(" ")[0] for title in titles] == [
        "Answers",
        "frequency:",
        "frequency:",
        "Invariants",
    ]
    tables = dict(
        zip(("answers", "rates", "kept", "invariants"), (one for _, one in shown(SMALL, [0.5])), strict=True)
    )
    [row] = tables["answers"].rows  # nothing is asked about the other text
    assert row[0] == "meeting en"
    assert len(row) == len(tables["answers"].head)
    assert {row[0] for row in tables["kept"].rows} == {"meeting en", "log en"}
    assert all("100 / 0" in row for row in tables["kept"].rows)
    assert "### Some\n\nA note.\n" in figures(SMALL, [])


def test_agreement_of_two_scorers() -> None:
    row = {"n_texts": 3, "light": 0.8, "f1": 0.7}
    found = {"a": {"en": {**row, "heavy": 0.9}}, "b": {"en": row}, "c": {}}
    table = agreement("T", found)
    assert table.head == ("", "texts", "a", "b")
    assert table.rows == (("en", "3", "0.800 / 0.900, F1 0.700", "0.800, F1 0.700"),)


def test_labels_come_after_the_parts() -> None:
    row = {"en": {"n_texts": 3, "light": 0.8, "f1": 0.7}}
    labelled = {**SMALL, "grades": {"frequency": row}, "pairs": {"frequency": row}}
    assert [name for name, _ in shown(labelled, [0.5])][-2:] == ["", ""]
    assert "### Agreement" in figures(labelled, [])


def test_a_table_in_markdown() -> None:
    assert markdown(Table("T", ("", "n"), (("a", "1"),))) == "**T**\n\n|  | n |\n|---|--:|\n| a | 1 |\n"


def test_shares_are_short() -> None:
    assert [percent(value) for value in (None, 0.0, 0.004, 0.5, 1.0)] == ["-", "0", "0.4", "50", "100"]
    assert [signed(value) for value in (0.104, -0.02)] == ["+10", "-2"]


def test_curves_are_drawn_for_cells_with_questions(tmp_path: Path) -> None:
    cells = SMALL["parts"][0]["cells"]
    root = ElementTree.fromstring(svg(cells, SMALL["methods"], SMALL["rates"]))
    lines = root.findall(".//{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == len(SMALL["methods"])
    assert all(len(line.attrib["points"].split()) == 2 for line in lines)
    titles = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "meeting en" in titles
    assert "log en" not in titles

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from compressor.eval.page import BEGIN, END
from gateway.cli import main
from gateway.cli.eval_ask import compared
from tests.compressor.tiny_models import build
from tests.tracked import ROOT

TEXT = "Ito: Well, the pump is not ready, so basically it goes back into service on 14 March, I think. " * 3
QUESTION = {"question": "When?", "answers": ["14 March"], "at": TEXT.index("14 March")}
DOCUMENT = {"id": "a", "lang": "en", "domain": "meeting", "text": TEXT, "questions": [QUESTION]}


def pith(*arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(main, ["eval", *arguments], catch_exceptions=False, **options)


@pytest.fixture
def documents(tmp_path: Path) -> str:
    path = tmp_path / "docs.jsonl"
    path.write_text(json.dumps(DOCUMENT) + "\n")
    return str(path)


def test_the_shipped_texts_in_one_language_and_domain(tmp_path: Path) -> None:
    out, curves = tmp_path / "out" / "figures.json", tmp_path / "curves"
    chosen = ("--languages", "en", "--domains", "meeting,tool", "--rates", "0.5,0.2", "--scorer", "frequency")
    result = pith(*chosen, "--json", str(out), "--plot", str(curves))
    assert result.exit_code == 0, result.output
    assert "Answers that survive at rate 0.5" in result.stdout
    assert "TextRank" in result.stdout
    found = json.loads(out.read_text())
    assert [cell["domain"] for cell in found["parts"][0]["cells"]] == ["meeting", "tool"]
    assert list(found["scorers"]) == ["frequency"]
    assert found["rates"] == [0.5, 0.2]
    assert (curves / "texts-written-for-pith.svg").read_text().startswith("<svg")


def test_a_scorer_beside_another(documents: str, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    weights = build("bert", tmp_path / "my-llmlingua-2")
    result = pith("--documents", documents, "--against", str(weights), "--json", str(out), "--rates", "0.5")
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text())
    assert list(found["scorers"])[:2] == ["default", "my-llmlingua-2"]
    assert found["scorers"]["my-llmlingua-2"] != found["scorers"]["default"]
    methods = found["parts"][0]["cells"][0]["rates"]["0.5"]["methods"]
    assert abs(methods["my-llmlingua-2"]["tokens"][0] - methods["default"]["tokens"][0]) < 0.05
    assert found["parts"][0]["name"] == "docs.jsonl"
    assert found["parts"][0]["cells"][0]["texts"] == 1


def test_public_data_join_the_shipped(tmp_path: Path) -> None:
    record = {"id": "q", "lang": "en", "domain": "wiki", "context": TEXT, **QUESTION}
    (tmp_path / "qa_valid.jsonl").write_text(json.dumps(record) + "\n")
    page = tmp_path / "page.md"
    page.write_text(f"# P\n{BEGIN}\n{END}\n")
    result = pith(
        "--data", str(tmp_path), "--languages", "en", "--rates", "0.5", "--page", str(page), "--limit", "1"
    )
    assert result.exit_code == 0, result.output
    found = json.loads(page.with_suffix(".json").read_text())
    assert [part["name"] for part in found["parts"]] == ["Texts written for Pith", "Public questions"]
    assert "by the hash of the text" in found["parts"][0]["note"]
    assert "### Public questions" in page.read_text()
    assert (tmp_path / "page-public-questions.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--rates", "0.5,2"], "no list of rates"),
        (["--rates", "x"], "no list of rates"),
        (["--domains", "cooking"], "no text has domains cooking and languages any; there are dialogue en"),
        (["--documents", "missing.jsonl"], "cannot read missing.jsonl"),
        (["--data", "missing"], "missing holds neither"),
        (["--ask", "http://127.0.0.1:1"], "--ask needs --model"),
        (
            ["--ask", "http://127.0.0.1:1", "--model", "m", "--key-env", "PITH_TEST_NO_KEY"],
            "PITH_TEST_NO_KEY is not set",
        ),
    ],
)
def test_what_is_wrong_is_said(arguments: list[str], says: str) -> None:
    result = pith(*arguments)
    assert result.exit_code in (1, 2)
    assert says in result.output
    assert "Traceback" not in result.output


@contextmanager
def reader(status: int = 200, body: object = None) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A model that answers "14 March" where the text still says so, and the requests it got."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append({"path": self.path, "key": self.headers["authorization"], **sent})
            answer = "14 March" if "14 March" in sent["messages"][0]["content"] else "I do not know"
            message = {"choices": [{"message": {"content": answer}}]} if body is None else body
            content = json.dumps(message).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


ASK = ("--model", "gpt-4o-mini", "--key-env", "PITH_TEST_KEY", "--rates", "0.5")
KEY = {"PITH_TEST_KEY": "sk-test-not-shown"}


def test_a_model_answers_from_both_texts(documents: str) -> None:
    with reader() as (url, asked):
        result = pith("--documents", documents, "--ask", f"{url}/v1", *ASK, "--yes", env=KEY)
    assert result.exit_code == 0, result.output
    assert "2 requests to" in result.output
    assert "at most $" in result.output
    assert "exact match: full 1.000" in result.stdout
    assert "difference 0.000" in result.stdout
    assert "sk-test" not in result.output
    assert [one["path"] for one in asked] == ["/v1/chat/completions"] * 2
    assert {one["key"] for one in asked} == {"Bearer sk-test-not-shown"}
    full, compressed = (one["messages"][0]["content"] for one in asked)
    assert TEXT in full
    assert len(compressed) < len(full)


def test_nothing_is_sent_before_the_cost_is_agreed(documents: str) -> None:
    with reader() as (url, asked):
        result = pith("--documents", documents, "--ask", url, *ASK, env=KEY, input="n\n")
    assert result.exit_code == 1
    assert "tokens in" in result.output
    assert asked == []


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, None, "answered 401"),
        (200, {"choices": []}, "gave no chat completion"),
        (200, [], "no chat completion"),
    ],
)
def test_an_endpoint_that_does_not_answer_is_named(
    documents: str, status: int, body: object, says: str
) -> None:
    with reader(status, body) as (url, _):
        result = pith("--documents", documents, "--ask", url, *ASK, "--yes", env=KEY)
    assert result.exit_code == 1
    assert says in result.output


def test_nobody_there(documents: str) -> None:
    result = pith("--documents", documents, "--ask", "http://127.0.0.1:1", *ASK, "--yes", env=KEY)
    assert result.exit_code == 1
    assert "does not answer: ConnectError" in result.output


def test_no_question_nothing_to_ask(tmp_path: Path) -> None:
    path = tmp_path / "docs.jsonl"
    path.write_text(json.dumps({"text": TEXT}) + "\n")
    result = pith("--documents", str(path), "--ask", "http://127.0.0.1:1", *ASK, "--yes", env=KEY)
    assert "hold no questions" in result.output


def test_differences_are_paired_by_text() -> None:
    scores = np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0], [1.0, 1.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    full, compressed, difference = compared(scores, [0, 0, 1, 2, 3, 4, 4])
    assert full.value == pytest.approx(5 / 7)
    assert compressed.value == pytest.approx(4 / 7)
    assert difference.value == pytest.approx(-1 / 7)
    assert difference.low <= difference.value <= difference.high


def test_the_make_target_is_the_documented_one() -> None:
    assert "pith eval --page docs/quality.md" in (ROOT / "Makefile").read_text()

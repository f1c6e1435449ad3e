"""`pith train distill` against a teacher on loopback: what it costs, what it survives, how it goes on."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from tests.e2e.scripted_upstream import until
from tests.gateway.distill.teacher_server import (
    PATIENCE_S,
    Asked,
    Held,
    Said,
    TeacherServer,
    completion,
    deletion,
)

DOCUMENTS = [
    {"id": f"d{i}", "lang": "en", "text": " ".join(f"w{i}x{j}" for j in range(150))} for i in range(12)
]
KEY = "sk-never-shown"


@pytest.fixture
def given(tmp_path: Path) -> Path:
    path = tmp_path / "documents.jsonl"
    path.write_text("".join(json.dumps(document) + "\n" for document in DOCUMENTS))
    return path


def arguments(given: Path, url: str, *more: str) -> list[str]:
    out = ["--out", str(given.parent / "out"), "--url", url, "--model", "gpt-4o-mini", "--concurrency", "3"]
    return ["train", "distill", str(given), *out, *more]


def run(given: Path, url: str, *more: str) -> Result:
    return CliRunner(env={"TEACHER_KEY": KEY}).invoke(main, arguments(given, url, *more))


def written(given: Path, name: str = "out") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (given.parent / name).read_bytes().splitlines()]


def ids(given: Path, name: str = "out") -> list[str]:
    return sorted(record["id"] for record in written(given, name))


ALL = sorted(f"{document['id']}#0" for document in DOCUMENTS)


def test_all_of_it_and_nothing_twice(given: Path) -> None:
    with TeacherServer(lambda n, asked: deletion(asked)) as server:
        ran = run(given, server.url, "--key-env", "TEACHER_KEY")
        assert ran.exit_code == 0, ran.output
        assert "0 chunks are done, 12 missing; 12 to ask" in ran.stderr
        assert "12 answered" in ran.stderr
        assert "1,200 tokens in, 120 out: 0.0003 USD" in ran.stderr
        again = run(given, server.url)
        assert again.exit_code == 0
        assert "12 chunks are done, 0 missing" in again.stderr
        assert len(server.asked) == 12
    assert ids(given) == ALL
    assert {asked.headers["authorization"] for asked in server.asked} == {f"Bearer {KEY}"}
    assert KEY not in ran.output
    annotated = CliRunner().invoke(main, ["train", "annotate", str(given.parent / "out")])
    assert all(json.loads(line)["grades"] == "021" * 50 for line in annotated.stdout.splitlines())


def test_texts_too_short_to_learn_from_are_told(tmp_path: Path) -> None:
    short = tmp_path / "documents.jsonl"
    short.write_text('{"id": "a", "lang": "en", "text": "New colleagues get their laptop."}\n')
    ran = run(short, "http://127.0.0.1:1")
    assert ran.exit_code == 1
    assert "has no text that is long enough: 30 words at least" in ran.stderr


class Faults:
    """Each text's first two requests fail, each time in another way, whoever is asked meanwhile."""

    def __init__(self) -> None:
        self._n_asked: Counter[str] = Counter()

    def __call__(self, n: int, asked: Asked) -> Said:
        self._n_asked[asked.text] += 1
        kinds = [
            Said(b"{}", 429, {"retry-after": "0"}),
            Said(b"oops", 500, {"retry-after": "0"}),
            Said(b'{"choices": [{"message": {"content": "', 503, {"retry-after": "0"}),
        ]
        return kinds[n % len(kinds)] if self._n_asked[asked.text] <= 2 else deletion(asked)


def test_faults_are_survived(given: Path) -> None:
    with TeacherServer(Faults()) as server:
        ran = run(given, server.url)
    assert ran.exit_code == 0, ran.output
    assert ids(given) == ALL
    assert len(server.asked) > 12
    assert f"{len(server.asked) - 12} attempts repeated" in ran.stderr


def test_answers_that_break_off_or_are_garbage(given: Path) -> None:
    def script(n: int, asked: Asked) -> Said:
        answers = {
            1: Said(b'{"choices": [{"mess'),
            2: Said(deletion(asked).content, cut=40),
            3: Said(b"", cut=0),
        }
        return answers.get(n, deletion(asked))

    with TeacherServer(script) as server:
        ran = run(given, server.url)
    assert ran.exit_code == 0, ran.output
    assert ids(given) == ALL
    assert "3 attempts repeated" in ran.stderr
    assert "(3 answers without usage: estimated)" in ran.stderr


def test_malformed_answers_are_kept_apart_and_asked_again_when_told(given: Path) -> None:
    with TeacherServer(lambda n, asked: completion("Sure!") if n <= 2 else deletion(asked)) as server:
        ran = run(given, server.url)
        assert (ran.exit_code, len(written(given))) == (0, 10)
        assert "2 malformed" in ran.stderr
        assert "no JSON" in written(given, "out.rejects")[0]["why"]
        assert run(given, server.url).exit_code == 0
        assert len(server.asked) == 12, "what was rejected is not paid for again"
        assert run(given, server.url, "--again").exit_code == 0
    assert ids(given) == ALL


def test_a_run_bounded_in_chunks_or_spend_is_gone_on_with(given: Path) -> None:
    with TeacherServer(lambda n, asked: deletion(asked)) as server:
        assert run(given, server.url, "--max-chunks", "5").exit_code == 0
        assert len(written(given)) == 5
        ran = run(given, server.url, "--price", "1000,1000", "--max-usd", "3")
        assert ran.exit_code == 1
        assert "--max-usd allows; run it again to go on" in ran.stderr
        assert 5 < len(written(given)) < 12
        assert run(given, server.url).exit_code == 0
    assert ids(given) == ALL


def test_a_dry_run_asks_nothing(given: Path) -> None:
    ran = run(given, "http://127.0.0.1:9", "--dry-run")
    assert ran.exit_code == 0
    assert "12 to ask: about" in ran.stderr


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--model", "no-such-model"], 2, "no price is known for 'no-such-model': give it as --price"),
        (["--key-env", "NOT_SET"], 2, "environment variable NOT_SET is not set"),
        (["--price", "cheap"], 2, "is no price"),
        (["--max-usd", "-1"], 2, "--max-usd"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(
    given: Path, more: list[str], code: int, said: str
) -> None:
    with TeacherServer(lambda n, asked: deletion(asked)) as server:
        ran = run(given, server.url, *more)
    assert (ran.exit_code, server.asked) == (code, [])
    assert said in " ".join(ran.stderr.split())


def test_a_key_that_is_none_is_refused_and_not_shown(given: Path) -> None:
    ran = CliRunner(env={"K": f"{KEY}\nx"}).invoke(
        main, arguments(given, "http://127.0.0.1:9", "--key-env", "K")
    )
    assert ran.exit_code == 2
    assert KEY not in ran.output


def test_a_wrong_key_ends_the_run(given: Path) -> None:
    with TeacherServer(lambda n, asked: Said(b"{}", 401)) as server:
        ran = run(given, server.url)
    assert ran.exit_code == 1
    assert "answers with status 401: check --url, --model and the variable of --key-env" in ran.stderr
    assert len(server.asked) <= 3


def test_a_document_that_cannot_be_used_is_named(given: Path) -> None:
    with given.open("a") as file:
        file.write('{"id": "d0", "lang": "en", "text": "again"}\n')
    ran = run(given, "http://127.0.0.1:9")
    assert ran.exit_code == 1
    assert f"{given}:13: `id` 'd0' stood at {given}:1 already" in ran.stderr


@contextmanager
def started(given: Path, url: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own."""
    command = [sys.executable, "-m", "gateway", *arguments(given, url)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_killed_and_gone_on_with(given: Path) -> None:
    out, held = given.parent / "out", Held(4)
    with TeacherServer(held) as server, started(given, server.url) as process:
        asyncio.run(until(lambda: out.exists() and out.read_bytes().count(b"\n") == 4))
        process.kill()
        process.wait()
        held.go_on.set()
    with out.open("ab") as file:
        file.write(out.read_bytes()[:100])  # as a crash of the machine leaves it
    with TeacherServer(lambda n, asked: deletion(asked)) as server:
        ran = run(given, server.url)
    assert ran.exit_code == 0, ran.output
    assert "its last line was torn, and is mended" in ran.stderr
    assert "4 chunks are done, 8 missing" in ran.stderr
    assert ids(given) == ALL


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("n_signals", "n_written"), [(1, 5), (2, 2)])
def test_told_to_stop(number: signal.Signals, n_signals: int, n_written: int, given: Path) -> None:
    """Once: what is under way is waited for. Twice: it is not, and what was finished stays."""
    held = Held(2)
    with TeacherServer(held) as server, started(given, server.url) as process:
        assert process.stderr is not None
        asyncio.run(until(lambda: len(server.asked) == 5))  # two answered, three held
        process.send_signal(number)
        while "stopping when what is under way is done" not in (line := process.stderr.readline()):
            assert line, "it ended without a word"
        if n_signals == 2:
            process.send_signal(number)
        else:
            held.go_on.set()
        said = process.stderr.read()
        assert process.wait(PATIENCE_S) == 1
        held.go_on.set()
    assert len(written(given)) == n_written
    assert "ended early: stopped" in said
    assert "Traceback" not in said

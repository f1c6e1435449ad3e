"""`pith compress --explain`: every word as it fared, on terminals and off."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from compressor import CompressionParams, counter
from compressor.explain import Explained, Fate, WordFate
from compressor.flow import whole
from compressor.types import Compressed
from gateway.cli import main
from gateway.cli.explained import Look, legend, painted

TEXT = (
    "On Tuesday at 14:32 we basically started to see elevated latency,\n"
    "not a full outage, I want to be clear about that. See https://example.org/a?b=1 now.\n"
)
ANSI = re.compile(r"\x1b\[\d+m")
PLAIN, COLORED = Look(has_color=False), Look(has_color=True)


def explained(text: str, *words: tuple[int, int, Fate], skip: bool = False) -> Explained:
    result = whole(text, CompressionParams(), "short")
    if not skip:
        result = Compressed(text, 9, 5, result.kept)
    return Explained(text, result, tuple(WordFate(start, end, 0.5, fate) for start, end, fate in words))


def run(text: str, folder: Path, *options: str, env: dict[str, str] | None = None) -> Result:
    (folder / "text").write_text(text, "utf-8")
    asked = ["compress", "--scorer", "frequency", *options, str(folder / "text")]
    answer = CliRunner(env=env).invoke(main, asked, color=True)
    assert answer.exit_code == 0, answer.output
    return answer


def test_words_of_one_fate_share_its_marks_a_line_at_a_time() -> None:
    dropped = [(at, at + 1, "dropped") for at in (0, 2, 6, 7, 8)]
    others = [(4, 5, "forced"), (10, 11, "protected"), (11, 12, "kept")]
    case = explained("a b 5 c\nd e.", *sorted(dropped + others))  # type: ignore[arg-type]  # literals
    assert painted(case, PLAIN) == "[-a b-] {+5+} [-c-]\n[-d-] {=e=}."


def test_colours_are_never_alone() -> None:
    case = explained("a 5 e k", (0, 1, "dropped"), (2, 3, "forced"), (4, 5, "protected"), (6, 7, "kept"))
    shown = painted(case, COLORED)
    assert shown == "\x1b[31m\x1b[2m\x1b[9ma\x1b[0m \x1b[33m\x1b[1m5\x1b[0m \x1b[36m\x1b[4me\x1b[0m k"
    assert ANSI.sub("", shown) == case.text


@pytest.mark.parametrize("fate", ["kept", "dropped", "forced", "protected"])
def test_a_text_commands_no_terminal(fate: Fate) -> None:
    text = "\x1b[31m\x00\x7f\x9b\u202e\ud800\r"
    shown = painted(explained(text, (0, len(text), fate)), PLAIN)
    assert "␛[31m␀␡\ufffd\ufffd\ufffd␍" in shown


def test_what_was_left_whole_is_shown_whole_with_the_reason() -> None:
    case = explained("a b", (0, 1, "dropped"), skip=True)
    assert painted(case, PLAIN) == "a b"
    assert legend(case, "o200k_base", PLAIN) == "left whole: short\n"


def test_the_legend_counts_words_and_tokens_of_each_fate(tmp_path: Path) -> None:
    answer = run(TEXT, tmp_path, "--explain")
    rows = re.findall(r"^\W*(\w+)\W*? +([\d,]+) words +([\d,]+) tokens", answer.stdout, re.MULTILINE)
    assert [row[0] for row in rows] == ["kept", "dropped", "forced", "protected"]
    assert all(int(row[1]) > 0 for row in rows)
    assert sum(int(row[2]) for row in rows) == counter("o200k_base").count(TEXT)
    assert "{=https://example.org/a?b=1=}" in answer.stdout
    assert "{+Tuesday at 14:32+}" in answer.stdout
    assert re.search(r"\d+ → \d+ tokens", answer.stderr)


@pytest.mark.parametrize(
    ("options", "env", "is_colored"),
    [
        ([], {}, False),  # no terminal
        (["--color", "always"], {}, True),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        (["--color", "never"], {}, False),
    ],
)
def test_colours_when_asked_for(
    options: list[str], env: dict[str, str], is_colored: bool, tmp_path: Path
) -> None:
    assert bool(ANSI.search(run(TEXT, tmp_path, "--explain", *options, env=env).stdout)) == is_colored


def test_the_words_as_json(tmp_path: Path) -> None:
    said = json.loads(run(TEXT, tmp_path, "--explain", "--json").stdout)
    assert said["text"] == json.loads(run(TEXT, tmp_path, "--json").stdout)["text"]
    protected = "".join(TEXT[start:end] for start, end, _, fate in said["words"] if fate == "protected")
    assert protected == "https://example.org/a?b=1"


def test_compat_is_not_explained(tmp_path: Path) -> None:
    (tmp_path / "text").write_text(TEXT, "utf-8")
    asked = ["compress", "--explain", "--fidelity", "compat", str(tmp_path / "text")]
    answer = CliRunner().invoke(main, asked)
    assert answer.exit_code == 2
    assert "leave one of them out" in answer.stderr


@pytest.mark.parametrize("text", ["", "\n", "word"])
def test_texts_with_nothing_to_explain(text: str, tmp_path: Path) -> None:
    assert "left whole: " in run(text, tmp_path, "--explain").stdout

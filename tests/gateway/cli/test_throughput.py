"""`pith bench compressor` on a tiny model: every figure is there, and they agree with each other."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from compressor.scorers.peak import operations
from compressor.scorers.shapes import SHAPES as KNOWN
from compressor.scorers.shapes import Shape
from compressor.scorers.shapes import build as build_shape
from gateway.cli import main
from gateway.cli.throughput import SHAPES, show
from gateway.demo.conversation import text
from gateway.demo.corpus import PROSE
from tests.compressor.tiny_models import build


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("bert", tmp_path_factory.mktemp("bert"))


def bench(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["bench", "compressor", *arguments], catch_exceptions=False)


def found(*arguments: str) -> dict[str, Any]:
    result = bench(*arguments, "--json")
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def test_sizes_callers_and_messages(folder: Path) -> None:
    shown = found(
        *("--scorer", str(folder), "--precision", "fp32", "--repeats", "1"),
        *("--sizes", "100,600", "--concurrency", "1,3", "--messages", "20"),
    )
    places = [(row["tokens"], row["texts"], row["at_once"]) for row in shown["rows"]]
    assert places == [(100, 1, 1), (100, 1, 3), (600, 1, 1), (600, 1, 3), (4000, 20, 1)]
    for row in shown["rows"]:
        assert row["p50_ms"] <= row["p99_ms"]
        assert row["given_share"] >= 1.0  # every token of the text, and control tokens
        assert 0 < row["in_model_share"] <= 1.0
        assert row["model_tokens"] > row["tokens"] * row["at_once"] / 2
        assert row["cpu_us_per_token"] > 0
    bare = shown["bare"]
    assert bare["row_tokens"] == 512
    assert bare["peak_share"] == pytest.approx(bare["gflops"] / bare["peak_gflops"])
    assert shown["besides_model_us_per_token"] > 0
    assert shown["chosen"].startswith("cpu: fp32")


def test_what_would_take_too_long_is_left_out(folder: Path) -> None:
    shown = found("--scorer", str(folder), "--quick", "--precision", "fp32", "--limit", "0")
    assert ["left_out_s" in row for row in shown["rows"]] == [False, True, True, True]


def test_as_a_table(folder: Path) -> None:
    result = bench("--scorer", str(folder), "--quick", "--precision", "fp32")
    assert "bare forward pass" in result.stdout
    assert "load average" in result.stdout


def test_the_tables_fit_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither figures nor headings are cut at 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    row = {"tokens": 4000, "texts": 64, "at_once": 1, "given_share": 1.03, "times": 29.3}
    figures = dict.fromkeys(("tokens_per_second", "cpu_us_per_token", "p50_ms", "p99_ms"), 10_000.0)
    bare = {"tokens_per_second": 1.0, "gflops": 1.0, "peak_share": 0.5, "peak_gflops": 2.0}
    show(
        {
            "model": "mbert",
            "chosen": "cpu: int8",
            "bare": bare,
            "besides_model_us_per_token": 1.3,
            "rows": [row | figures, {**row, "left_out_s": 10.0}],
            "load": [0.5, 0.6],
        }
    )
    shown = capsys.readouterr().out
    assert "…" not in shown
    assert "29.3" in shown
    assert "left out: 4,000 as 64 tokens, 1 at once, would take 10 s" in shown


def test_agreement_with_fp32_is_whole_for_fp32(folder: Path) -> None:
    shown = found("--scorer", str(folder), "--precision", "fp32", "--agreement")
    assert shown["turned"] == {"0.8": 0.0, "0.5": 0.0, "0.33": 0.0}


def test_agreement_counts_what_turns(folder: Path) -> None:
    shown = found("--scorer", str(folder), "--precision", "bf16", "--agreement")
    assert 0 < max(shown["turned"].values()) < 0.2
    table = bench("--scorer", str(folder), "--precision", "bf16", "--agreement").stdout
    assert "words decided otherwise" in table


def test_two_models_are_refused() -> None:
    result = bench("--shape", "mbert", "--scorer", "x")
    assert result.exit_code == 2
    assert "name two models: give one" in result.output


def test_an_interpreter_without_the_package_is_told_how(folder: Path, tmp_path: Path) -> None:
    for python in (sys.executable, str(tmp_path / "none")):
        result = bench("--scorer", str(folder), "--quick", "--against", "llmlingua", "--python", python)
        assert result.exit_code == 1
        assert "has no package llmlingua: make it" in result.output


@pytest.mark.parametrize("name", KNOWN)
def test_shapes_are_those_of_their_families(name: str) -> None:
    """An operation count a token that is known: 654, 189 and 26 million at 512 tokens."""
    import transformers

    shape = KNOWN[name]
    config = getattr(transformers, f"{shape.kind}Config")(**shape.config)
    expected = {"xlm-roberta-large": 654e6, "mbert": 189e6, "default": 26e6}[name]
    assert operations(config, 512) == pytest.approx(expected, rel=0.02)


def test_a_shape_is_a_model_that_loads(tmp_path: Path) -> None:
    small = Shape(
        "XLMRoberta",
        "small",
        KNOWN["default"].tokenizer,
        KNOWN["default"].specials,
        {**KNOWN["default"].config, "vocab_size": 4000, "hidden_size": 48, "num_hidden_layers": 1},
    )
    folder = build_shape(small, tmp_path, [text(name) for name in PROSE])
    assert found("--scorer", str(folder), "--quick", "--precision", "fp32")["rows"]


def test_the_command_knows_the_shapes_there_are() -> None:
    """Written out there, since naming them brings torch."""
    assert set(SHAPES) == set(KNOWN)

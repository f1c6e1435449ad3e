"""gateway.demo.experiment: some users through real HTTP. docs/experiments.md has, and compares, the whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.demo.experiment import NAME, Stage, play, policies_text
from policies.lint import lint


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> list[Stage]:
    return list(play(tmp_path_factory.mktemp("trial"), 70))


def test_after_every_sixty_users_it_is_looked_at(stages: list[Stage]) -> None:
    assert [stage.n_users for stage in stages] == [60, 70]
    assert [stage.known.name for stage in stages] == [NAME, NAME]


def test_every_request_and_rating_is_on_record(stages: list[Stage]) -> None:
    verdict = stages[-1].known.verdict
    assert verdict is not None
    assert verdict.n_units == 70
    assert {arm.name: arm.applied for arm in verdict.arms} == {"control": 0.0, "gentle": 1.0, "harsh": 1.0}
    assert verdict.reason.endswith("units that every arm needs before anything is said.")
    turns = {one.arm: one for one in verdict.secondary if one.metric == "turns"}
    harsh, gentle = turns["harsh"].value, turns["gentle"].value
    assert harsh is not None
    assert gentle is not None
    assert harsh > gentle + 0.2, "who is not answered asks again"
    feedback = {one.arm: one.value for one in verdict.guardrails if one.metric == "feedback"}
    assert (feedback["harsh"] or 1) < (feedback["gentle"] or 0)


def test_its_policy_file_is_right() -> None:
    assert [one for one in lint(policies_text(), "policies.yaml") if one.severity == "error"] == []


def test_a_folder_with_another_runs_ledger_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pith.db").write_bytes(b"mine")
    ran = CliRunner().invoke(main, ["demo", "--experiment", "--into", str(tmp_path)])
    assert ran.exit_code == 2
    assert "there is a ledger of another run, pith.db; name a new folder" in " ".join(ran.stderr.split())
    assert (tmp_path / "pith.db").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--into", "x"], "add that"), (["--experiment", "--into", "/dev/null/x"], "name a folder that can be")],
)
def test_what_is_asked_wrongly(arguments: list[str], said: str) -> None:
    ran = CliRunner().invoke(main, ["demo", *arguments])
    assert ran.exit_code == 2
    assert said in " ".join(ran.stderr.split())

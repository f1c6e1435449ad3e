"""gateway.dashboard.experiments: what the page holds, before it is HTML."""

from __future__ import annotations

from dataclasses import replace

from gateway.dashboard.experiments import MOST_EXPERIMENTS, page
from gateway.dashboard.intervals import WIDTH
from gateway.experiments.known import Census, Change, Known
from policies.verdict import Reading
from tests.gateway.experiments.known_ones import CENSUS, NOW, RUNNING, guardrail


def shown(**changes: object) -> Known:
    return Known("rag", "v", "running", (), replace(RUNNING, **changes), 12_000, NOW)  # type: ignore[arg-type]  # fields of Verdict


def test_the_margin_lies_on_the_side_that_is_worse() -> None:
    feedback = guardrail("feedback", "half", -0.02, 0.05, 0.1)
    [one] = page(Census((shown(guardrails=(guardrail("errors", "half", 0.0, 0.001, 0.005), feedback)),), NOW))
    errors, feedback_line, _ = one.tables[1].lines
    assert errors.picture is not None
    assert feedback_line.picture is not None
    assert (errors.picture.margin_x or 0) > WIDTH / 2
    assert (feedback_line.picture.margin_x or WIDTH) < WIDTH / 2


def test_arms_of_one_metric_share_a_scale_and_metrics_do_not() -> None:
    [one] = page(Census((shown(),), NOW))
    rails = {(line.row.metric, line.row.arm): line.picture for line in one.tables[1].lines}
    half, harsh = rails["retries by clients", "half"], rails["retries by clients", "harsh"]
    assert half is not None
    assert harsh is not None
    assert half.bar_width < harsh.bar_width, "±0.9 and ±2 points"
    assert rails["slow first bytes", "half"] is None, "nothing was timed"


def test_a_picture_is_said_in_words() -> None:
    [one] = page(Census((shown(),), NOW))
    assert one.tables[0].lines[0].said == (
        "billed cost a request, half: −29.6 %, between −35.0 to −24.1 %; better beyond doubt"
    )


def test_progress_is_at_most_all_and_unknown_where_the_plan_is() -> None:
    found = [page(Census((shown(units_needed=n),), NOW))[0].progress for n in (24_000, 6_000, None)]
    assert found == [50.0, 100.0, None]


def test_tables_without_lines_are_left_out() -> None:
    [one] = page(Census((shown(guardrails=(), judge=(), secondary=()),), NOW))
    assert [table.caption for table in one.tables] == ["What it saves: the primary metric"]
    odd = Reading("later", "half", 1.0, 2.0)
    [one] = page(Census((shown(guardrails=(odd,), judge=()),), NOW))
    assert one.tables[1].lines[0].row.metric == "later"


def test_of_very_many_the_first_are_shown() -> None:
    assert len(page(Census(CENSUS.experiments * 20, NOW))) == MOST_EXPERIMENTS


def test_a_change_of_state_is_told_in_words() -> None:
    back = Change(NOW, "rolled_back", "retries rose", ("harsh",))
    [one] = page(Census((replace(shown(), changes=(back,)),), NOW))
    assert [(line.state, line.reason) for line in one.changes] == [("rolled back", "retries rose")]

"""What becomes of decisions whose arm was rolled back, and when an arm is by the fast rule."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from policies.decide import Decision
from policies.match import PolicySet
from policies.outcomes import HOLDOUT
from policies.params import PolicyParams
from policies.rollback import LAST, RolledBack, Trial, fails_alone, withdrawn
from policies.schema import Experiment, Policy, Variant

CONTROL = Variant(name="control", weight=1, params=PolicyParams(rate=0.9))
HALF = Variant(name="half", weight=1, params=PolicyParams(rate=0.5))
POLICY = Policy(name="rag", experiment=Experiment(salt="x", variants=(CONTROL, HALF)))
POLICIES = PolicySet((POLICY,), "test")
ROLLED_BACK: RolledBack = {("rag", POLICY.version): frozenset({"half"})}


def dealt(variant: str | None, **fields: object) -> Decision:
    rate = 0.5 if variant == "half" else 0.9
    given = {"policy": "rag", "version": POLICY.version, "variant": variant, "assigned": "on", **fields}
    return Decision.model_validate({"params": PolicyParams(rate=rate), "why": ("dealt",), **given})


def test_an_arm_that_was_rolled_back_gets_what_control_gets_and_stays_the_units_arm() -> None:
    found = withdrawn(dealt("half"), POLICIES, ROLLED_BACK)
    assert found.params == POLICY.variant_params["control"]
    assert (found.variant, found.mode, found.is_rolled_back) == ("half", "on", True)
    assert found.why == ("dealt", "variant 'half' was rolled back: treated as 'control'")


def test_a_control_that_is_off_touches_nothing() -> None:
    off = POLICY.model_copy(
        update={
            "experiment": Experiment(salt="x", variants=(CONTROL.model_copy(update={"mode": "off"}), HALF))
        }
    )
    rolled_back = {("rag", off.version): frozenset({"half"})}
    found = withdrawn(dealt("half", version=off.version), PolicySet((off,), "test"), rolled_back)
    assert (found.mode, found.skip, found.is_observed) == ("off", "off", True)


@pytest.mark.parametrize("decision", [dealt("control"), dealt(None), dealt(HOLDOUT), Decision()])
def test_whoever_is_in_no_such_arm_goes_on(decision: Decision) -> None:
    assert withdrawn(decision, POLICIES, ROLLED_BACK) is decision


def test_another_version_goes_on() -> None:
    decision = dealt("half", version="older")
    assert withdrawn(decision, POLICIES, ROLLED_BACK) is decision


@pytest.mark.parametrize("policies", [PolicySet((), "test"), PolicySet((Policy(name="rag"),), "test")])
def test_where_the_policy_says_no_more_what_control_is_the_request_is_left_alone(policies: PolicySet) -> None:
    found = withdrawn(dealt("half"), policies, ROLLED_BACK)
    assert (found.mode, found.variant) == ("off", "half")
    assert found.why[-1] == "variant 'half' was rolled back: left alone"


def test_the_kill_switch_and_the_client_still_have_their_say() -> None:
    assert withdrawn(dealt("half", kill_mode="shadow"), POLICIES, ROLLED_BACK).mode == "shadow"
    assert withdrawn(dealt("half", has_opted_out=True), POLICIES, ROLLED_BACK).mode == "off"


def test_it_is_not_recorded_for_the_conversation() -> None:
    found = withdrawn(dealt("half"), POLICIES, ROLLED_BACK)
    assert b"is_rolled_back" not in found.to_bytes()


def trials(failed: int, n: int, start: float = 0.0) -> list[Trial]:
    """The failures last."""
    return [Trial(start + i, i >= n - failed, f"unit {i}") for i in range(n)]


@pytest.mark.parametrize(("n_units", "expected"), [(1, False), (2, False), (3, True)])
def test_one_client_that_fails_again_and_again_ends_nothing(n_units: int, expected: bool) -> None:
    treated = [Trial(i, has_failed=True, unit=f"unit {i % n_units}") for i in range(LAST)]
    assert fails_alone(treated, trials(0, LAST)) is expected


@pytest.mark.parametrize(
    ("treated", "control", "expected"),
    [
        (trials(20, 50), trials(0, 50), True),
        (trials(19, 50), trials(0, 50), False),
        (trials(20, 20), trials(0, 20), True),
        (trials(20, 100), trials(0, 50, start=50), True),
        (trials(50, 50), trials(0, 3), True),
        (trials(50, 50), trials(0, 2), False),
        (trials(50, 50), trials(50, 50), False),
        (trials(30, 50), trials(30, 50), False),
        (trials(20, 50), trials(10, 50), False),
        (trials(20, 50), [], False),
        # before the arm's requests began to fail everything went well everywhere: that says nothing of now
        (trials(50, 50, start=100), trials(0, 50), False),
    ],
)
def test_the_fast_rule(treated: list[Trial], control: list[Trial], expected: bool) -> None:
    assert fails_alone(treated, control) is expected


@given(st.integers(20, LAST), st.integers(0, LAST), st.data())
def test_it_is_fishers_exact_test(failed: int, n_control: int, data: st.DataObject) -> None:
    control_failed = data.draw(st.integers(0, n_control))
    table = [[failed, LAST - failed], [control_failed, n_control - control_failed]]
    p = stats.fisher_exact(table, alternative="greater").pvalue
    if abs(p - 1e-4) > 1e-12:
        assert fails_alone(trials(failed, LAST), trials(control_failed, n_control)) == (p < 1e-4)


def test_more_failures_never_make_it_less_sure() -> None:
    found = [fails_alone(trials(failed, 50), trials(3, 30)) for failed in range(51)]
    assert all(before <= after for before, after in pairwise(found))
    assert found[-1]

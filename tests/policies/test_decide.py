from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.decide import Decision, decide, obey, weaker
from policies.load import load_policies
from policies.match import RequestFacts
from policies.overrides import Overrides
from policies.params import PolicyParams
from policies.schema import Mode
from tests.policies.test_params import PARAMS

POLICIES = load_policies(
    """
policies:
  - {name: quiet, match: {model: quiet}, mode: off}
  - {name: watch, match: {model: watch}, mode: shadow, params: {rate: 0.5}}
  - {name: urgent, match: {model: urgent}, apply: now, cache_scope: shared, params: {rate: 0.4}}
  - name: ab
    match: {model: ab}
    params: {rate: 0.6, min_tokens: 9}
    experiment:
      salt: s
      variants:
        - {name: control, weight: 1, mode: off}
        - {name: strong, weight: 1, params: {rate: 0.3}}
  - {name: rest, match: {model: rest}, mode: off, experiment: {salt: s, variants: [{name: a, weight: 1}]}}
  - {name: plain, match: {path: "/v1/*"}, params: {threshold: 0.5, min_rate: 0.2}}
""",
    "test",
)
CONTROL_UNIT, STRONG_UNIT = "unit-1", "unit-4"
MODES: list[Mode] = ["on", "shadow", "off"]


def decided(
    model: str = "m",
    headers: dict[str, str] | None = None,
    *,
    unit: str | None = None,
    kill_mode: Mode = "on",
    path: str = "/v1/chat/completions",
) -> Decision:
    overrides = Overrides.from_headers(headers or {})
    return decide(POLICIES, RequestFacts(path, model), overrides, unit, kill_mode)


def test_a_plain_policy() -> None:
    decision = decided()
    assert (decision.policy, decision.version) == ("plain", POLICIES.policies[-1].version)
    assert (decision.mode, decision.skip, decision.variant) == ("on", None, None)
    assert decision.params == PolicyParams(threshold=0.5, min_rate=0.2)
    assert decision.is_observed
    assert not decision.is_overridden
    assert decision.why[-1] == "policy 'plain' matches: every condition holds"


def test_scope_and_apply_come_along() -> None:
    decision = decided("urgent")
    assert (decision.cache_scope, decision.apply) == ("shared", "now")


@pytest.mark.parametrize(
    ("model", "headers", "kill_mode", "mode", "skip"),
    [
        ("m", {}, "on", "on", None),
        ("m", {}, "shadow", "shadow", None),
        ("m", {}, "off", "off", "off"),
        ("watch", {}, "on", "shadow", None),
        ("quiet", {}, "on", "off", "off"),
        ("quiet", {}, "shadow", "off", "off"),
        ("m", {"x-pith-mode": "off"}, "on", "off", "opted_out"),
        ("m", {"x-pith-mode": "off"}, "off", "off", "opted_out"),
        ("m", {"x-pith-mode": "shadow"}, "on", "shadow", None),
        ("watch", {"x-pith-mode": "on"}, "on", "on", None),
        ("watch", {"x-pith-mode": "on"}, "shadow", "shadow", None),
        ("quiet", {"x-pith-mode": "on"}, "on", "on", None),
        ("quiet", {"x-pith-mode": "on"}, "off", "off", "off"),
        ("m", {"x-pith-policy": "quiet"}, "on", "off", "override"),
        ("m", {"x-pith-policy": "quiet"}, "off", "off", "off"),
        ("m", {"x-pith-policy": "watch"}, "on", "shadow", None),
        ("quiet", {"x-pith-policy": "plain"}, "on", "on", None),
    ],
)
def test_modes(model: str, headers: dict[str, str], kill_mode: Mode, mode: Mode, skip: str | None) -> None:
    decision = decided(model, headers, kill_mode=kill_mode)
    assert (decision.mode, decision.skip) == (mode, skip)
    assert decision.is_observed == (mode != "off")


def test_no_policy() -> None:
    decision = decided(path="/other", headers={"x-pith-rate": "x"})
    assert (decision.policy, decision.mode, decision.skip) == (None, "off", "no_policy")
    assert decision.why[-2:] == (
        "no policy matches, and there is no default",
        "x-pith-rate ignored: 'x' is not a number",
    )
    assert not decision.is_observed


def test_a_named_policy_wins_over_the_match() -> None:
    decision = decided(headers={"x-pith-policy": "watch"}, path="/other")
    assert decision.policy == "watch"
    assert decision.is_overridden
    assert decision.why == ("policy 'watch' is named by x-pith-policy",)


def test_an_unknown_policy_is_ignored() -> None:
    decision = decided(headers={"x-pith-policy": "pain"})
    assert decision.policy == "plain"
    assert not decision.is_overridden
    assert decision.why[0] == "x-pith-policy ignored: no policy is named 'pain'; did you mean 'plain'?"


def test_a_rate_replaces_the_policys_way_of_selecting() -> None:
    decision = decided(headers={"x-pith-rate": "0.25"})
    assert decision.params == PolicyParams(rate=0.25)
    assert decision.is_overridden
    assert decision.why[-1] == "rate 0.25 by x-pith-rate"


def test_opting_out_wins_over_a_rate() -> None:
    decision = decided(headers={"x-pith-rate": "0.25", "x-pith-mode": "off"})
    assert (decision.mode, decision.skip) == ("off", "opted_out")
    assert decision.why[-1] == "left alone: the client sent x-pith-mode: off"


def test_variants() -> None:
    control, strong = decided("ab", unit=CONTROL_UNIT), decided("ab", unit=STRONG_UNIT)
    assert (control.variant, control.mode, control.skip) == ("control", "off", "off")
    assert (strong.variant, strong.mode, strong.skip) == ("strong", "on", None)
    assert strong.params == PolicyParams(rate=0.3, min_tokens=9)
    assert strong.why[-1] == "unit falls at 0.6159 in [0, 1]: variant 'strong'"


def test_a_control_is_observed_like_every_other_arm() -> None:
    assert decided("ab", unit=CONTROL_UNIT).is_observed
    assert not decided("ab", unit=CONTROL_UNIT, kill_mode="off").is_observed
    assert not decided("ab", {"x-pith-mode": "off"}, unit=CONTROL_UNIT).is_observed


def test_a_header_names_the_unit() -> None:
    assert decided("ab", {"x-pith-unit": STRONG_UNIT}, unit=CONTROL_UNIT).variant == "strong"


def test_without_a_unit_nobody_takes_part() -> None:
    decision = decided("ab")
    assert (decision.variant, decision.mode) == (None, "on")
    assert decision.why[-1] == "outside the experiment: no unit to stick to a variant"


@pytest.mark.parametrize("headers", [{"x-pith-rate": "0.9"}, {"x-pith-mode": "on"}])
def test_who_chooses_is_outside_the_experiment(headers: dict[str, str]) -> None:
    decision = decided("ab", headers, unit=CONTROL_UNIT)
    assert (decision.variant, decision.mode) == (None, "on")
    assert decision.why[-1] == "outside the experiment: the request chose for itself"


def test_a_policy_that_is_off_deals_nobody() -> None:
    decision = decided("rest", unit="u")
    assert (decision.variant, decision.is_observed) == (None, False)
    assert decision.why[-1] == "no experiment: a policy that is off touches nothing"


def test_the_kill_switch_is_explained() -> None:
    assert decided(kill_mode="shadow").why[-1] == "mode 'on' becomes 'shadow': the kill switch allows no more"


FACTS = st.builds(
    RequestFacts,
    path=st.sampled_from(["/v1/chat/completions", "/other"]),
    model=st.sampled_from([None, "quiet", "watch", "urgent", "ab", "rest", "m"]),
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "x-pith-policy": st.sampled_from(["plain", "ab", "quiet", "nobody"]),
        "x-pith-mode": st.sampled_from(["on", "shadow", "off", "x"]),
        "x-pith-rate": st.sampled_from(["0.3", "1", "9", "x"]),
        "x-pith-unit": st.text(max_size=5),
    },
)
UNITS = st.none() | st.text(max_size=5)
DECISIONS = st.builds(
    lambda facts, headers, unit, kill: decide(POLICIES, facts, Overrides.from_headers(headers), unit, kill),
    FACTS,
    HEADERS,
    UNITS,
    st.sampled_from(MODES),
)


@given(FACTS, HEADERS, UNITS, st.sampled_from(MODES))
def test_decide_is_a_function_of_its_inputs(
    facts: RequestFacts, headers: dict[str, str], unit: str | None, kill_mode: Mode
) -> None:
    overrides = Overrides.from_headers(headers)
    first = decide(POLICIES, facts, overrides, unit, kill_mode)
    assert decide(POLICIES, facts, overrides, unit, kill_mode) == first
    assert weaker(first.mode, kill_mode) == first.mode
    assert (first.skip is None) == (first.mode != "off")
    if headers.get("x-pith-mode") == "off":
        assert first.mode == "off"


@given(DECISIONS)
def test_bytes_and_back(decision: Decision) -> None:
    assert Decision.from_bytes(decision.to_bytes()) == decision


@given(DECISIONS, PARAMS)
def test_params_survive_as_bytes(decision: Decision, params: PolicyParams) -> None:
    changed = decision.model_copy(update={"params": params})
    read = Decision.from_bytes(changed.to_bytes())
    assert read is not None
    assert read.params.to_compression(tokenizer="t", role="user") == params.to_compression(
        tokenizer="t", role="user"
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\x00",
        b"[]",
        b"{}",
        b'{"v":2}',
        b'{"v":1,"assigned":"maximal"}',
        b'{"v":1,"from_the_future":1}',
        b'{"v":1,"params":{"rate":7}}',
        b'{"v":1,' + b"[" * 100_000,
    ],
)
def test_bytes_that_are_no_decision(data: bytes) -> None:
    assert Decision.from_bytes(data) is None


@given(st.binary(max_size=60))
def test_no_bytes_raise(data: bytes) -> None:
    assert Decision.from_bytes(data) is None
    Decision.from_bytes(b'{"v":1,' + data)


def test_bytes_are_the_same_in_every_release() -> None:
    decision = Decision(policy="p", version="1", assigned="on", params=PolicyParams(rate=0.5))
    assert decision.to_bytes() == (
        b'{"v":1,"policy":"p","version":"1","assigned":"on","params":{"rate":0.5},"cache_scope":"tenant",'
        b'"apply":"pinned","is_named":false,"is_overridden":false,"why":[],"kill_mode":"on",'
        b'"has_opted_out":false}'
    )


def test_a_pin_holds_nothing_of_the_moment() -> None:
    pin = decided("ab", {"x-pith-mode": "off"}, unit=STRONG_UNIT, kill_mode="shadow").to_pin()
    assert (pin.mode, pin.variant) == ("on", "strong")
    assert len(pin.why) <= 4


def test_obey_what_was_pinned() -> None:
    pinned = decided("ab", unit=STRONG_UNIT).to_pin()
    held = obey(pinned, decided("m"))
    assert (held.policy, held.variant, held.mode, held.params) == ("ab", "strong", "on", pinned.params)
    assert held.why[-1] == "pinned for this conversation"


def test_obey_without_a_pin() -> None:
    fresh = decided()
    assert obey(None, fresh) is fresh


def test_apply_now_and_overrides_beat_the_pin() -> None:
    pinned = decided("watch").to_pin()
    for fresh in (decided("urgent"), decided(headers={"x-pith-rate": "0.9"})):
        assert obey(pinned, fresh) is fresh


def test_a_pin_outlives_its_policy() -> None:
    gone = decided(path="/other")
    assert obey(decided("urgent").to_pin(), gone).mode == "on"


def test_kill_switch_and_opting_out_reach_pinned_conversations() -> None:
    pinned = decided("m").to_pin()
    assert obey(pinned, decided(kill_mode="shadow")).mode == "shadow"
    assert obey(pinned, decided(kill_mode="off")).skip == "off"
    out = obey(pinned, decided(headers={"x-pith-mode": "off"}))
    assert (out.mode, out.skip) == ("off", "opted_out")


@given(DECISIONS, DECISIONS)
def test_obeying_never_exceeds_what_is_allowed_at_the_moment(pinned: Decision, fresh: Decision) -> None:
    held = obey(pinned.to_pin(), fresh)
    assert weaker(held.mode, fresh.kill_mode) == held.mode
    assert obey(pinned.to_pin(), fresh) == held


DEALING = load_policies(
    """
policies:
  - name: by-key
    match: {model: key}
    params: {min_tokens: 50}
    experiment:
      salt: s
      unit: key
      slo_ms: 800
      variants:
        - {name: control, weight: 1, mode: off, params: {min_tokens: 1}}
        - {name: mild, weight: 1}
        - {name: strong, weight: 1, params: {min_tokens: 20, roles: [tool, assistant]}}
        - {name: retired, weight: 0, params: {min_tokens: 2}}
  - name: by-user
    match: {model: user}
    experiment: {salt: s, unit: user, holdout: 0.5, variants: [{name: a, weight: 1}, {name: b, weight: 1}]}
  - name: ramped
    experiment: {salt: s, share: 0.5, variants: [{name: a, weight: 1}]}
""",
    "test",
)


def dealt(
    model: str,
    unit: str | None = None,
    headers: dict[str, str] | None = None,
    *,
    key_id: str | None = None,
    user: str | None = None,
) -> Decision:
    overrides = Overrides.from_headers(headers or {})
    facts = RequestFacts("/", model, key_id, user=user)
    return decide(DEALING, facts, overrides, unit, "on")


def test_a_key_is_a_unit_whatever_the_conversation_and_the_header_are() -> None:
    said = {dealt("key", unit, {"x-pith-unit": unit}, key_id="k").variant for unit in map(str, range(20))}
    assert len(said) == 1
    assert len({dealt("key", "c", key_id=str(n)).variant for n in range(20)}) == 3
    assert dealt("key", "c").why[-1] == "outside the experiment: no key to stick to a variant"


def test_a_user_is_a_unit() -> None:
    said = {dealt("user", unit, user="u").variant for unit in map(str, range(20))}
    assert len(said) == 1
    assert dealt("user", "c", {"x-pith-unit": "u"}).variant in said
    assert dealt("user", "c").why[-1] == "outside the experiment: no user to stick to a variant"


def test_who_is_held_out_is_observed_and_left_alone() -> None:
    decisions = [dealt("user", user=str(n)) for n in range(40)]
    held_out = next(one for one in decisions if one.variant == "holdout")
    assert (held_out.mode, held_out.skip, held_out.is_observed, held_out.is_enrolled) == (
        "off",
        "off",
        True,
        True,
    )
    assert {one.mode for one in decisions if one.variant != "holdout"} == {"on"}


def test_who_is_outside_the_share_gets_the_policy_itself() -> None:
    decisions = [dealt("m", str(n)) for n in range(40)]
    outside = next(one for one in decisions if one.variant is None)
    assert (outside.mode, outside.enrolment, outside.is_enrolled) == ("on", None, False)
    assert {one.variant for one in decisions} == {None, "a"}


def test_what_any_arm_would_act_on_is_the_same_in_every_arm() -> None:
    enrolments = {dealt("key", key_id=str(n)).enrolment for n in range(20)}
    [enrolment] = enrolments
    assert enrolment is not None
    assert (enrolment.unit, enrolment.slo_ms) == ("key", 800)
    assert dict(enrolment.reach) == {"user": 50, "tool": 20, "assistant": 20}


def test_an_enrolment_is_pinned_and_what_is_of_the_moment_suspends_it() -> None:
    fresh = dealt("key", key_id="1")
    pinned = Decision.from_bytes(fresh.to_pin().to_bytes())
    assert pinned is not None
    assert pinned.enrolment == fresh.enrolment
    for mode, headers, is_enrolled in (
        ("on", {}, True),
        ("shadow", {}, False),
        ("on", {"x-pith-mode": "off"}, False),
    ):
        overrides = Overrides.from_headers(headers)
        facts = RequestFacts("/", "key", "1")
        now = obey(pinned, decide(DEALING, facts, overrides, None, mode))  # type: ignore[arg-type]  # modes all
        assert now.is_enrolled == is_enrolled
        assert now.variant == fresh.variant

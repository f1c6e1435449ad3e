from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import Place, Problem
from policies.lint import Finding, covers, lint
from policies.match import PolicySet, RequestFacts, match
from policies.schema import Match, Policy

DEFAULT = "  - name: default\n"


def found(*lines: str) -> list[tuple[str, int | None, str]]:
    findings = lint("\n".join(["policies:", *lines, ""]), "p.yaml")
    return [(finding.code, finding.problem.place.line, finding.problem.path) for finding in findings]


def test_nothing_to_say() -> None:
    assert found("  - name: default") == []


def test_errors_come_alone_and_with_their_lines() -> None:
    findings = lint("policies:\n  - name: a\n    mod: on\n  - name: a b\n", "p.yaml")
    assert [(finding.severity, finding.problem.place.line) for finding in findings] == [
        ("error", 3),
        ("error", 4),
    ]
    assert str(findings[0]) == (
        "p.yaml:3: policies[0].mod: unknown key; did you mean 'mode'? [error: invalid]"
    )


def test_broken_yaml_is_a_finding() -> None:
    problem = Problem(
        Place("p.yaml", 1), "YAML anchors and aliases are not supported; write the value out", "a"
    )
    assert lint("a: &x 1", "p.yaml") == [Finding("error", "invalid", problem)]


@pytest.mark.parametrize(
    ("lines", "finding"),
    [
        ([], ("no_default", 1, "policies")),
        (["  - name: a", "    match: {path: x}"], ("no_default", 2, "policies[0]")),
        (["  - name: a", "  - name: b"], ("unreachable", 3, "policies[1]")),
        (
            ["  - name: a", "    params:", "      roles: [system]"],
            ("risky_role", 4, "policies[0].params.roles"),
        ),
        (
            ["  - name: a", "    params: {roles: [user, assistant]}"],
            ("risky_role", 3, "policies[0].params.roles"),
        ),
        (
            ["  - name: a", "    params: {force_reserve_digit: false}"],
            ("digits_unforced", 3, "policies[0].params.force_reserve_digit"),
        ),
        (["  - name: a", "    params: {rate: 0.29}"], ("low_rate", 3, "policies[0].params.rate")),
        (
            ["  - name: a", "    params: {rate: [{to_tokens: 5, rate: 0.5}, {rate: 0.1}]}"],
            ("low_rate", 3, "policies[0].params.rate"),
        ),
        (["  - name: a", "    params: {marks: [user]}"], ("marks_enabled", 3, "policies[0].params.marks")),
        (
            ["  - name: a", "    params: {fidelity: compat}"],
            ("compat_fidelity", 3, "policies[0].params.fidelity"),
        ),
        (
            ["  - name: a", "    params: {rate: 0.5, max_rate: 0.9}"],
            ("unused_bound", 3, "policies[0].params.max_rate"),
        ),
    ],
)
def test_warnings(lines: list[str], finding: tuple[str, int, str]) -> None:
    if not lines:
        assert [f.code for f in lint("policies: []\n", "p")] == ["no_default"]
    else:
        assert found(*lines) == [finding]


def test_where_one_policy_takes_all_requests_none_is_left_over() -> None:
    text = "policies:\n  - name: a\n  - name: b\n    match: {path: x}\n"
    assert [f.code for f in lint(text, "p")] == ["unreachable"]


VARIANTS = "policies[0].experiment.variants"


COMPARED = ("{name: c, weight: 9, mode: off}", "{name: t, weight: 1}")
EXPERIMENT = "policies[0].experiment"


@pytest.mark.parametrize(
    ("said", "findings"),
    [
        ("share: 0", [("idle_experiment", 10, f"{EXPERIMENT}.share")]),
        ("control: t", []),
        ("plan: {min_days: 6}", [("short_plan", 10, f"{EXPERIMENT}.plan.min_days")]),
        ("plan: {min_days: 7}", []),
        ("guardrails: {errors: 0.1}", []),
        ("guardrails: {judge: 0.1}", [("unjudged", 10, f"{EXPERIMENT}.guardrails.judge")]),
        ("mirror: {}", []),
        ("{guardrails: {judge: 0.1}, mirror: {judge: {upstream: u, model: m}}}", []),
    ],
)
def test_designs(said: str, findings: list[tuple[str, int, str]]) -> None:
    lines = said[1:-1].split(", mirror") if said.startswith("{") else [said]
    if len(lines) == 2:
        lines[1] = f"mirror{lines[1]}"
    assert found(*experiment(*COMPARED), *(f"      {line}" for line in lines)) == findings


def test_a_control_without_weight_compares_nothing() -> None:
    lines = experiment("{name: c, weight: 0}", "{name: t, weight: 1, mode: off}", "{name: u, weight: 1}")
    codes = [code for code, _, _ in found(*lines, "      control: c")]
    assert codes == ["no_control", "weights"]


def experiment(*variants: str, mode: str = "on", params: str = "{}") -> list[str]:
    head = ["  - name: a", f"    mode: {mode}", f"    params: {params}", "    experiment:", "      salt: s"]
    return [*head, "      variants:", *(f"        - {variant}" for variant in variants)]


@pytest.mark.parametrize(
    ("lines", "findings"),
    [
        (experiment("{name: c, weight: 9, mode: off}", "{name: t, weight: 1}"), []),
        (
            experiment("{name: c, weight: 9}", "{name: t, weight: 1}"),
            [("no_control", 7, VARIANTS)],
        ),
        (
            experiment("{name: c, weight: 1, mode: off}", "{name: t, weight: 1}", mode="off"),
            [("idle_experiment", 5, "policies[0].experiment")],
        ),
        (
            experiment("{name: c, weight: 1, mode: off}"),
            [("weights", 7, VARIANTS)],
        ),
        (
            experiment("{name: c, weight: 1, mode: off}", "{name: t, weight: 1}", "{name: u, weight: 0}"),
            [("weights", 10, f"{VARIANTS}[2].weight")],
        ),
        (
            experiment("{name: c, weight: 5000, mode: off}", "{name: t, weight: 1}"),
            [("weights", 7, VARIANTS)],
        ),
        (
            experiment("{name: c, weight: 1, mode: off}", "{name: t, weight: 1, params: {rate: 0.1}}"),
            [("low_rate", 9, f"{VARIANTS}[1].params.rate")],
        ),
        (
            experiment(
                "{name: c, weight: 1, mode: off}",
                "{name: t, weight: 1, params: {min_rate: 0.1}}",
                params="{threshold: 0.5}",
            ),
            [],
        ),
        (
            experiment("{name: c, weight: 1, mode: off}", "{name: t, weight: 1, params: {min_rate: 0.1}}"),
            [("unused_bound", 9, f"{VARIANTS}[1].params.min_rate")],
        ),
    ],
)
def test_experiments(lines: list[str], findings: list[tuple[str, int, str]]) -> None:
    assert found(*lines) == findings


@pytest.mark.parametrize(
    ("wide", "narrow", "is_covered"),
    [
        ({}, {}, True),
        ({}, {"path": "x"}, True),
        ({"path": "x"}, {}, False),
        ({"path": "/v1/*"}, {"path": "/v1/chat"}, True),
        ({"path": "/v1/*"}, {"path": "/v1/*/x"}, True),
        ({"path": "/v1/chat"}, {"path": "/v1/*"}, False),
        ({"model": "*"}, {}, False),
        ({"model": "*"}, {"model": "a[bc]"}, True),
        ({"model": "a[bc]"}, {"model": "a[bc]"}, True),
        ({"model": "a?"}, {"model": "ab"}, False),  # true, but left in doubt
        ({"model": "*a*"}, {"model": "[ab]x"}, False),
        ({"header": {"x": "a*"}}, {"header": {"X": "ab"}}, True),
        ({"header": {"x": "a*"}}, {"header": {"y": "ab"}}, False),
        ({"team": "a"}, {"team": "a", "key": "k"}, True),
        ({"team": "a", "key": "k"}, {"team": "a"}, False),
    ],
)
def test_covers(wide: dict[str, object], narrow: dict[str, object], is_covered: bool) -> None:
    assert covers(Match.model_validate(wide), Match.model_validate(narrow)) == is_covered


GLOBS = st.none() | st.text(alphabet="ab*?[]", min_size=1, max_size=4)
CONDITIONS = st.builds(Match, path=GLOBS, model=GLOBS)
TEXTS = st.text(alphabet="ab", max_size=4)


@given(CONDITIONS, CONDITIONS, TEXTS, st.none() | TEXTS)
def test_what_is_called_unreachable_never_applies(
    wide: Match, narrow: Match, path: str, model: str | None
) -> None:
    facts = RequestFacts(path, model)
    takes_wide = match(PolicySet((Policy(name="w", match=wide),), "t"), facts)[0]
    takes_narrow = match(PolicySet((Policy(name="n", match=narrow),), "t"), facts)[0]
    if covers(wide, narrow) and takes_narrow:
        assert takes_wide

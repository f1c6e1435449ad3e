"""What is wrong with a policy file, and what is probably not meant. Pure: text in, findings out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias

from policies.errors import PolicyError, Problem
from policies.load import policies_of
from policies.outcomes import JUDGE
from policies.params import PolicyParams
from policies.parse import Document, KeyPath, dotted, parse
from policies.schema import Match, Policy

Warned: TypeAlias = tuple[str, KeyPath, str]
"""Code, path inside the policy, message."""

LOW_RATE = 0.3
_RISKY_ROLES = frozenset({"system", "developer", "assistant"})
_WEEK = 7
_UNLIKE = 1000  # one variant this many times the weight of another is more often a slip than a plan


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a report. An error stops the file from being loaded, a warning does not."""

    severity: Literal["error", "warning"]
    code: str
    problem: Problem

    def __str__(self) -> str:
        return f"{self.problem} [{self.severity}: {self.code}]"


def lint(text: str, source: str) -> list[Finding]:
    """Everything to say about a policy file: its errors, else its warnings in the order of the lines."""
    try:
        document = parse(text, source)
        policies = policies_of(document).policies
    except PolicyError as error:
        return [Finding("error", "invalid", problem) for problem in error.problems]
    warned = [*_unreachable(policies), *_no_default(policies)]
    for index, policy in enumerate(policies):
        warned += [
            (code, ("policies", index, *path), text) for rule in _RULES for code, path, text in rule(policy)
        ]
    findings = [_finding(document, *warning) for warning in warned]
    return sorted(findings, key=lambda finding: finding.problem.place.line or 0)


def covers(wide: Match, narrow: Match) -> bool:
    """Whether every request that `narrow` takes is surely taken by `wide`; False when in doubt."""
    pairs = [(getattr(wide, name), getattr(narrow, name)) for name in ("path", "model", "key", "team")]
    pairs += [(glob, narrow.header.get(name)) for name, glob in wide.header.items()]
    return all(_glob_covers(one, other) for one, other in pairs)


def _glob_covers(wide: str | None, narrow: str | None) -> bool:
    if wide is None or wide == narrow:
        return True
    if narrow is None:
        return False  # a condition refuses requests that lack the fact at all
    if wide == "*":
        return True
    # Read as text, the narrow glob matches the wide one only if each of its wildcards falls under a `*`. That
    # does not hold for `?` and classes, which are left in doubt.
    return not any(sign in wide + narrow for sign in "?[") and fnmatchcase(narrow, wide)


def _unreachable(policies: tuple[Policy, ...]) -> Iterator[Warned]:
    for index, policy in enumerate(policies):
        for earlier in policies[:index]:
            if covers(earlier.match, policy.match):
                message = (
                    f"never applies: policy {earlier.name!r} before it takes all its requests; put it first"
                )
                yield "unreachable", ("policies", index), message
                break


def _no_default(policies: tuple[Policy, ...]) -> Iterator[Warned]:
    if not any(policy.match.is_empty for policy in policies):
        yield (
            "no_default",
            ("policies", len(policies) - 1) if policies else ("policies",),
            "requests that match no policy pass uncompressed (no_policy); end with a policy without match",
        )


def _params(policy: Policy) -> Iterator[tuple[KeyPath, PolicyParams]]:
    yield ("params",), policy.params
    for index, variant in enumerate(policy.experiment.variants if policy.experiment else ()):
        yield ("experiment", "variants", index, "params"), variant.params


def _risky_role(policy: Policy) -> Iterator[Warned]:
    for path, params in _params(policy):
        if risky := _RISKY_ROLES.intersection(params.roles or ()):
            names = ", ".join(sorted(risky))
            yield (
                "risky_role",
                (*path, "roles"),
                f"{names}: instructions lose words too; leave out unless measured",
            )


def _digits_unforced(policy: Policy) -> Iterator[Warned]:
    for path, params in _params(policy):
        if params.force_reserve_digit is False:
            yield "digits_unforced", (*path, "force_reserve_digit"), "numbers may be dropped; set it to true"


def _low_rate(policy: Policy) -> Iterator[Warned]:
    for path, params in _params(policy):
        rates = [row.rate for row in params.rate] if isinstance(params.rate, tuple) else [params.rate or 1.0]
        if (lowest := min(rates)) < LOW_RATE:
            yield (
                "low_rate",
                (*path, "rate"),
                f"rate {lowest}: under {LOW_RATE} answers suffer; measure in shadow",
            )


def _marks_enabled(policy: Policy) -> Iterator[Warned]:
    for path, params in _params(policy):
        if params.marks:
            message = "whoever writes these texts decides what is kept; enable only for texts of your own"
            yield "marks_enabled", (*path, "marks"), message


def _compat_named(policy: Policy) -> Iterator[Warned]:
    for path, params in _params(policy):
        if params.fidelity == "compat":
            message = "protects nothing and may garble what it keeps, as llmlingua does; use native"
            yield "compat_fidelity", (*path, "fidelity"), message


def _unused_bounds(policy: Policy) -> Iterator[Warned]:
    for path, params in _params(policy):
        base = policy.params.way if path != ("params",) else None
        for name in ("min_rate", "max_rate"):
            if getattr(params, name) is not None and (params.way or base) != "threshold":
                yield (
                    "unused_bound",
                    (*path, name),
                    f"{name} only bounds threshold, which is not given; remove it",
                )


def _experiment(policy: Policy) -> Iterator[Warned]:
    if policy.experiment is None:
        return
    variants, path = policy.experiment.variants, ("experiment", "variants")
    if policy.mode == "off":
        yield "idle_experiment", ("experiment",), "the policy is off, so nobody takes part; set its mode"
    if not any((variant.mode or policy.mode) == "off" and variant.weight > 0 for variant in variants):
        yield "no_control", path, 'no variant is left as it is; add {name: control, weight: …, mode: "off"}'
    for index, variant in enumerate(variants):
        if variant.weight == 0:
            yield "weights", (*path, index, "weight"), "weight 0: no unit ever gets this variant"
    live = [variant.weight for variant in variants if variant.weight > 0]
    if len(live) < 2:
        yield "weights", path, "fewer than two variants have a weight, so nothing is compared"
    if max(live) > _UNLIKE * min(live):
        yield (
            "weights",
            path,
            f"one weight is over {_UNLIKE} times another; weights are shares, e.g. 90 and 10",
        )


def _design(policy: Policy) -> Iterator[Warned]:
    experiment = policy.experiment
    if experiment is None:
        return
    if experiment.share == 0:
        yield "idle_experiment", ("experiment", "share"), "share 0: nobody takes part; raise it"
    weights = {variant.name: variant.weight for variant in experiment.variants}
    if weights[experiment.control_name] == 0:
        message = f"the control {experiment.control_name!r} has no weight, so nothing is compared with it"
        yield "no_control", ("experiment", "variants"), message
    if experiment.plan.min_days < _WEEK:
        message = f"under {_WEEK} days some days of the week are missing; an effect may be that of a day"
        yield "short_plan", ("experiment", "plan", "min_days"), message
    has_judge = experiment.mirror is not None and experiment.mirror.judge is not None
    if JUDGE in experiment.guardrails and "guardrails" in experiment.model_fields_set and not has_judge:
        message = "nobody judges answers: name a model in mirror.judge"
        yield "unjudged", ("experiment", "guardrails", JUDGE), message


_RULES: tuple[Callable[[Policy], Iterator[Warned]], ...] = (
    _risky_role,
    _digits_unforced,
    _low_rate,
    _marks_enabled,
    _compat_named,
    _unused_bounds,
    _experiment,
    _design,
)


def _finding(document: Document, code: str, path: KeyPath, message: str) -> Finding:
    return Finding("warning", code, Problem(document.place(path), message, dotted(path)))

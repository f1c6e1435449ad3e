"""Readings of an experiment in plain words (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from policies.outcomes import JUDGE, METRICS
from policies.reported import ArmReport, JudgeReading, Reading


def change(one: Reading) -> str:
    """How an arm's metric lies to control's."""
    name = f"{one.metric} of {one.arm!r}"
    if one.note:
        return f"{name} cannot be told yet: {one.note}"
    if one.relative is not None:
        low, high = (f"{end:+.1%}" for end in (one.relative.low, one.relative.high))
        return f"{name} is {one.relative.change:+.1%} against control ({low} to {high})"
    return f"{name} differs from control's by {one.difference:+.3g} ({one.low:+.3g} to {one.high:+.3g})"


def harms(rails: Iterable[Reading], judge: Iterable[JudgeReading]) -> list[tuple[str, str, str]]:
    """Arm, metric and sentence of each guardrail that is breached."""
    found = []
    for one in rails:
        if one.is_breached:
            least = min(abs(one.low or 0.0), abs(one.high or 0.0))
            values = (
                f"{one.value or 0.0:.2%} with {one.arm!r} and {one.control_value or 0.0:.2%} with control"
            )
            found.append(
                (one.arm, one.metric, f"{one.metric}: {values}, worse by {_points(least)} at least.")
            )
    for each in judge:
        if each.is_breached:
            counts = f"{each.n_control:,} times to {each.n_arm:,}"
            sentence = f"The judge prefers control's answers to those of {each.arm!r}, {counts}."
            found.append((each.arm, JUDGE, sentence))
    return found


def open_rails(rails: Iterable[Reading], judge: Iterable[JudgeReading]) -> list[str]:
    """A clause for each guardrail that is not proven."""
    found = []
    for one in rails:
        if one.note:
            found.append(f"{one.metric} cannot be told yet ({one.note})")
        elif not one.is_proven:
            sign = 1 if METRICS[one.metric].better == "lower" else -1
            most = max(sign * (one.low or 0.0), sign * (one.high or 0.0))
            margin = _points(one.margin or 0.0)
            found.append(f"{one.metric} may still be worse by {_points(most)} (margin {margin})")
    for each in judge:
        if each.margin is None:
            continue
        if each.high is None:
            found.append(f"the judge has compared too little ({each.note})")
        elif not each.is_proven:
            worst = f"{_points(each.high)} (margin {_points(each.margin)})"
            found.append(f"the judge may still prefer control's answers by {worst}")
    return found


def dealt_otherwise(arms: Sequence[ArmReport], p: float) -> str:
    """That units did not fall as the weights say."""
    dealt = [arm for arm in arms if not arm.is_holdout]
    total = sum(arm.n_units for arm in dealt)
    fell = ", ".join(
        f"{arm.name} {arm.n_units:,}, expected {total * arm.expected_share:,.0f}" for arm in dealt
    )
    return f"Units did not fall to the arms as dealt ({fell}; p = {p:.1g}): no figure is to be trusted."


def _points(share: float) -> str:
    return f"{100 * share:.2f} points"

"""Experiments in every state, for the tests of what shows them; figures as they come out of a verdict."""

from __future__ import annotations

import math
from dataclasses import replace

from gateway.experiments.known import Census, Change, Known
from gateway.refusal import Refusal
from policies.verdict import ArmReport, JudgeReading, Reading, Relative, SampleRatio, Verdict

HTML = '<img src=x onerror="document.title=`executed`"><script>document.title="executed"</script>'
LONG = "m" * 1_000_000
NOW = 1_763_650_000.0

ARMS = (
    ArmReport("control", 4_010, 12_100, 0.334, 1 / 3, 0.0, is_control=True),
    ArmReport("half", 3_990, 12_050, 0.333, 1 / 3, 0.961),
    ArmReport("harsh", 4_000, 16_300, 0.333, 1 / 3, 0.958),
)


def cost(arm: str, change: float, low: float, high: float) -> Reading:
    return Reading(
        "billed_cost",
        arm,
        0.000213 * (1 + change),
        0.000213,
        difference=0.000213 * change,
        low=0.000213 * low,
        high=0.000213 * high,
        relative=Relative(change, low, high),
        is_proven=high < 0,
    )


def guardrail(metric: str, arm: str, difference: float, half: float, margin: float) -> Reading:
    return Reading(
        metric,
        arm,
        0.004 + difference,
        0.004,
        difference=difference,
        low=difference - half,
        high=difference + half,
        margin=margin,
        is_breached=difference - half > 0,
        is_proven=difference + half < margin,
    )


RUNNING = Verdict(
    experiment="rag",
    version="0a1b2c3d4e5f",
    state="keep_running",
    reason="half bills 29.6 % less, but 4.2 of the planned 7 days are still to go",
    control="control",
    arms=ARMS,
    primary=(cost("half", -0.296, -0.35, -0.241), cost("harsh", 0.02, -0.31, 0.38)),
    guardrails=(
        guardrail("errors", "half", 0.0004, 0.0011, 0.005),
        guardrail("errors", "harsh", 0.0009, 0.0012, 0.005),
        guardrail("retries", "half", 0.0031, 0.009, 0.01),
        guardrail("retries", "harsh", 0.09, 0.02, 0.01),
        Reading("slow", "half", None, None, margin=0.01, note="no first byte was timed"),
    ),
    secondary=(
        Reading(
            "turns",
            "half",
            3.02,
            3.01,
            difference=0.01,
            low=-0.2,
            high=0.22,
            relative=Relative(0.003, -0.06, 0.07),
        ),
        Reading("feedback", "harsh", 0.41, 0.88, difference=-0.47, low=-math.inf, high=math.inf, note="few"),
    ),
    sample_ratio=SampleRatio(0.97, 0.02, is_alarm=False),
    judge=(JudgeReading("half", 120, 31, 28, 61, 0.025, -0.11, 0.16, 0.4, False, False, 0.05),),
    units_needed=18_000,
    days_to_go=4.2,
    n_units=12_000,
    since=NOW - 3 * 86_400,
)

SHIP = replace(
    RUNNING,
    experiment="agents",
    state="ship",
    reason="half bills 29.6 % less (35.0 to 24.1 %), and every guardrail is within its margin",
    arms=ARMS[:2],
    primary=RUNNING.primary[:1],
    guardrails=RUNNING.guardrails[:1],
    days_to_go=0.0,
    n_units=18_400,
    winner="half",
)

ROLLED_BACK = replace(
    RUNNING,
    experiment="support",
    state="roll_back",
    reason="harsh: retries by clients are 9.00 pp more (at least 7.00), beyond doubt at 1 %",
    units_needed=None,
    days_to_go=None,
    harmed=("harsh",),
)

ALARM = replace(
    RUNNING,
    experiment="mail",
    reason="the units did not fall to the arms as the weights say",
    sample_ratio=SampleRatio(1e-9, 4_000.0, is_alarm=True),
)

ODD = replace(
    RUNNING,
    experiment=HTML,
    reason=HTML + LONG,
    arms=(replace(ARMS[0], name=HTML), replace(ARMS[1], name=LONG)),
    primary=(cost(HTML, math.nan, math.nan, math.nan), cost(LONG, -0.2, -math.inf, math.inf)),
    winner=HTML,
    days_to_go=math.inf,
)

CENSUS = Census(
    (
        Known("rag", RUNNING.version, "running", (), RUNNING, 12_000, NOW),
        Known("agents", "1a1b2c3d4e5f", "running", (), SHIP, 18_400, NOW),
        Known(
            "support",
            "2a1b2c3d4e5f",
            "rolled_back",
            ("harsh",),
            ROLLED_BACK,
            12_000,
            NOW,
            (Change(NOW - 60, "rolled_back", ROLLED_BACK.reason, ("harsh",)), Change(NOW - 9e5, "running")),
        ),
        Known("mail", "3a1b2c3d4e5f", "running", (), ALARM, 12_000, NOW),
        Known("new", "4a1b2c3d4e5f", "running"),
        Known("rag", "5a1b2c3d4e5f", "ended", (), None, 900, NOW - 1e6),
    ),
    NOW,
)
ODDITIES = Census(
    (
        Known(HTML, HTML, "rolled_back", (HTML, LONG), ODD, 2, NOW, (Change(math.inf, HTML, LONG),)),
        Known(LONG, LONG, "ended", (), None, 2, math.nan),
    ),
    NOW,
)
NOTHING = Census((), NOW)


class FakeDesk:
    """A `Desk` that says what it was told to."""

    def __init__(self, census: Census) -> None:
        self.said = census
        self.was_reset: list[str] = []

    async def census(self) -> Census:
        return self.said

    def latest(self) -> Census | None:
        return self.said

    async def reset(self, name: str) -> None:
        known = self.said.named(name)
        if known is None or known.standing != "rolled_back":
            raise Refusal(409, code="nothing_to_reset", message=f"experiment {name} is not rolled back")
        self.was_reset.append(name)
        others = tuple(
            replace(one, standing="running") if one is known else one for one in self.said.experiments
        )
        self.said = replace(self.said, experiments=others)

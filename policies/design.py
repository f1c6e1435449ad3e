"""How an experiment is designed, beside its arms: how long, by what it is judged, what ends it (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from policies.outcomes import GUARDRAILS, METRICS
from policies.params import Count, Frozen, Number
from policies.validate import suggestion

MAX_PROMPT = 20_000
"""Characters of a judge's prompt."""

JUDGE_SLOTS = ("{conversation}", "{answer_1}", "{answer_2}")

DEFAULT_MARGINS = {"errors": 0.005, "truncated": 0.01, "retries": 0.01, "slow": 0.01, "judge": 0.05}


def _within(low: float, high: float, *, with_low: bool = False, with_high: bool = False) -> Any:
    def check(value: float) -> float:
        if low < value < high or (with_low and value == low) or (with_high and value == high):
            return value
        borders = f"{'from' if with_low else 'above'} {low:g} {'up to' if with_high else 'to below'} {high:g}"
        raise ValueError(f"value {value!r}: must be {borders}")

    return AfterValidator(check)


Share = Annotated[Number, _within(0, 1, with_low=True, with_high=True)]


def check_metric(name: str, known: Iterable[str]) -> str:
    """Raises ValueError for a metric there is not."""
    names = tuple(known)
    if name not in names:
        raise ValueError(f"value {name!r}: there is no such metric{suggestion(name, names)}")
    return name


class Plan(Frozen):
    """What is to be found, and how surely; fixed beforehand, for the intervals depend on it."""

    effect: Annotated[Number, _within(0, 1)] = 0.05
    """Relative change of the primary metric that is to be detected."""
    alpha: Annotated[Number, _within(0, 0.5)] = 0.05
    """How often arms that do not differ may be told apart."""
    power: Annotated[Number, _within(0.5, 1)] = 0.8
    """How often the effect is found where there is one."""
    min_days: Annotated[Number, _within(0, 365, with_low=True, with_high=True)] = 7.0
    """Nothing is shipped before."""
    min_units: Annotated[Count, _within(1, 10**9, with_low=True)] = 100
    """Of each arm, before anything is said."""
    units: Annotated[Count, _within(2, 10**12, with_low=True)] | None = None
    """Of all arms together; None: worked out from the effect and what has been seen."""


class Judge(Frozen):
    """A model that compares two answers."""

    upstream: str
    """One of the configuration's."""
    model: str
    prompt: Annotated[str, Field(max_length=MAX_PROMPT)] | None = None
    """Its text, with the slots of JUDGE_SLOTS; None: the one that Pith brings."""

    @field_validator("upstream", "model", "prompt")
    @classmethod
    def _not_empty(cls, value: str | None) -> str | None:
        if value is not None and not value.strip():
            raise ValueError(f"value {value!r}: must not be empty")
        return value

    @field_validator("prompt")
    @classmethod
    def _has_slots(cls, prompt: str | None) -> str | None:
        missing = [slot for slot in JUDGE_SLOTS if prompt is not None and slot not in prompt]
        if missing:
            raise ValueError(f"lacks {' and '.join(missing)}, where what is to be judged is put")
        return prompt


class Mirror(Frozen):
    """That some requests are also sent as the other arm would send them."""

    share: Share = 0.01
    """Of the experiment's requests."""
    max_usd_per_day: Annotated[Number, _within(0, 1e6, with_low=True)] = 5.0
    per_minute: Annotated[Count, _within(0, 100_000, with_low=True)] = 30
    callers_keys: bool = False
    """Whether requests that carry their callers' own keys are sent once more with them, at their expense."""
    keep_reasons: bool = False
    """Whether the judge's reasons, which may quote answers, are stored."""
    judge: Judge | None = None
    """None: nothing is compared; what the other arm's requests cost is still known."""


class Design(Frozen):
    """The part of an experiment that says how it is read."""

    plan: Plan = Plan()
    primary: str = "billed_cost"
    guardrails: dict[str, Annotated[Number, _within(0, 1, with_low=True)]] = Field(
        default_factory=lambda: dict(DEFAULT_MARGINS)
    )
    """Metric → how much worse than the control's it may be, absolutely."""
    slo_ms: Annotated[Number, _within(0, 3.6e6)] = 2000.0
    """A first byte later than this is `slow`."""
    mirror: Mirror | None = None

    @field_validator("primary")
    @classmethod
    def _is_metric(cls, name: str) -> str:
        return check_metric(name, METRICS)

    @field_validator("guardrails", mode="before")
    @classmethod
    def _are_guardrails(cls, margins: object, info: ValidationInfo) -> object:
        for name in margins if isinstance(margins, dict) else ():
            check_metric(str(name), GUARDRAILS)
        return margins

    @model_validator(mode="after")
    def _primary_is_no_guardrail(self) -> Design:
        if "guardrails" in self.model_fields_set and self.primary in self.guardrails:
            raise ValueError(f"{self.primary!r} is the primary metric and a guardrail; make it one of them")
        return self

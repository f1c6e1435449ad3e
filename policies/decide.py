"""The decision on a request: which policy and variant, which mode, which params, and why. Pure.

A decision is pinned under its conversation in the shared cache and obeyed by every replica, also after the
policy file changed. So it is self-contained, goes to bytes and back without loss, and keeps what was assigned
apart from what is allowed at the moment: the kill switch and a client's opt-out act on a pinned conversation
too, and end when they are lifted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeAlias

from pydantic import ValidationError

from policies.experiment import deal
from policies.match import PolicySet, RequestFacts, match
from policies.overrides import MODE_HEADER, POLICY_HEADER, RATE_HEADER, Overrides
from policies.params import Frozen, PolicyParams, Role, merge
from policies.schema import Mode, Policy, ResponseCache, UnitKind
from policies.validate import shown, suggestion

DecisionSkip: TypeAlias = Literal["off", "no_policy", "override", "opted_out"]
"""Why a decision alone leaves a request uncompressed."""

_STRENGTH: dict[Mode, int] = {"off": 0, "shadow": 1, "on": 2}
_HEAD = b'{"v":1,'  # raise the number when fields change their meaning: older bytes become misses
_PINNED_WHY = 4
_NEVER_PINNED = {"is_rolled_back"}
_TREATMENT = {"policy", "version", "variant", "assigned", "params"}


class Enrolment(Frozen):
    """What an experiment says of the requests that take part: pinned, so that it is the same in every arm."""

    unit: UnitKind
    slo_ms: float
    reach: tuple[tuple[Role, int], ...]
    """Role → tokens from which on any arm would act on a text of that role."""


class Decision(Frozen):
    """What is to be done with a request: the first block is pinned, the second is of the moment."""

    policy: str | None = None
    version: str | None = None
    variant: str | None = None
    assigned: Mode = "off"
    """Mode by policy, variant and request headers."""
    enrolment: Enrolment | None = None
    """None: no experiment, or the request is outside of it."""
    params: PolicyParams = PolicyParams()
    cache_scope: Literal["tenant", "shared"] = "tenant"
    apply: Literal["pinned", "now"] = "pinned"
    benefit: Literal["on", "off"] | None = None
    response_cache: ResponseCache | None = None
    is_named: bool = False
    """The request named its policy."""
    is_overridden: bool = False
    """The request's headers changed policy, mode or rate."""
    why: tuple[str, ...] = ()

    kill_mode: Mode = "on"
    """The operator's kill switch: no stronger mode than this."""
    has_opted_out: bool = False
    """The client wants this request left alone."""
    is_rolled_back: bool = False
    """Its variant was: `assigned` and `params` are what holds instead, and are not pinned."""

    def scope(self, tenant: str) -> str:
        """Whose recorded scores and pins may be used."""
        return "shared" if self.cache_scope == "shared" else tenant

    @property
    def mode(self) -> Mode:
        """The mode in force."""
        return "off" if self.has_opted_out else weaker(self.assigned, self.kill_mode)

    @property
    def skip(self) -> DecisionSkip | None:
        """Why the mode is `off`; None when it is not."""
        if self.mode != "off":
            return None
        if self.policy is None:
            return "no_policy"
        if self.has_opted_out:
            return "opted_out"
        return "override" if self.is_named and self.kill_mode != "off" else "off"

    @property
    def is_observed(self) -> bool:
        """Whether the upstream's usage is asked for: alike in every arm, a control that is `off` included."""
        return self.mode != "off" or (
            self.variant is not None and self.kill_mode != "off" and not self.has_opted_out
        )

    @property
    def is_enrolled(self) -> bool:
        """Whether the outcome counts for the experiment: not while all that arms do is forbidden in some."""
        return self.enrolment is not None and self.kill_mode == "on" and not self.has_opted_out

    @property
    def answer_ttl_s(self) -> float | None:
        """How long answers may be given again; None: not at all. `mode` is about compressing, not this."""
        if self.response_cache is None or self.kill_mode != "on" or self.has_opted_out:
            return None
        return self.response_cache.ttl_s

    @property
    def treatment(self) -> bytes:
        """What is done with the prompt, and in whose name."""
        return self.model_dump_json(include=_TREATMENT, by_alias=True, exclude_none=True).encode()

    def to_pin(self) -> Decision:
        """What to record for the conversation: nothing of the moment, and only the end of a long trace."""
        update = {"kill_mode": "on", "has_opted_out": False, "why": self.why[-_PINNED_WHY:]}
        return self.model_copy(update=update)

    def to_bytes(self) -> bytes:
        """A JSON object."""
        kept = self.model_dump_json(by_alias=True, exclude_none=True, exclude=_NEVER_PINNED)
        return _HEAD + kept.encode()[1:]

    @staticmethod
    def from_bytes(data: bytes) -> Decision | None:
        """None for anything that `to_bytes` of this format did not write: a bad record is a miss."""
        return _read(data)


@lru_cache(1024)  # conversations of one policy mostly have the same record, and reading it takes 30 µs
def _read(data: bytes) -> Decision | None:
    if not data.startswith(_HEAD):
        return None
    try:
        return Decision.model_validate_json(b"{" + data[len(_HEAD) :])
    except ValidationError:
        return None


def decide(
    policy_set: PolicySet, facts: RequestFacts, overrides: Overrides, unit: str | None, kill_mode: Mode
) -> Decision:
    """The decision on a request. `unit`, its conversation, sticks to a variant unless something else does."""
    policy, chosen = _choose(policy_set, facts, overrides)
    has_opted_out = overrides.mode == "off"
    moment: dict[str, object] = {"kill_mode": kill_mode, "has_opted_out": has_opted_out}
    if policy is None:
        return _UNDECIDED.model_copy(update={**moment, "why": (*chosen, *overrides.notes)})
    is_asked = overrides.mode in ("on", "shadow") or overrides.rate is not None
    arm = _asked(policy, overrides) if is_asked else _dealt(policy, facts, overrides, unit)
    is_named = policy.name == overrides.policy
    limits = _limits(arm.mode, kill_mode, has_opted_out=has_opted_out)
    return _UNDECIDED.model_copy(
        update={
            **moment,
            "policy": policy.name,
            "version": policy.version,
            "variant": arm.variant,
            "assigned": arm.mode,
            "enrolment": arm.enrolment,
            "params": arm.params,
            "cache_scope": policy.cache_scope,
            "apply": policy.apply,
            "benefit": policy.benefit,
            "response_cache": policy.response_cache,
            "is_named": is_named,
            "is_overridden": is_named or is_asked,
            "why": (*chosen, *arm.why, *overrides.notes, *limits),
        }
    )


_UNDECIDED = Decision()
"""Copied with what was decided: every value has been validated where it comes from, and again costs 9 µs."""


def obey(pinned: Decision | None, fresh: Decision) -> Decision:
    """What holds for a conversation: what was pinned, within what is allowed at the moment.

    `fresh` wins where nothing was pinned, where its policy says `apply: now`, and where the request's own
    headers ask for something: the client who asks knows that the prefix changes.
    """
    if pinned is None or fresh.is_overridden or (fresh.policy is not None and fresh.apply == "now"):
        return fresh
    limits = _limits(pinned.assigned, fresh.kill_mode, has_opted_out=fresh.has_opted_out)
    return pinned.model_copy(
        update={
            "kill_mode": fresh.kill_mode,
            "has_opted_out": fresh.has_opted_out,
            "why": (*pinned.why, "pinned for this conversation", *limits),
        }
    )


def weaker(one: Mode, other: Mode) -> Mode:
    """The mode that does less."""
    return min(one, other, key=_STRENGTH.__getitem__)


@dataclass(frozen=True, slots=True)
class _Arm:
    variant: str | None
    mode: Mode
    params: PolicyParams
    why: tuple[str, ...] = ()
    enrolment: Enrolment | None = None


def _choose(
    policy_set: PolicySet, facts: RequestFacts, overrides: Overrides
) -> tuple[Policy | None, tuple[str, ...]]:
    ignored: tuple[str, ...] = ()
    if overrides.policy is not None:
        if (named := policy_set.named(overrides.policy)) is not None:
            return named, (f"policy {named.name!r} is named by {POLICY_HEADER}",)
        hint = suggestion(overrides.policy, (policy.name for policy in policy_set.policies))
        ignored = (f"{POLICY_HEADER} ignored: no policy is named {shown(overrides.policy)}{hint}",)
    policy, trace = match(policy_set, facts)
    return policy, (*ignored, *trace)


def _asked(policy: Policy, overrides: Overrides) -> _Arm:
    """The request chose mode or rate for itself, which would blur an experiment: it is outside."""
    mode, params, why = policy.mode, policy.params, []
    if overrides.rate is not None:
        params = merge(params, PolicyParams(rate=overrides.rate))
        why.append(f"rate {overrides.rate} by {RATE_HEADER}")
    if overrides.mode in ("on", "shadow"):
        mode = overrides.mode
        why.append(f"mode {mode!r} by {MODE_HEADER}")
    if policy.experiment is not None:
        why.append("outside the experiment: the request chose for itself")
    return _Arm(None, mode, params, tuple(why))


def unit_of(
    kind: UnitKind, facts: RequestFacts, overrides: Overrides, conversation: str | None
) -> str | None:
    """What sticks to a variant; None where the request has no such thing."""
    if kind == "key":
        return facts.key_id
    return overrides.unit or (facts.user if kind == "user" else conversation)


def _dealt(policy: Policy, facts: RequestFacts, overrides: Overrides, conversation: str | None) -> _Arm:
    """What the policy, or the variant that the unit sticks to, says."""
    own = _Arm(None, policy.mode, policy.params)
    experiment = policy.experiment
    if experiment is None:
        return own
    if policy.mode == "off":
        return replace(own, why=("no experiment: a policy that is off touches nothing",))
    unit = unit_of(experiment.unit, facts, overrides, conversation)
    if unit is None:
        return replace(
            own, why=(f"outside the experiment: no {_UNIT[experiment.unit]} to stick to a variant",)
        )
    dealt = deal(experiment, unit)
    if dealt.arm is None:
        return replace(own, why=(dealt.why,))
    return _Arm(
        dealt.arm,
        "off" if dealt.variant is None else dealt.variant.mode or policy.mode,
        policy.params if dealt.variant is None else policy.variant_params[dealt.variant.name],
        (dealt.why,),
        Enrolment(unit=experiment.unit, slo_ms=experiment.slo_ms, reach=policy.reach),
    )


_UNIT: dict[UnitKind, str] = {"conversation": "unit", "key": "key", "user": "user"}


def _limits(assigned: Mode, kill_mode: Mode, *, has_opted_out: bool) -> tuple[str, ...]:
    if has_opted_out:
        return (f"left alone: the client sent {MODE_HEADER}: off",)
    if (mode := weaker(assigned, kill_mode)) != assigned:
        return (f"mode {assigned!r} becomes {mode!r}: the kill switch allows no more",)
    return ()

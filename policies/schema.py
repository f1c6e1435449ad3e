"""What a policy file may say: fields here and in `params` are its keys. docs/policies.md describes each."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import AfterValidator, Field, field_validator, model_validator

from compressor.errors import ParamsError
from policies.design import Design, Share
from policies.outcomes import HOLDOUT, NO_WINNER, TIE
from policies.params import Frozen, Number, PolicyParams, Role, merge
from policies.validate import suggestion

Mode: TypeAlias = Literal["on", "shadow", "off"]
"""Apply; compress and record but forward the original; leave alone."""

MAX_TTL_S = 30 * 86_400.0

UnitKind: TypeAlias = Literal["conversation", "key", "user"]

_NOT_VERSIONED: dict[str, Any] = {"keep_texts": True, "experiment": {"share", "mirror"}}
"""None changes who gets which variant, or how what was seen is read: the same experiment goes on with more
units, or more requests mirrored."""

_TAKEN = {
    HOLDOUT: "the units that `holdout` sets apart are",
    TIE: "a verdict of the judge's that no answer is better",
    NO_WINNER: "a verdict on record that was never reached",
}
"""What no variant may be called: beside their names it would mean two things."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_name(name: str) -> str:
    """Names travel in response headers, metrics and logs, so they are short and plain."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"value {name!r}: use up to 64 letters, digits, '.', '_' or '-', first a letter or digit"
        )
    return name


def _not_all(share: float) -> float:
    if share == 1:
        raise ValueError("value 1.0: nobody would take part; give less, e.g. 0.05")
    return share


class Match(Frozen):
    """Conditions on a request; all that are given must hold. Globs as in a shell, case-sensitive."""

    path: str | None = None
    model: str | None = None
    key: str | None = None
    team: str | None = None
    header: dict[str, str] = Field(default_factory=dict)
    """Header name (any case) → glob on its value."""

    @field_validator("header")
    @classmethod
    def _fold_names(cls, header: dict[str, str]) -> dict[str, str]:
        folded = {name.lower(): glob for name, glob in header.items()}
        if len(folded) < len(header):
            raise ValueError("two names differ only in case, and header names have none; keep one")
        return folded

    @property
    def is_empty(self) -> bool:
        return self == _ANYTHING


_ANYTHING = Match()


class Variant(Frozen):
    """One arm of an experiment: what it says overrides the policy."""

    name: Annotated[str, AfterValidator(check_name)]
    weight: Number
    mode: Mode | None = None
    params: PolicyParams = PolicyParams()

    @field_validator("weight")
    @classmethod
    def _not_negative(cls, weight: float) -> float:
        if weight < 0:
            raise ValueError(f"value {weight!r}: a weight must be 0 or more")
        return weight


class Experiment(Design):
    """Deals units to variants, by weight."""

    salt: str
    unit: UnitKind = "conversation"
    """What sticks to a variant."""
    share: Share = 1.0
    """Of the units take part; the others get the policy itself and are not compared."""
    holdout: Annotated[Share, AfterValidator(_not_all)] = 0.0
    """Of the units are never compressed, whatever becomes of the experiment."""
    control: str | None = None
    """The variant that the others are compared with; None: the first that is off, else the first."""
    variants: tuple[Variant, ...]

    @field_validator("salt")
    @classmethod
    def _is_printable(cls, salt: str) -> str:
        if not salt or not salt.isprintable():
            raise ValueError(f"value {salt!r}: use some printable text, e.g. the experiment's name and month")
        return salt

    @field_validator("variants")
    @classmethod
    def _can_deal(cls, variants: tuple[Variant, ...]) -> tuple[Variant, ...]:
        check_unique("variant", (variant.name for variant in variants))
        for name, meaning in _TAKEN.items():
            if any(variant.name == name for variant in variants):
                raise ValueError(f"a variant is named {name!r}, as {meaning}; give it another name")
        total = sum(variant.weight for variant in variants)
        if not total > 0:
            raise ValueError("no variant has a weight above 0; give at least one, e.g. 50")
        if not math.isfinite(total):
            raise ValueError("the weights are too large to be summed; they are shares, e.g. 90 and 10")
        return variants

    @model_validator(mode="after")
    def _has_control(self) -> Experiment:
        names = [variant.name for variant in self.variants]
        if self.control is not None and self.control not in names:
            hint = suggestion(self.control, names)
            raise ValueError(f"control {self.control!r} is the name of no variant{hint}")
        return self

    @property
    def control_name(self) -> str:
        """The variant that the others are compared with."""
        off = (variant.name for variant in self.variants if variant.mode == "off")
        return self.control or next(off, self.variants[0].name)


class ResponseCache(Frozen):
    """That whole answers are recorded, and given to whoever of the tenant asks the same again."""

    ttl_s: Number
    """How long an answer may be given again."""

    @field_validator("ttl_s")
    @classmethod
    def _in_range(cls, ttl_s: float) -> float:
        if not 1 <= ttl_s <= MAX_TTL_S:
            raise ValueError(f"value {ttl_s:g}: must be from 1 second to {MAX_TTL_S:g} (30 days), e.g. 3600")
        return ttl_s


class Policy(Frozen):
    """A named rule: which requests, whether, and how."""

    name: Annotated[str, AfterValidator(check_name)]
    match: Match = Match()
    mode: Mode = "on"
    params: PolicyParams = PolicyParams()
    cache_scope: Literal["tenant", "shared"] = "tenant"
    apply: Literal["pinned", "now"] = "pinned"
    benefit: Literal["on", "off"] | None = None
    """Whether a text is left whole where compressing it is predicted to cost more than it saves; None: on."""
    response_cache: ResponseCache | None = None
    """None: every request goes to the upstream."""
    keep_texts: bool = False
    """Whether requests are kept, encrypted, for `pith replay`."""
    experiment: Experiment | None = None

    @model_validator(mode="after")
    def _variants_fit(self) -> Policy:
        for name, params in self.variant_params.items():
            try:
                params.to_compression(tokenizer="", role="user")
            except ParamsError as error:
                raise ValueError(f"variant {name!r} together with the policy's params: {error}") from error
        return self

    @cached_property
    def variant_params(self) -> dict[str, PolicyParams]:
        """Each variant's params over the policy's."""
        variants = () if self.experiment is None else self.experiment.variants
        return {variant.name: merge(self.params, variant.params) for variant in variants}

    @cached_property
    def reach(self) -> tuple[tuple[Role, int], ...]:
        """Role → tokens from which on any arm would act on a text of that role."""
        variants = () if self.experiment is None else self.experiment.variants
        acting = [
            self.variant_params[variant.name]
            for variant in variants
            if variant.weight > 0 and (variant.mode or self.mode) != "off"
        ]
        lowest = {
            role: min(
                (max(1, params.min_tokens or 0) for params in acting if params.covers(role)), default=None
            )
            for role in get_args(Role)
        }
        return tuple((role, tokens) for role, tokens in lowest.items() if tokens is not None)

    @cached_property
    def version(self) -> str:
        """Changes whenever the policy says something else; layout and the order of keys do not count."""
        content = self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=_NOT_VERSIONED)
        canonical = json.dumps(content, sort_keys=True, ensure_ascii=False).encode()
        return hashlib.sha256(canonical).hexdigest()[:12]


def check_policies(policies: tuple[Policy, ...]) -> tuple[Policy, ...]:
    check_unique("policy", (policy.name for policy in policies))
    return policies


Policies: TypeAlias = Annotated[tuple[Policy, ...], AfterValidator(check_policies)]
"""First match wins."""


class PolicyDocument(Frozen):
    """A whole policy file."""

    policies: Policies


def check_unique(kind: str, names: Iterable[str]) -> None:
    """Raises ValueError naming what is there twice."""
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"there are two of {kind} {twice[0]!r}; names must differ")

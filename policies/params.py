"""What a policy asks of the compressor: `CompressionParams` as a policy file writes it.

Params hold only what the policy says: whatever it is silent about is `None` here and takes the default of
`CompressionParams`, where ranges are checked as well, so that neither is written down twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    AllowInfNan,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Strict,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from compressor.params import CompressionParams, Fidelity, Protect, RateStep
from compressor.patterns import check_pattern

Role: TypeAlias = Literal["user", "tool", "system", "developer", "assistant"]

DEFAULT_ROLES: tuple[Role, ...] = ("user", "tool")

# YAML has types; "500" for 500, or true for 1, is a slip worth an error.
Count: TypeAlias = Annotated[int, Strict()]
Number: TypeAlias = Annotated[float, Strict(), AllowInfNan(False)]

_SELECTORS = ("rate", "target_tokens", "threshold")
_BOUNDS = ("min_rate", "max_rate")


class Frozen(BaseModel):
    """A value read from outside: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class RateRow(Frozen):
    """One row of a rate table."""

    rate: Number
    to_tokens: Count | None = None


class ProtectParams(Frozen):
    """Which parts of a text must come through byte-equal: `compressor.params.Protect`, all optional."""

    head_tokens: Count | None = None
    tail_tokens: Count | None = None
    code: bool | None = None
    json_: bool | None = Field(default=None, alias="json")  # BaseModel has a method of that name
    urls: bool | None = None
    tables: bool | None = None
    tags: bool | None = None
    patterns: tuple[Annotated[str, AfterValidator(check_pattern)], ...] | None = None

    @field_validator("head_tokens", "tail_tokens")
    @classmethod
    def _in_range(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None:
            limits: dict[str, Any] = {str(info.field_name): value}
            CompressionParams(protect=Protect(**limits))
        return value

    def to_protect(self) -> Protect:
        return Protect(**{name.rstrip("_"): value for name, value in _given(self).items()})


class PolicyParams(Frozen):
    """How to compress: `CompressionParams` as a policy writes it, and the roles it is for."""

    rate: (
        Annotated[
            Annotated[Number, Tag("number")] | Annotated[tuple[RateRow, ...], Tag("table")],
            Discriminator(_rate_kind),
        ]
        | None
    ) = None
    target_tokens: Count | None = None
    threshold: Number | None = None
    min_rate: Number | None = None
    max_rate: Number | None = None
    roles: tuple[Role, ...] | None = None
    """Silent: `DEFAULT_ROLES`."""
    min_tokens: Count | None = None
    structure_guard: bool | None = None
    protect: ProtectParams | None = None
    force_tokens: tuple[str, ...] | None = None
    force_reserve_digit: bool | None = None
    drop_consecutive: bool | None = None
    minify_json: bool | None = None
    drop_repeats: bool | None = None
    whole_lines: bool | None = None
    fidelity: Fidelity | None = None
    marks: tuple[Role, ...] | None = None
    """Roles in whose texts marks are honoured; silent: none."""

    @field_validator("rate", "target_tokens", "threshold", *_BOUNDS, "min_tokens", "force_tokens")
    @classmethod
    def _in_range(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, tuple) and info.field_name == "rate":
            _check_table(value)
        elif value is not None:
            CompressionParams(**{str(info.field_name): value})
        return value

    @field_validator("marks")
    @classmethod
    def _never_tool(cls, marks: tuple[Role, ...] | None) -> tuple[Role, ...] | None:
        if marks and "tool" in marks:
            raise ValueError(
                "marks names 'tool': a tool's output is written by others, who could mark text to be kept or "
                "dropped; remove it"
            )
        return marks

    @model_validator(mode="after")
    def _fits_together(self) -> PolicyParams:
        if len(ways := [name for name in _SELECTORS if getattr(self, name) is not None]) > 1:
            raise ValueError(f"{' and '.join(ways)} are both given: each is a way to select; keep one")
        self.to_compression(tokenizer="", role="user")
        return self

    @property
    def way(self) -> str | None:
        """Which way of selecting the policy names."""
        return next((name for name in _SELECTORS if getattr(self, name) is not None), None)

    def covers(self, role: str) -> bool:
        """Whether texts of `role` are compressed."""
        return _has_role(DEFAULT_ROLES if self.roles is None else self.roles, role)

    def honours_marks(self, role: str) -> bool:
        """Whether marks in texts of `role` are obeyed, and taken out."""
        return _has_role(self.marks or (), role)

    def to_compression(self, *, tokenizer: str, role: str) -> CompressionParams:
        """What the compressor is asked for texts of `role`; `tokenizer` is the target model's encoding."""
        said = _given(self)
        said.pop("roles", None)
        said["marks"] = self.honours_marks(role)
        if isinstance(said.get("rate"), tuple):
            said["rates"] = _steps(said.pop("rate"))
        if self.protect is not None:
            said["protect"] = self.protect.to_protect()
        return CompressionParams(**said, tokenizer=tokenizer)


def merge(base: PolicyParams, over: PolicyParams) -> PolicyParams:
    """`base` with everything that `over` says. Another way of selecting replaces the whole of base's."""
    update = _given(over)
    if base.protect is not None and over.protect is not None:
        update["protect"] = base.protect.model_copy(update=_given(over.protect))
    changes_way = over.way not in (None, base.way)
    dropped = dict.fromkeys((*_SELECTORS, *_BOUNDS)) if changes_way else {}
    return base.model_copy(update={**dropped, **update})


def _check_table(rows: tuple[RateRow, ...]) -> None:
    CompressionParams(rates=_steps(rows))
    limits = [math.inf if row.to_tokens is None else row.to_tokens for row in rows]
    if not rows or math.inf in limits[:-1]:
        raise ValueError("a rate table needs rows, and every row but the last needs to_tokens")
    if limits != sorted(set(limits)):
        raise ValueError(f"to_tokens must grow from row to row, here {limits}; order the rows by length")


def _rate_kind(rate: object) -> str:
    return "table" if isinstance(rate, list | tuple) else "number"


def _steps(rows: tuple[RateRow, ...]) -> tuple[RateStep, ...]:
    return tuple(RateStep(rate=row.rate, to_tokens=row.to_tokens) for row in rows)


def _given(model: BaseModel) -> dict[str, Any]:
    """What the document said: fields that are not None."""
    return {name: value for name in type(model).model_fields if (value := getattr(model, name)) is not None}


def _has_role(roles: Iterable[str], role: str) -> bool:
    """`developer` is the newer name of `system`; either stands for both."""
    return _canonical(role) in map(_canonical, roles)


def _canonical(role: str) -> str:
    return "system" if role == "developer" else role

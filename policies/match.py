"""Which policy a request falls under. Pure.

The first policy whose conditions all hold wins. The last policy is the default because, and only if, it has
no `match` block: then it takes whatever no other took. Without such a policy a request may match none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from policies.schema import Match, Policy
from policies.validate import shown


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What conditions can see of a request. A fact that is None satisfies no condition on it."""

    path: str
    model: str | None = None
    key_id: str | None = None
    team: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By lower-case name, see `header_map`. Not in the repr: credentials are among them."""
    user: str | None = None
    """Of the application that asks, as the body names it; what sticks to a variant where a policy says so."""


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Policies in the order in which they are tried; `source` says where they were read."""

    policies: tuple[Policy, ...]
    source: str

    def named(self, name: str) -> Policy | None:
        return next((policy for policy in self.policies if policy.name == name), None)

    @property
    def names_compat(self) -> bool:
        """Whether any policy or variant asks for fidelity compat, which not every scorer can."""
        asked = (
            params for policy in self.policies for params in (policy.params, *policy.variant_params.values())
        )
        return any(params.fidelity == "compat" for params in asked)


def header_map(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Header fields as conditions see them: lower-case names, repeated fields joined by ", "."""
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def match(policy_set: PolicySet, facts: RequestFacts) -> tuple[Policy | None, tuple[str, ...]]:
    """The policy in force, and one sentence for every policy that was tried."""
    trace: list[str] = []
    for policy in policy_set.policies:
        if (failed := next(_failures(policy.match, facts), None)) is None:
            reason = "it has no conditions" if policy.match.is_empty else "every condition holds"
            return policy, (*trace, f"policy {policy.name!r} matches: {reason}")
        trace.append(f"policy {policy.name!r} does not match: {failed}")
    return None, (*trace, "no policy matches, and there is no default")


def _failures(conditions: Match, facts: RequestFacts) -> Iterator[str]:
    """The conditions that do not hold. Header values may be credentials: they are never quoted."""
    for name, glob, value in (
        ("path", conditions.path, facts.path),
        ("model", conditions.model, facts.model),
        ("key", conditions.key, facts.key_id),
        ("team", conditions.team, facts.team),
    ):
        if glob is not None and not (value is not None and fnmatchcase(value, glob)):
            yield f"{name} {'(none)' if value is None else shown(value)} is not {glob!r}"
    for name, glob in conditions.header.items():
        if (value := facts.headers.get(name)) is None:
            yield f"header {name} is absent"
        elif not fnmatchcase(value, glob):
            yield f"header {name} is not {glob!r}"

"""A ledger with an experiment's units, made up: each arm with its own figures, the same every time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

from gateway.ledger.experiment_tables import units
from gateway.ledger.opening import open_database
from policies.match import PolicySet
from policies.outcomes import COLUMNS
from policies.schema import Policy

POLICIES = """\
policies:
  - name: rag
    experiment:
      salt: rag-2026-11
      plan: {effect: 0.2, min_days: 0}
      guardrails: {errors: 0.05, retries: 0.05}
      variants:
        - {name: control, weight: 1, mode: "off"}
        - {name: half, weight: 1, params: {rate: 0.6}}
        - {name: harsh, weight: 1, params: {rate: 0.2}}
  - name: plain
"""


@dataclass(frozen=True)
class Arm:
    """How an arm's units fare."""

    name: str
    n: int
    usd: float = 0.0004
    retries: float = 0.01


ARMS = (Arm("control", 400), Arm("half", 400, usd=0.00028), Arm("harsh", 400, usd=0.00018, retries=0.3))


def filled(folder: Path, now: float, arms: tuple[Arm, ...] = ARMS, policy: Policy | None = None) -> str:
    """The ledger's URL; units of `policy`, by default of the first of POLICIES."""
    url = f"sqlite:///{folder / 'pith.db'}"
    with open_database(url).open_writer() as connection:
        rows = [row for arm in arms for row in rows_of(arm, now, policy or policies().policies[0])]
        if rows:
            connection.execute(units.insert(), rows)
        connection.commit()
    return url


def policies() -> PolicySet:
    from policies.load import load_policies

    return load_policies(POLICIES, "policies.yaml")


def rows_of(arm: Arm, now: float, policy: Policy) -> list[dict[str, object]]:
    """Units that began within two days before `now`."""
    draw = Random(f"arm {arm.name}")
    return [_row(arm, n, draw, now, policy) for n in range(arm.n)]


def _row(arm: Arm, n: int, draw: Random, now: float, policy: Policy) -> dict[str, object]:
    requests = 1 + draw.randrange(4)
    tokens = draw.randrange(300, 900)
    share = 1 if arm.name == "control" else 0.6
    known = {
        "requests": requests,
        "eligible": requests,
        "applied": 0 if arm.name == "control" else requests,
        "answered": requests,
        "origin_tokens": tokens * requests,
        "first_tokens": tokens,
        "uncached_tokens": int(tokens * share) * requests,
        "output_tokens": 20 * requests,
        "retries": sum(draw.random() < arm.retries for _ in range(requests)),
        "cost_usd": arm.usd * requests * tokens / 600,
        "first_byte_ms": 200.0 * requests,
        "total_ms": 500.0 * requests,
    }
    return {
        "experiment": policy.name,
        "version": policy.version,
        "unit": f"{arm.name}-{n}",
        "arm": arm.name,
        "first_at": now - 86_400 * (2 - n / arm.n),
        "last_at": now - 60,
        **{name: known.get(name, 0) for name in COLUMNS},
    }

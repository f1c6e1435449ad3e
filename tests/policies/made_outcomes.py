"""Units of an experiment, made up: conversations of some requests, costs that grow with the tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from policies.outcomes import COLUMNS, Outcomes
from policies.schema import Experiment, Variant

DAY_S = 86_400.0
NOW = 8 * DAY_S


def experiment(arms: tuple[str, ...] = ("control", "half"), **fields: Any) -> Experiment:
    """Arms of equal weight, the first one off."""
    variants = tuple(
        Variant(name=name, weight=1, mode="on" if number else "off") for number, name in enumerate(arms)
    )
    return Experiment.model_validate({"salt": "made-up", "variants": variants, **fields})


def outcomes(
    n_units: int,
    seed: int = 0,
    *,
    lift: float = 0.0,
    errors: Mapping[str, float] | None = None,
    arms: tuple[str, ...] = ("control", "half"),
    shares: tuple[float, ...] | None = None,
) -> Outcomes:
    """`lift` changes the cost of all arms but the first; `errors` is the share of failed requests by arm."""
    rng = np.random.default_rng(seed)
    arm = rng.choice(len(arms), n_units, p=shares).astype(np.intp)
    requests = 1 + rng.poisson(2, n_units)
    tokens = rng.lognormal(7, 1, n_units)
    plain = 1e-6 * requests * (tokens + rng.lognormal(5, 1, n_units))
    failing = np.array([(errors or {}).get(name, 0.01) for name in arms])[arm]
    columns = dict.fromkeys(COLUMNS, np.zeros(n_units)) | {
        "requests": requests.astype(float),
        "eligible": requests.astype(float),
        "answered": requests.astype(float),
        "applied": requests * (arm > 0.0),
        "first_tokens": tokens,
        "cost_usd": plain * np.where(arm == 0, 1.0, 1 + lift),
        "counterfactual_usd": plain,
        "saved_usd": np.where(arm == 0, 0.0, -lift * plain),
        "errors": rng.binomial(requests, failing).astype(float),
        "output_tokens": rng.poisson(200 * requests).astype(float),
        "total_ms": 2000 * requests * rng.lognormal(0, 0.3, n_units),
    }
    return Outcomes(arms, arm, columns, 0.0, NOW)

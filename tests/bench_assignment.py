"""What an experiment adds to a request, in processor time: `python -m tests.bench_assignment`.

Each step is run many times in a row, the best of several rounds counts. `all of it` is what a request of an
experiment pays over one whose policy has none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gateway.dialects.chat_completions import CHAT_COMPLETIONS
from gateway.experiments.enrolling import enrol, size_of
from gateway.experiments.records import Exposure
from gateway.hashing import Secret
from gateway.texts import Finished
from policies.decide import Decision, decide
from policies.experiment import deal
from policies.match import PolicySet, RequestFacts
from policies.overrides import Overrides
from policies.schema import Policy

ROUNDS, TIMES = 15, 4_000
MESSAGES = 20
SECRET = Secret(b"s" * 32)
FACTS = RequestFacts("/v1/chat/completions", "gpt-4o", "key", user="user")
EXPERIMENT: dict[str, Any] = {
    "salt": "rag-2026-11",
    "share": 0.9,
    "holdout": 0.05,
    "variants": [
        {"name": "control", "weight": 50, "mode": "off"},
        {"name": "half", "weight": 50, "params": {"rate": 0.5}},
    ],
}
CONVERSATION = "d" * 64


def steps() -> dict[str, Callable[[], object]]:
    """What is timed, by name; the first two are compared."""
    with_one, without = policies(EXPERIMENT), policies(None)
    decision = decided(with_one)
    policy = with_one.policies[0]
    assert policy.experiment is not None
    experiment = policy.experiment
    enrolled = enrol(decision, FACTS, Overrides(), CONVERSATION, "tenant", SECRET)
    assert enrolled is not None
    request = CHAT_COMPLETIONS.parse(body())
    assert not isinstance(request, str)
    finished = [Finished(None, 5, 5)] * MESSAGES
    return {
        "decide, no experiment": lambda: decided(without),
        "decide, with one": lambda: decided(with_one),
        "deal: share, holdout, variant": lambda: deal(experiment, CONVERSATION),
        "enrol: unit under a keyed hash": lambda: enrol(
            decision, FACTS, Overrides(), CONVERSATION, "tenant", SECRET
        ),
        f"size of {MESSAGES} texts": lambda: size_of(enrolled, request, finished),
        "exposure": lambda: Exposure(
            enrolled.experiment, enrolled.version, enrolled.unit, enrolled.arm, 1.0, 1
        ),
    }


def policies(experiment: dict[str, Any] | None) -> PolicySet:
    said = {"name": "rag", "experiment": experiment}
    return PolicySet((Policy.model_validate(said),), "bench")


def decided(given: PolicySet) -> Decision:
    return decide(given, FACTS, Overrides(), CONVERSATION, "on")


def body() -> bytes:
    message = b'{"role":"user","content":"A word or two."}'
    return b'{"model":"gpt-4o","messages":[' + b",".join([message] * MESSAGES) + b"]}"


def best_us(step: Callable[[], object]) -> float:
    """Microseconds of one run."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.thread_time()
        for _ in range(TIMES):
            step()
        best = min(best, time.thread_time() - began)
    return best / TIMES * 1e6


def measured() -> dict[str, float]:
    """Every step, and what they come to."""
    us = {name: best_us(step) for name, step in steps().items()}
    plain, dealing, _, *others = us.values()
    return {**us, "all of it": dealing - plain + sum(others)}


def main() -> None:
    for name, us in measured().items():
        print(f"{name:32} {us:6.1f} us")


if __name__ == "__main__":
    main()

"""Real clients through Pith, end to end: a table of clients and what they were put through.

    python -m tests.conformance.clients [WORD...]     exit code 1 if anything is not as it must be

Every client sends a long text with facts in it, has it compressed on its way, and must be given the answer
that only a reader of all facts can give: whole, streamed, after a tool's result, in the shape of a schema. It
must be told of errors and of a stream that breaks off, and when it leaves, in the middle of an answer or
before the first byte, the upstream must see that. Agents of many turns come last (`agents`). With words, only
programs that have one in their names.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.conformance.clients import agents
from tests.conformance.clients.agent_upstream import AgentUpstream
from tests.conformance.clients.environments import PLACE, command, prepare
from tests.conformance.clients.facts import ROOT, STATUSES
from tests.conformance.clients.harness import SCENARIOS
from tests.conformance.clients.programs import PROGRAMS, Program
from tests.conformance.clients.upstream import Upstream, serving
from tests.conformance.sdk_suite import free_ports, pith

POLICY = {
    "name": "clients",
    "benefit": "off",
    "params": {"rate": 0.6, "roles": ["user", "tool"], "min_tokens": 100},
}
PROGRAM_S = 300.0
LEFT_S = 10.0
"""Within which the upstream must have seen that a client left."""
N_AT_ONCE = 2
LOCAL = {f"LITELLM_LOCAL_{what}": "True" for what in ("MODEL_COST_MAP", "ANTHROPIC_BETA_HEADERS")}
"""Else LiteLLM would fetch them."""
Outcomes = dict[tuple[str, str], str]
"""Of a client and a scenario: what is wrong, or nothing."""


def main() -> int:
    """Prints the table, and what is wrong."""
    words, start = sys.argv[1:], time.monotonic()
    programs = [one for one in PROGRAMS if not words or any(word in str(one) for word in words)]
    for environment in dict.fromkeys(program.environment for program in programs):
        prepare(environment)
    print(f"environments after {time.monotonic() - start:.0f} s", flush=True)
    PLACE.mkdir(parents=True, exist_ok=True)
    upstream, [port] = Upstream(), free_ports(1)
    settings: dict[str, Any] = {
        "mode": "on",
        "policies": [POLICY],
        "compressor": {"scorer": "frequency", "deadline_ms": 60_000},
    }
    with serving(upstream) as url, pith(url, port, PLACE, **settings):
        with ThreadPoolExecutor(N_AT_ONCE) as pool:
            told = list(pool.map(lambda program: run(program, f"http://127.0.0.1:{port}"), programs))
        outcomes = {
            pair: problem or at_the_upstream(upstream, *pair) for one in told for pair, problem in one.items()
        }
    if programs:
        print(table(programs, outcomes))
    if not words or any(word in "agents" for word in words):
        outcomes |= {(f"agent {name}", "turns"): problem for name, problem in agents_tried(settings).items()}
    wrong = {pair: problem for pair, problem in outcomes.items() if problem}
    for (client, scenario), problem in wrong.items():
        print(f"{client}, {scenario}: {problem}")
    print(f"{len(outcomes) - len(wrong)} of {len(outcomes)} in {time.monotonic() - start:.0f} s")
    return 1 if wrong or not outcomes else 0


def agents_tried(settings: Mapping[str, object]) -> dict[str, str]:
    """What is wrong with each agent."""
    prepare("python")
    place, upstream, [port] = PLACE / "agents", AgentUpstream(), free_ports(1)
    place.mkdir(parents=True, exist_ok=True)
    with serving(upstream) as url, pith(url, port, place, **settings):
        told = agents.tried(upstream, url, f"http://127.0.0.1:{port}", environment())
    print(
        "".join(f"agent {name}: {'WRONG' if problem else 'ok'}\n" for name, problem in told.items()), end=""
    )
    return told


def run(program: Program, url: str) -> Outcomes:
    """What came of each of its clients and scenarios."""
    outcomes = {(client, scenario): "not reached" for client in program.clients for scenario in SCENARIOS}
    log = PLACE / f"{program.name}-{program.environment}.log"
    with log.open("w") as errors:
        ran = subprocess.run(
            command(program, url),
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=errors,
            timeout=PROGRAM_S,
            check=False,
        )
    for line in ran.stdout.splitlines():
        said = json.loads(line)
        outcomes[said["client"], said["scenario"]] = said["problem"]
    if ran.returncode:
        outcomes[program.clients[0], "plain"] += f" exit code {ran.returncode}, see {log.relative_to(ROOT)}"
    return outcomes


def environment() -> dict[str, str]:
    """Of a client: nothing that sends it elsewhere, or has it ask the network for anything."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR", "LANG")}
    return {**kept, **LOCAL, "NO_PROXY": "*"}


def at_the_upstream(upstream: Upstream, client: str, scenario: str) -> str:
    """What is wrong there with a scenario that went well at the client."""
    scenarios = [f"error{status}" for status in STATUSES] if scenario == "error" else [scenario]
    for name in scenarios:
        seen = upstream.seen(f"sk-{name}-{client}")
        if not seen.is_compressed:
            return "nothing was compressed"
        if seen.n_requests != (2 if scenario == "tools" else 1):
            return f"{seen.n_requests} requests"
        if scenario in ("cancel", "timeout") and not seen.left.wait(LEFT_S):
            return "the upstream did not see the client leave"
    return ""


def table(programs: Sequence[Program], outcomes: Mapping[tuple[str, str], str]) -> str:
    """A line a client, a column a scenario."""
    width = max(len(client) for client, _ in outcomes)
    lines = [" " * width + "".join(f"  {scenario:>10}" for scenario in SCENARIOS)]
    for program in programs:
        for client in program.clients:
            cells = ("WRONG" if outcomes[client, scenario] else "ok" for scenario in SCENARIOS)
            lines.append(f"{client:{width}}" + "".join(f"  {cell:>10}" for cell in cells))
    versions = dict.fromkeys(version for program in programs for version in program.versions())
    return "\n".join([*lines, "with " + ", ".join(versions)])


if __name__ == "__main__":
    sys.exit(main())

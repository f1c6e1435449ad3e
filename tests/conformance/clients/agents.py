"""What must hold of an agent's turns at the provider (pure), and the agents of `make clients`.

Every turn begins with the bytes of the turn before, so that the provider's prompt cache keeps hitting; the
tools' long results are shorter; and the agent comes to what it comes to without Pith.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from gateway.json_spans import Document
from tests.conformance.clients.agent_notes import ANSWER, N_TURNS, page
from tests.conformance.clients.agent_upstream import AgentUpstream
from tests.conformance.clients.asked import objects
from tests.conformance.clients.environments import PLACE, interpreter
from tests.conformance.clients.facts import ROOT

NAMES: Final = ("codex", "codex-chained", "claude")
_MARK: Final = re.compile(rb', ?"cache_control": ?\{"type": ?"ephemeral"\}')
AGENT_S: Final = 120.0


def problems(bodies: Sequence[bytes], answer: str, *, is_chained: bool = False) -> Iterator[str]:
    """What is wrong with an agent's turns, as the provider saw them, and with what it came to."""
    if answer != ANSWER:
        yield f"came to {answer[:200]}"
    if len(bodies) != N_TURNS + 1:
        yield f"{len(bodies)} turns"
    results = [text for body in bodies[-1:] for text in _results(json.loads(body))]
    if is_chained:
        results = [text for body in bodies for text in _results(json.loads(body))]
    if len(results) != N_TURNS:
        yield f"{len(results)} results"
    for number, text in enumerate(results):
        if not len(text) < 0.9 * len(page(number)):
            yield f"the result of turn {number} was not compressed"
    if not is_chained:
        turns = [_turns(body) for body in bodies]
        for number, (before, after) in enumerate(itertools.pairwise(turns)):
            if not after.startswith(before):
                yield f"turn {number + 1} does not begin with the bytes of turn {number}"


def _turns(body: bytes) -> bytes:
    """The bytes up to the end of the last turn, without breakpoints."""
    document = Document(body)
    members = document.members(document.root)
    start, end = members.get("input") or members["messages"]
    return _MARK.sub(b"", body[start : end - 1])


def _results(asked: Mapping[str, Any]) -> list[str]:
    found = [one for one in objects(asked) if one.get("type") in ("function_call_output", "tool_result")]
    return [text for one in found for text in _text(one.get("output", one.get("content")))]


def _text(content: object) -> list[str]:
    return [content] if isinstance(content, str) else [one["text"] for one in objects(content)]


def run(name: str, url: str, environment: Mapping[str, str]) -> str:
    """What an agent comes to, on the clients of the environment `python`."""
    command = [str(interpreter("python")), "-m", "tests.conformance.clients.agents_python", name, url]
    with (PLACE / f"agent-{name}.log").open("w") as errors:
        ran = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=errors,
            timeout=AGENT_S,
            check=False,
        )
    return str(json.loads(ran.stdout)) if ran.returncode == 0 else f"exit code {ran.returncode}, see its log"


def tried(
    upstream: AgentUpstream, straight: str, through: str, environment: Mapping[str, str]
) -> dict[str, str]:
    """Every agent without Pith and with it, and what is wrong."""
    told = {}
    for name in NAMES:
        key = f"sk-agent-{name}"
        without = run(name, straight, environment)
        upstream.bodies.pop(key, None)
        answer = run(name, through, environment)
        wrong = list(problems(upstream.bodies.get(key, []), answer, is_chained=name == "codex-chained"))
        told[name] = "; ".join(wrong) if answer == without else f"{answer[:200]} instead of {without[:200]}"
    return told

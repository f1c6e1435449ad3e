"""An agent of many turns on OpenAI's client through Pith; and that what is looked for can be found wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.app import create_app
from gateway.config import load as load_config
from tests.conformance.clients.__main__ import POLICY
from tests.conformance.clients.agent_notes import ANSWER, page
from tests.conformance.clients.agent_upstream import AgentUpstream
from tests.conformance.clients.agents import problems
from tests.conformance.clients.agents_python import codex, codex_chained, marked
from tests.e2e.conftest import serving
from tests.e2e.whole_gateway import configuration
from tests.fakes import LengthScorer

KEY = "sk-agent-test"


def through(folder: Path, upstream: AgentUpstream, *, is_chained: bool = False) -> str:
    """What the agent comes to with Pith before the provider."""
    with serving(upstream.app()) as port:
        file = configuration(folder, f"http://127.0.0.1:{port}", policies=[POLICY])
        with serving(create_app(load_config(file, {}, {}), LengthScorer())) as pith:
            return (codex_chained if is_chained else codex)(f"http://127.0.0.1:{pith}", KEY)


@pytest.mark.parametrize("is_chained", [False, True])
def test_a_turn_begins_as_the_turn_before_and_the_agent_comes_to_the_same(
    tmp_path: Path, is_chained: bool
) -> None:
    upstream = AgentUpstream()
    answer = through(tmp_path, upstream, is_chained=is_chained)
    assert list(problems(upstream.bodies[KEY], answer, is_chained=is_chained)) == []


def test_what_is_wrong_with_an_agents_turns_is_found(tmp_path: Path) -> None:
    upstream = AgentUpstream()
    answer = through(tmp_path, upstream)
    bodies = upstream.bodies[KEY]
    assert answer == ANSWER
    assert list(problems(bodies, ANSWER.replace("QX-48213-B", ""))) != []
    assert "8 turns" in list(problems(bodies[1:], ANSWER))
    rewritten = [*bodies[:-1], bodies[-1].replace(b"Read every page", b"Read each page")]
    assert list(problems(rewritten, ANSWER)) == ["turn 8 does not begin with the bytes of turn 7"]


def test_results_that_went_on_whole_are_found(tmp_path: Path) -> None:
    upstream = AgentUpstream()
    with serving(upstream.app()) as port:
        answer = codex(f"http://127.0.0.1:{port}", KEY)
    assert answer == ANSWER, "without Pith it is the same"
    wrong = list(problems(upstream.bodies[KEY], answer))
    assert wrong == [f"the result of turn {number} was not compressed" for number in range(8)]


def test_the_breakpoint_is_on_the_last_block_alone() -> None:
    turns = [{"role": "user", "content": [{"type": "text", "text": page(at)}]} for at in range(2)]
    first, last = marked(turns)
    assert first == turns[0]
    assert last["content"][0]["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in turns[1]["content"][0]

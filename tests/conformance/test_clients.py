"""Real clients through Pith: that `make clients` can fail, and that its page tells what it does."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conformance.clients.__main__ import at_the_upstream
from tests.conformance.clients.asked import CALL_ID, Fault, Reply, is_compressed, reply_to
from tests.conformance.clients.facts import (
    ANSWER,
    ARGUMENTS,
    DOCUMENT,
    FACTS,
    PROMPT,
    QUESTION,
    SCHEMA,
    STRUCTURED,
    TOOL_NAME,
    read_facts,
)
from tests.conformance.clients.harness import SCENARIOS, Wrong
from tests.conformance.clients.programs import PROGRAMS
from tests.conformance.clients.upstream import SIZES, Upstream, ragged
from tests.tracked import text_of

PAGE = text_of("docs/clients.md")


def test_the_page_lists_every_client_with_its_release() -> None:
    listed = [
        (client, version) for client, version in re.findall(r"^\| `([\w-]+)` \|.*\| (.+) \|$", PAGE, re.M)
    ]
    assert listed == [
        (client, ", ".join(program.versions())) for program in PROGRAMS for client in program.clients
    ]


def test_the_page_lists_every_scenario() -> None:
    assert re.findall(r"^\| `(\w+)` \| [^|]+ \|$", PAGE, re.M) == list(SCENARIOS)


def test_every_fact_is_read_and_none_is_known() -> None:
    assert read_facts(PROMPT) == FACTS
    assert set(read_facts("none of them").values()) == {"?"}


def chat(text: str, **more: object) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}], **more}).encode()


@pytest.mark.parametrize("lost", FACTS)
def test_a_fact_that_is_lost_changes_the_answer(lost: str) -> None:
    assert reply_to(chat(PROMPT)) == Reply(ANSWER)
    assert reply_to(chat(PROMPT.replace(FACTS[lost], ""))) != Reply(ANSWER)


def test_a_schema_is_answered_in_its_shape() -> None:
    asked = {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}}
    assert reply_to(chat(PROMPT, **asked)) == Reply(json.dumps(STRUCTURED))


def turn(**changes: str) -> bytes:
    """The second request of a round trip."""
    made = {"id": CALL_ID, "arguments": json.dumps(ARGUMENTS), "result": CALL_ID, **changes}
    call = {
        "id": made["id"],
        "type": "function",
        "function": {"name": TOOL_NAME, "arguments": made["arguments"]},
    }
    messages = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": made["result"], "content": DOCUMENT},
    ]
    return json.dumps({"messages": messages}).encode()


def test_a_call_must_come_back_as_it_was_made() -> None:
    assert reply_to(turn()) == Reply(ANSWER)
    assert isinstance(reply_to(turn(result="call_2")), Fault)
    assert isinstance(reply_to(turn(arguments='{"case": "QX"}')), Fault)


@pytest.mark.parametrize(
    ("sent", "is_so"),
    [
        (PROMPT, False),
        (PROMPT.replace("the ", ""), False),
        (re.sub(r"\b\w{1,3} ", "", PROMPT), True),
        (PROMPT[: len(PROMPT) // 2], True),
        (PROMPT[: len(PROMPT) // 2] + "!!", False),
        ("short", False),
    ],
    ids=["whole", "hardly shorter", "cut", "half", "something of its own", "another text"],
)
def test_compressed_is_what_is_only_shorter(sent: str, is_so: bool) -> None:
    assert is_compressed(chat(sent)) == is_so


def test_pieces_of_a_stream_end_anywhere() -> None:
    events = [b"data: 1\n\n", b"data: " + b"x" * 900 + b"\n\n"]
    pieces = list(ragged(events))
    assert b"".join(pieces) == b"".join(events)
    assert tuple(map(len, pieces[: len(SIZES)])) == SIZES


@dataclass
class Told:
    """A client that is told what it gets."""

    answer: str = ANSWER
    shape: Any = None
    breaks: bool = True
    comes: bool = False
    statuses_lost: bool = False
    errors: tuple[type[Exception], ...] = (ConnectionError,)

    def ask(self, key: str, timeout_s: float) -> str:
        told = re.match(r"sk-error(\d+)", key)
        if told or ("timeout" in key and not self.comes):
            raise ConnectionError(told[1] if told else "nothing came")
        return self.answer

    def stream(self, key: str) -> Generator[str, None, None]:
        yield from self.answer[: 30 if "broken" in key else None]
        if "broken" in key and self.breaks:
            raise ConnectionError

    def tools(self, key: str) -> str:
        return self.answer

    def structured(self, key: str) -> Mapping[str, Any]:
        return self.shape or STRUCTURED

    def status(self, error: Exception) -> int | None:
        return None if self.statuses_lost else int(str(error))


LESS = ANSWER.replace("18,456.75", "18,456")
LOSSES = {
    "plain": Told(LESS),
    "stream": Told(LESS),
    "tools": Told(LESS),
    "structured": Told(shape={"case": "QX"}),
    "error": Told(statuses_lost=True),
    "broken": Told(breaks=False),
    "cancel": Told(""),
    "timeout": Told(comes=True),
}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_can_fail(scenario: str) -> None:
    SCENARIOS[scenario](Told(), f"sk-{scenario}-told")
    with pytest.raises(Wrong):
        SCENARIOS[scenario](LOSSES[scenario], f"sk-{scenario}-told")


def test_what_the_upstream_did_not_see_fails_a_scenario() -> None:
    upstream = Upstream()
    seen = upstream.seen("sk-plain-a")
    seen.n_requests = 1
    assert at_the_upstream(upstream, "a", "plain") == "nothing was compressed"
    seen.is_compressed = True
    assert at_the_upstream(upstream, "a", "plain") == ""
    seen.n_requests = 2
    assert at_the_upstream(upstream, "a", "plain") == "2 requests"
    left = upstream.seen("sk-cancel-a")
    left.n_requests, left.is_compressed = 1, True
    left.left.set()
    assert at_the_upstream(upstream, "a", "cancel") == ""

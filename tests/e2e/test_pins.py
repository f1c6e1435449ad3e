"""What was decided for a conversation at first sight is obeyed afterwards, over real requests (law 4)."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.conftest import serving
from tests.e2e.openai_upstream import OpenAIUpstream
from tests.e2e.scripted_upstream import PATIENCE_S
from tests.e2e.test_faults import replace
from tests.e2e.whole_gateway import LONG, POLICY, HeldScorer, gateway, rows, until

OTHERS = "Nobody else had asked for any of this before the meeting began on that day. " * 20


class Conversation:
    """Turns of one conversation, and what the upstream was sent."""

    def __init__(self, port: int, upstream: OpenAIUpstream) -> None:
        self.move(port)
        self._upstream = upstream
        self.messages: list[dict[str, Any]] = []
        self.sent: list[Any] = []

    def move(self, port: int) -> None:
        """Go on at another gateway."""
        self._url = f"http://127.0.0.1:{port}/v1/chat/completions"

    def say(self, text: str, headers: dict[str, str] | None = None) -> httpx.Response:
        """One turn; whatever was forwarded before must be forwarded again."""
        self.messages.append({"role": "user", "content": text})
        body = {"model": "gpt-4o", "messages": self.messages}
        answer = httpx.post(self._url, json=body, headers=headers or {}, timeout=30)
        sent = self._upstream.last.json["messages"]
        assert sent[: len(self.sent)] == self.sent
        self.sent = sent
        self.messages.append(answer.json()["choices"][0]["message"])
        return answer

    @property
    def last(self) -> str:
        """What became of the text said last."""
        return str(self.sent[-1]["content"])


@contextmanager
def conversing(folder: Path, scorer: HeldScorer, **settings: Any) -> Iterator[tuple[OpenAIUpstream, int]]:
    upstream = OpenAIUpstream()
    with (
        serving(upstream.app()) as behind,
        gateway(folder, f"http://127.0.0.1:{behind}", scorer, **settings) as port,
    ):
        yield upstream, port


def ready() -> HeldScorer:
    scorer = HeldScorer()
    scorer.go_on.set()
    return scorer


def until_a_new_one(
    port: int, upstream: OpenAIUpstream, header: str, holds: Callable[[str | None], bool]
) -> None:
    """Begin conversations until the answer to one says so, or fail the test."""
    deadline = time.monotonic() + PATIENCE_S
    for number in itertools.count():
        if holds(Conversation(port, upstream).say(f"{LONG} {number}").headers.get(header)):
            return
        assert time.monotonic() < deadline


def test_a_policy_that_changes_does_not_change_a_conversation(tmp_path: Path) -> None:
    file = tmp_path / "policies.yaml"
    replace(file, {"policies": [POLICY]})
    with conversing(tmp_path, ready(), policies=str(file)) as (upstream, port):
        conversation = Conversation(port, upstream)
        first = conversation.say(LONG)
        before = conversation.last
        replace(file, {"policies": [{"name": "other", "mode": "off"}]})
        until_a_new_one(port, upstream, "x-pith-policy", lambda policy: policy == "other")
        second = conversation.say(OTHERS)
        assert second.headers["x-pith-policy"] == first.headers["x-pith-policy"] == "test"
        assert conversation.sent[0]["content"] == before != LONG
        assert len(conversation.last) < len(OTHERS), "new texts of it are compressed as the old ones were"
    versions = {row["policy_version"] for row in rows(tmp_path) if row["policy"] == "test"}
    assert len(versions) == 1


def test_a_text_that_missed_its_deadline_stays_whole_and_serves_the_next_conversation(tmp_path: Path) -> None:
    scorer = HeldScorer()
    with conversing(tmp_path, scorer, compressor={"deadline_ms": 50}) as (upstream, port):
        conversation = Conversation(port, upstream)
        assert conversation.say(LONG).headers["x-pith-skip"] == "deadline"
        assert conversation.last == LONG
        scorer.go_on.set()
        until_a_new_one(port, upstream, "x-pith-skip", lambda skip: skip is None)  # the scorer has caught up
        conversation.say(OTHERS)
        assert conversation.sent[0]["content"] == LONG
    assert scorer.n_texts >= 2


def test_a_retry_and_a_fork_are_forwarded_alike(tmp_path: Path) -> None:
    with conversing(tmp_path, ready()) as (upstream, port):
        one, two = Conversation(port, upstream), Conversation(port, upstream)
        for conversation in (one, two):
            conversation.say(LONG)
        one.say(OTHERS)
        two.say(OTHERS + "Or so it was said.")
        assert one.sent[:2] == two.sent[:2]
        assert one.last != two.last


def test_the_same_turns_through_a_restart_are_the_same_bytes(tmp_path: Path) -> None:
    sent = []
    for _ in range(2):
        with conversing(tmp_path, ready()) as (upstream, port):
            conversation = Conversation(port, upstream)
            conversation.say(LONG)
            conversation.say(OTHERS)
            sent.append(upstream.last.body)
    assert sent[0] == sent[1]
    one, two = rows(tmp_path)[0::2][:2]
    assert one["conversation"] == two["conversation"], "the secret is kept beside the ledger"


async def test_turns_sent_at_one_time_agree(tmp_path: Path) -> None:
    """A client that sends a request twice, or two tabs of one conversation."""
    with conversing(tmp_path, ready()) as (upstream, port):
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": LONG}]}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
            await asyncio.gather(*(client.post("/v1/chat/completions", json=body) for _ in range(20)))
        assert len({received.body for received in upstream.received}) == 1
        assert len(upstream.received) == 20


def test_what_a_request_asks_for_itself_is_for_itself(tmp_path: Path) -> None:
    with conversing(tmp_path, ready()) as (upstream, port):
        once = Conversation(port, upstream)
        once.say(LONG, {"x-pith-mode": "off"})
        assert once.last == LONG
        again = Conversation(port, upstream)
        again.say(LONG)
        assert again.last != LONG


def test_a_secret_of_another_replica_gives_the_same_bytes(tmp_path: Path) -> None:
    """Names of conversations are secret, what becomes of texts is not."""
    sent = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        with conversing(folder, ready()) as (upstream, port):
            Conversation(port, upstream).say(LONG)
            sent.append(json.dumps(upstream.last.json["messages"]))
            until(port, "/pith/readyz", lambda said: said["status"] == "ready")
    assert sent[0] == sent[1]
    assert rows(tmp_path / "a")[0]["conversation"] != rows(tmp_path / "b")[0]["conversation"]

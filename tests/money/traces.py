"""Conversations to play: agents, chats and retrieval, of 20 to 200 turns, from the demo's sentences.

A trace is what the client adds before each request, and what the model answers to it: the same whatever
becomes of the prompt on its way, so that runs can be compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from gateway.demo.corpus import prose

Json = dict[str, Any]

TURNS: Final = (20, 24, 32, 48, 80, 200)


@dataclass(frozen=True, slots=True)
class Turn:
    """`added` by the client; then the model's `answer`. `waits_s` pass before the request."""

    added: list[Json]
    answer: Json
    waits_s: float


@dataclass(frozen=True, slots=True)
class Trace:
    """One conversation."""

    name: str
    kind: str
    turns: list[Turn]


def agent(random: Random, n_turns: int) -> list[Turn]:
    """Instructions, then one tool result after another, some long and many short, some of them JSON."""
    opening = [_system(random, 400, 2500), _user(_prose(random, "document", 60, 300))]
    turns = []
    for i in range(n_turns):
        added = opening if i == 0 else [_tool(random, i)]
        turns.append(Turn(added, _call(random, i + 1), random.choice((2, 5, 20, 60, 400))))
    return turns


def chat(random: Random, n_turns: int) -> list[Turn]:
    """Short messages; now and then somebody pastes something long."""
    turns = []
    for i in range(n_turns):
        pasted = random.random() < 0.12
        text = _prose(random, "meeting", 600, 2500) if pasted else _prose(random, "meeting", 10, 120)
        added = [*([_system(random, 40, 300)] if i == 0 else []), _user(text)]
        turns.append(Turn(added, _said(random, 40, 300), random.choice((20, 60, 200, 700))))
    return turns


def retrieval(random: Random, n_turns: int) -> list[Turn]:
    """A question each turn, with passages that were found for it."""
    turns = []
    for i in range(n_turns):
        passages = [_prose(random, "document", 250, 900) for _ in range(random.randint(1, 3))]
        added = [*([_system(random, 60, 400)] if i == 0 else []), _user("\n\n".join(passages))]
        turns.append(Turn(added, _said(random, 60, 250), random.choice((10, 40, 150, 600))))
    return turns


def one_document(random: Random, n_turns: int) -> list[Turn]:
    """Retrieval at its worst for a compressor: one document, and then short questions about it."""
    turns = []
    for i in range(n_turns):
        text = _prose(random, "document", 1200, 6000) if i == 0 else _prose(random, "document", 8, 40)
        turns.append(Turn([_user(text)], _said(random, 20, 80), random.choice((10, 40, 150))))
    return turns


KINDS: Final[Mapping[str, Callable[[Random, int], list[Turn]]]] = {
    "agent": agent,
    "chat": chat,
    "retrieval": retrieval,
    "one document": one_document,
}


def traces(n_a_kind: int, most_turns: int = TURNS[-1]) -> list[Trace]:
    """As many of each kind, of different lengths; the same on every machine."""
    found = []
    for kind, make in KINDS.items():
        for i in range(n_a_kind):
            random = Random(f"{kind} {i}")  # for the same text everywhere, not for secrets
            n_turns = min(TURNS[i % len(TURNS)], most_turns)
            found.append(Trace(f"{kind} {i}", kind, make(random, n_turns)))
    return found


def _prose(random: Random, name: str, least: int, most: int) -> str:
    size = random.randint(least, most)
    text = prose(name, size, random)
    return text if size > 60 else text[: size * 5]


def _system(random: Random, least: int, most: int) -> Json:
    return {"role": "system", "content": _prose(random, "document", least, most)}


def _user(text: str) -> Json:
    return {"role": "user", "content": text}


def _said(random: Random, least: int, most: int) -> Json:
    return {"role": "assistant", "content": _prose(random, "tool_result", least, most)}


def _call(random: Random, i: int) -> Json:
    arguments = json.dumps({"query": _prose(random, "meeting", 5, 30)})
    function = {"name": "look_up", "arguments": arguments}
    call = {"id": f"call_{i}", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _tool(random: Random, i: int) -> Json:
    size = random.choice((40, 120, 300, 700, 1800))
    text = _prose(random, "tool_result", size // 2, size)
    if random.random() < 0.25:
        text = json.dumps([{"id": n, "note": text[n * 80 : n * 80 + 80]} for n in range(len(text) // 80)])
    return {"role": "tool", "tool_call_id": f"call_{i}", "content": text}

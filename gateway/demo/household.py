"""Simulated users of the handbook, who mind whether they are answered: they try again, ask again, complain.

Each is a unit of the experiment with a name of its own, and does the same on every run. Whether an answer is
any good is not drawn but seen: the answer has the word that says where the thing is, or it has not.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, Final

import httpx

from gateway.demo import handbook
from gateway.demo.upstream import text_of

Json = dict[str, Any]

MODEL: Final = "gpt-4o-mini"
SYSTEM: Final = "Answer from the page of the handbook. If it does not say, say so."
PAGES: Final = 24
"""Different pages; several users read the same one."""
QUESTIONS: Final = 2
_TRIES_AGAIN: Final = 0.5
"""Share of users who send the same request once more when an answer is no good."""
_ASKS_AGAIN: Final = 0.7
"""And of those who then put the question once more."""
_RESTLESS: Final = 0.01
"""Of good answers that somebody has made anew all the same."""
_RATES: Final = 0.9
"""Share of users who say what they think."""
_HARD_TO_PLEASE: Final = 0.6
"""What some say of answers that are right."""


def answer(messages: list[Json]) -> str:
    """The upstream's: from the page as it was sent, which is the first thing that a user says."""
    said = [text_of(message) for message in messages if message["role"] == "user"]
    return handbook.answer(said[0], said[-1])


@dataclass(slots=True)
class Household:
    """All users, before one gateway."""

    client: httpx.Client
    n_requests: int = 0
    n_answered: int = 0
    n_ratings: int = 0

    def visit(self, number: int) -> None:
        """One user's conversation."""
        draw = Random(f"user {number}")  # noqa: S311  # the same user on every run
        page = handbook.page(draw.randrange(PAGES))
        messages: list[Json] = [_said("system", SYSTEM), _said("user", page.text)]
        scores = []
        request_id = ""
        for thing in draw.sample(sorted(page.facts), QUESTIONS):
            is_answered, request_id = self._ask(number, messages, thing, page.facts[thing], draw)
            scores.append(float(is_answered))
        if draw.random() < _RATES:
            self._rate(request_id, draw.uniform(_HARD_TO_PLEASE, 1) * sum(scores) / len(scores))

    def _ask(
        self, number: int, messages: list[Json], thing: str, place: str, draw: Random
    ) -> tuple[bool, str]:
        """One question, until it is answered or given up; and the last request's id."""
        messages.append(_said("user", handbook.question(thing)))
        text, request_id = self._send(number, messages)
        if draw.random() < (_RESTLESS if place in text else _TRIES_AGAIN):
            text, request_id = self._send(number, messages)
        messages.append(_said("assistant", text))
        if place not in text and draw.random() < _ASKS_AGAIN:
            messages.append(_said("user", handbook.question(thing)))
            text, request_id = self._send(number, messages)
            messages.append(_said("assistant", text))
        self.n_answered += place in text
        return place in text, request_id

    def _send(self, number: int, messages: list[Json]) -> tuple[str, str]:
        """The answer and the request's id."""
        self.n_requests += 1
        answered = self.client.post(
            "/v1/chat/completions",
            json={"model": MODEL, "messages": messages},
            headers={"x-pith-unit": f"user-{number}"},
        )
        answered.raise_for_status()
        content: str = answered.json()["choices"][0]["message"]["content"]
        return content, answered.headers["x-pith-id"]

    def _rate(self, request_id: str, score: float) -> None:
        self.n_ratings += 1
        self.client.post("/pith/v1/feedback", json={"id": request_id, "score": score}).raise_for_status()


def _said(role: str, content: str) -> Json:
    return {"role": role, "content": content}

"""What is done with one request: the body that goes on, and what is said and recorded of it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from gateway.dialects import ChatRequest
from gateway.dialects.answers import CHAT_ANSWERS, AnswerShape
from gateway.experiments.enrolling import Enrolled, Size
from gateway.response_record import Answer
from gateway.texts import Finished
from gateway.types import RawHeaders
from policies.decide import Decision


@dataclass(frozen=True, slots=True, eq=False)
class Treated:
    """What was looked at and how it went on, for the accounts."""

    body: bytes
    """As it came."""
    request: ChatRequest
    finished: Sequence[Finished]
    is_applied: bool

    @property
    def scored_tokens(self) -> int:
        """Tokens of the texts whose scores were not on record."""
        return sum(result.origin_tokens for result in self.finished if result.cache == "miss")


@dataclass(frozen=True, slots=True)
class Plan:
    """The outcome of the recipe, before anything is sent. Whatever is None is not known."""

    body: bytes | AsyncIterator[bytes]
    skip: str | None = None
    """Why nothing was compressed; None when something was."""
    decision: Decision | None = None
    request: ChatRequest | None = None
    conversation: str | None = None
    upstream: str | None = None
    """Where it has to go, since what it continues is kept there; None: as the routes say."""
    tokenizer: str | None = None
    origin_tokens: int | None = None
    """Of the whole prompt, by the target model's tokenizer."""
    compressed_tokens: int | None = None
    treated: Treated | None = None
    """Absent where the texts were not looked at."""
    cache: str | None = None
    response_cache: str | None = None
    """What the cache of answers gave; None where the policy has none."""
    answer: Answer | None = None
    """The answer on record: it is replayed, and nothing is sent to the upstream."""
    enrolled: Enrolled | None = None
    """The experiment that the request counts for."""
    size: Size | None = None
    """Of the request as it came, where it counts for one."""
    answers: AnswerShape | None = CHAT_ANSWERS
    """How the answer tells its usage. None: it is not looked at, and may be large."""
    is_fetch: bool = False
    """An answer made earlier is fetched, which has not told its usage before."""
    hides_usage: bool = False
    """The upstream was asked for usage the client did not ask for: that event is withheld."""

    @property
    def reads_usage(self) -> bool:
        """Whether the answer tells what it cost, in a shape we know."""
        return self.answers is not None and self.answers.is_billed

    def headers(self, request_id: str, timing: bytes) -> RawHeaders:
        """The response header fields that say what was done."""
        decision = self.decision
        fields = (
            ("x-pith-id", request_id),
            ("x-pith-policy", decision and decision.policy),
            ("x-pith-variant", decision and decision.variant),
            ("x-pith-mode", decision.mode if decision else "off"),
            ("x-pith-origin-tokens", self.origin_tokens),
            ("x-pith-compressed-tokens", self.compressed_tokens),
            ("x-pith-skip", self.skip),
            ("x-pith-cache", self.cache),
            ("x-pith-response-cache", self.response_cache),
        )
        said = [(name.encode(), _field_value(value)) for name, value in fields if value is not None]
        return [*said, (b"x-pith-timing", timing)] if timing else said


def _field_value(value: object) -> bytes:
    """Visible ASCII: a name read from a cache is not trusted to end no line."""
    return _INVISIBLE.sub(b"?", str(value).encode("ascii", "replace"))


_INVISIBLE = re.compile(rb"[^\x20-\x7e]")

"""Which client has kept us waiting too long. Pure: what a connection waits for and a clock's reading in.

Connections are looked at from time to time, not timed one by one: a request costs no timer. A limit is so
kept to within one look, never earlier than it says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

For: TypeAlias = Literal["header", "body", "write", "idle", "linger", "us"]
"""The rest of a head; more of a body; room for an answer; another request; the other end's close; or the
client waits for us, without limit."""


class Wait(NamedTuple):
    """What a connection waits for. While `mark` changes, something arrives or is taken."""

    what: For
    mark: object


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds."""

    header_read_s: float = 10.0
    body_read_s: float = 60.0
    write_stall_s: float = 60.0
    idle_s: float = 75.0
    """Longer than a load balancer's usual 60 s: it should be the one to close idle connections."""
    linger_s: float = 2.0
    """How long a connection stays half open after a refusal, for the answer to be read: closing a socket with
    bytes unread would reset it."""

    def of(self, what: For) -> float:
        return {
            "header": self.header_read_s,
            "body": self.body_read_s,
            "write": self.write_stall_s,
            "idle": self.idle_s,
            "linger": self.linger_s,
            "us": math.inf,
        }[what]

    @property
    def look_s(self) -> float:
        """How often to look: a fraction of the shortest limit, at most every second."""
        shortest = min(self.header_read_s, self.body_read_s, self.write_stall_s, self.idle_s, self.linger_s)
        return min(1.0, shortest / 4)


class Silence:
    """How long one connection has been waiting for the same."""

    __slots__ = ("_since", "_wait")

    def __init__(self) -> None:
        self._wait: Wait | None = None
        self._since = 0.0

    def is_too_long(self, wait: Wait, now: float, limits: Limits) -> bool:
        """Whether `wait` has lasted beyond its limit; remembers it for the next look."""
        if wait != self._wait:
            self._wait, self._since = wait, now
            return False
        return now - self._since >= limits.of(wait.what)

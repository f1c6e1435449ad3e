"""The fault matrix: what goes wrong, where and when, and what is to come of it.

Seven faults, four parts, four moments: every cell is in a table, and `tests/e2e/test_fault_*.py` try each.
The network's faults are what they are for the upstream and for Redis. For the scorer and the ledger's disk
the tables say what they mean there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

FAULTS = ("refused", "black hole", "reset", "slow drip", "half close", "bad chunk", "garbage")
PARTS = ("upstream", "redis", "scorer", "ledger")
MOMENTS = ("connect", "headers", "mid-stream", "end")

Cell: TypeAlias = tuple[str, str]
"""Fault and moment, of one part."""

Answer: TypeAlias = Literal["whole", "broken"] | tuple[int, str]
"""What the client sees: every byte of the upstream's answer; a connection that ends before the answer does;
or status and code of an error of ours."""

REFUSED: Answer = (502, "upstream_unavailable")
TIMED_OUT: Answer = (504, "upstream_timeout")


@dataclass(frozen=True, slots=True)
class AtUpstream:
    """A streamed answer."""

    answer: Answer
    again: Answer | None = None
    """Where it differs: what is answered to the next request while the fault lasts."""
    is_over_with_done: bool = False
    """OpenAI's client reads no further than `data: [DONE]`, and leaves before it could see the break; on
    record the answer is whole."""


UPSTREAM: dict[Cell, AtUpstream] = {
    ("refused", "connect"): AtUpstream(REFUSED),
    # From then on: who is being answered is answered to the end, and nobody else is let in.
    ("refused", "headers"): AtUpstream("whole", again=REFUSED),
    ("refused", "mid-stream"): AtUpstream("whole", again=REFUSED),
    ("refused", "end"): AtUpstream("whole", again=REFUSED),
    ("black hole", "connect"): AtUpstream(TIMED_OUT),  # neither taken nor refused: the limit for connecting
    ("black hole", "headers"): AtUpstream(TIMED_OUT),  # the limit for the first byte holds for the whole head
    ("black hole", "mid-stream"): AtUpstream("broken"),
    # At the end all was sent but for the word that it is all.
    ("black hole", "end"): AtUpstream("broken", is_over_with_done=True),
    ("reset", "connect"): AtUpstream(REFUSED),
    ("reset", "headers"): AtUpstream(REFUSED),
    ("reset", "mid-stream"): AtUpstream("broken"),
    ("reset", "end"): AtUpstream("broken", is_over_with_done=True),
    ("slow drip", "connect"): AtUpstream("whole"),  # taken late
    ("slow drip", "headers"): AtUpstream("whole"),
    ("slow drip", "mid-stream"): AtUpstream("whole"),
    ("slow drip", "end"): AtUpstream("whole"),
    ("half close", "connect"): AtUpstream(REFUSED),
    ("half close", "headers"): AtUpstream(REFUSED),
    ("half close", "mid-stream"): AtUpstream("broken"),
    ("half close", "end"): AtUpstream("broken", is_over_with_done=True),
    ("bad chunk", "connect"): AtUpstream(REFUSED),  # a chunk where a status line is to be
    ("bad chunk", "headers"): AtUpstream(REFUSED),  # a transfer coding that there is not
    ("bad chunk", "mid-stream"): AtUpstream("broken"),
    ("bad chunk", "end"): AtUpstream("broken", is_over_with_done=True),  # instead of the last chunk
    ("garbage", "connect"): AtUpstream(REFUSED),  # before anything was asked
    ("garbage", "headers"): AtUpstream(REFUSED),
    ("garbage", "mid-stream"): AtUpstream("broken"),
    ("garbage", "end"): AtUpstream("broken", is_over_with_done=True),
}


@dataclass(frozen=True, slots=True)
class AtRedis:
    """Every request is answered, and what goes on is compressed as ever."""

    degraded: str | None
    """What `/pith/readyz` says of the cache; None where nothing is lost, not even a hit."""


GONE, SILENT = AtRedis("cannot be reached"), AtRedis("no answer within 50 ms")
UNNOTICED = AtRedis(None)

REDIS: dict[Cell, AtRedis] = {
    ("refused", "connect"): GONE,
    ("refused", "headers"): GONE,
    ("refused", "mid-stream"): GONE,
    ("refused", "end"): GONE,
    ("black hole", "connect"): SILENT,
    ("black hole", "headers"): SILENT,
    ("black hole", "mid-stream"): SILENT,
    ("black hole", "end"): SILENT,
    ("reset", "connect"): GONE,
    ("reset", "headers"): GONE,
    ("reset", "mid-stream"): GONE,
    ("reset", "end"): GONE,
    ("slow drip", "connect"): UNNOTICED,
    ("slow drip", "headers"): SILENT,
    ("slow drip", "mid-stream"): SILENT,
    ("slow drip", "end"): SILENT,
    ("half close", "connect"): GONE,
    ("half close", "headers"): GONE,
    ("half close", "mid-stream"): GONE,
    ("half close", "end"): GONE,
    ("bad chunk", "connect"): GONE,
    ("bad chunk", "headers"): GONE,
    ("bad chunk", "mid-stream"): GONE,
    ("bad chunk", "end"): UNNOTICED,
    ("garbage", "connect"): GONE,
    ("garbage", "headers"): GONE,
    ("garbage", "mid-stream"): GONE,
    ("garbage", "end"): UNNOTICED,
}


@dataclass(frozen=True, slots=True)
class AtScorer:
    """A text whose scoring goes wrong. It goes on whole, unless `skip` is None: then it is compressed.

    | fault | what a scorer's step does |
    |---|---|
    | refused | raises |
    | black hole | never answers |
    | reset | ends its thread (`SystemExit`) |
    | slow drip | takes its time |
    | half close | answers too little: no chunks, a chunk fewer, a word fewer |
    | bad chunk | answers what is no number: a chunk of no size, NaN for scores |
    | garbage | answers what is nothing of the kind |

    | moment | the step |
    |---|---|
    | connect | `encode`, text to chunks |
    | headers | `forward`, of a batch |
    | mid-stream | `forward`, of one text among others |
    | end | `merge`, of the chunks' scores to the text's |
    """

    skip: str | None
    degraded: str | None = None
    """What `/pith/readyz` says of the scorer, until it is well again."""
    others: Literal["compressed", "either"] = "compressed"
    """What becomes of another text of the same request. Either: it depends on which comes first."""
    is_for_good: bool = False
    """Whether it takes a restart to get over it."""


def raising(error: str) -> AtScorer:
    return AtScorer("scorer_down", f"{error} in the scorer")


HELD, LATE = AtScorer("deadline", others="either"), AtScorer(None)
ENDED = AtScorer("scorer_down", "the device thread has ended", others="either", is_for_good=True)
NO_SCORES = AtScorer("scorer_down", "the scorer answered what are no scores")
TOO_FEW = AtScorer("scorer_down", "the scorer answered 0 of 1 chunks")

SCORER: dict[Cell, AtScorer] = {
    ("refused", "connect"): raising("RuntimeError"),
    ("refused", "headers"): raising("RuntimeError"),
    ("refused", "mid-stream"): raising("RuntimeError"),
    ("refused", "end"): raising("RuntimeError"),
    ("black hole", "connect"): HELD,
    ("black hole", "headers"): HELD,
    ("black hole", "mid-stream"): HELD,
    ("black hole", "end"): HELD,
    ("reset", "connect"): raising("SystemExit"),
    ("reset", "headers"): ENDED,
    ("reset", "mid-stream"): ENDED,
    ("reset", "end"): raising("SystemExit"),
    ("slow drip", "connect"): LATE,
    ("slow drip", "headers"): LATE,
    ("slow drip", "mid-stream"): LATE,
    ("slow drip", "end"): LATE,
    ("half close", "connect"): raising("IndexError"),
    ("half close", "headers"): TOO_FEW,
    ("half close", "mid-stream"): TOO_FEW,
    ("half close", "end"): NO_SCORES,
    ("bad chunk", "connect"): AtScorer(None),  # it is scored all the same
    ("bad chunk", "headers"): NO_SCORES,
    ("bad chunk", "mid-stream"): NO_SCORES,
    ("bad chunk", "end"): NO_SCORES,
    ("garbage", "connect"): raising("AttributeError"),
    ("garbage", "headers"): NO_SCORES,
    ("garbage", "mid-stream"): NO_SCORES,
    ("garbage", "end"): NO_SCORES,
}


@dataclass(frozen=True, slots=True)
class AtLedger:
    """Requests are answered all the while, and every row is written, or counted as lost when Pith stops.

    | fault | what becomes of the file |
    |---|---|
    | refused | its folder is gone |
    | black hole | another process has it locked, and keeps it |
    | reset | it is moved away; nothing takes its place |
    | slow drip | another process locks it again and again, for a moment each |
    | half close | it may be read and not written: it says so in its head, which binds root, too |
    | bad chunk | it cannot grow: there is no space left |
    | garbage | garbage is in its place |

    | moment | when |
    |---|---|
    | connect | at the start |
    | headers | between two writes |
    | mid-stream | while requests go on coming |
    | end | when Pith stops, and from then on |
    """

    says: str | None
    """Why the start is refused; what `/pith/readyz` says; why rows are lost. None: all goes well."""


NO_FOLDER, LOCKED = AtLedger("does not exist"), AtLedger("another process is writing")
READ_ONLY, NO_SPACE = AtLedger("attempt to write a readonly database"), AtLedger("disk I/O error")
NO_LEDGER, WRITTEN = AtLedger("file is not a database"), AtLedger(None)

LEDGER: dict[Cell, AtLedger] = {
    ("refused", "connect"): NO_FOLDER,
    ("refused", "headers"): NO_FOLDER,
    ("refused", "mid-stream"): NO_FOLDER,
    ("refused", "end"): NO_FOLDER,
    ("black hole", "connect"): LOCKED,
    ("black hole", "headers"): LOCKED,
    ("black hole", "mid-stream"): LOCKED,
    ("black hole", "end"): LOCKED,
    ("reset", "connect"): WRITTEN,  # into a new file
    ("reset", "headers"): WRITTEN,
    ("reset", "mid-stream"): WRITTEN,  # each row into one of the two
    ("reset", "end"): WRITTEN,
    ("slow drip", "connect"): WRITTEN,
    ("slow drip", "headers"): WRITTEN,
    ("slow drip", "mid-stream"): WRITTEN,
    ("slow drip", "end"): WRITTEN,
    ("half close", "connect"): READ_ONLY,
    ("half close", "headers"): READ_ONLY,
    ("half close", "mid-stream"): READ_ONLY,
    ("half close", "end"): READ_ONLY,
    ("bad chunk", "connect"): NO_SPACE,
    ("bad chunk", "headers"): NO_SPACE,
    ("bad chunk", "mid-stream"): NO_SPACE,
    ("bad chunk", "end"): NO_SPACE,
    ("garbage", "connect"): NO_LEDGER,
    ("garbage", "headers"): NO_LEDGER,
    ("garbage", "mid-stream"): NO_LEDGER,
    ("garbage", "end"): NO_LEDGER,
}

CELLS: dict[tuple[str, str, str], AtUpstream | AtRedis | AtScorer | AtLedger] = {
    **{("upstream", *cell): expected for cell, expected in UPSTREAM.items()},
    **{("redis", *cell): expected for cell, expected in REDIS.items()},
    **{("scorer", *cell): expected for cell, expected in SCORER.items()},
    **{("ledger", *cell): expected for cell, expected in LEDGER.items()},
}

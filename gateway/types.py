"""Values that cross the gateway's seams, and the Protocols behind them: Upstream, Cache, Ledger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from gateway.experiments.records import Note
from gateway.overview import Overview, Selection

RawHeaders: TypeAlias = list[tuple[bytes, bytes]]
"""Header fields in wire order, duplicates kept."""

TellLeaving: TypeAlias = Callable[[Callable[[], None] | None], bool]
"""Have something called once when the client leaves, None to end that; False: it has left already."""

TakeOver: TypeAlias = Callable[[asyncio.Protocol], asyncio.Transport]
"""Hands a connection to another protocol, beginning with what came behind the head; returns its transport."""


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """A request as it goes on. `target` is the raw path and query string, percent-encoding untouched."""

    method: str
    target: bytes
    headers: RawHeaders
    body: bytes | AsyncIterator[bytes]
    upgrade: bytes | None = None
    """The protocol the client asks to switch to; the upstream may (101) or may not."""


@dataclass(slots=True)
class UpstreamResponse:
    """What came back. `body` yields raw (undecoded) bytes as they arrive; a break raises UpstreamBroken.

    Whoever holds the response must `aclose` it; closing early closes the connection to the upstream.
    """

    status: int
    headers: RawHeaders
    body: AsyncIterator[bytes]
    reason: bytes | None = field(default=None, kw_only=True)
    """The phrase behind the status, which may be empty; None: the usual one."""

    @property
    def take_over(self) -> TakeOver | None:
        """The way to its connection, where the upstream switched to the protocol it was asked for (101)."""
        return None

    async def aclose(self) -> None:
        """Release the connection; overridden by implementations that hold one."""


class Upstream(Protocol):
    """Where requests go."""

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send and return once the response head is here. Raises UpstreamError; cancellation closes all."""

    async def aclose(self) -> None:
        """Close every connection."""


class Cache(Protocol):
    """Keyed bytes. Trouble is a miss, never an exception."""

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """One value or None a key, in order."""

    async def put_if_absent(self, key: bytes, value: bytes, ttl_s: float) -> bytes:
        """Store unless there is a value; returns what the store holds. Reading or finding slides the TTL."""


@dataclass(frozen=True, slots=True)
class Usage:
    """The upstream's own counts, in tokens; `cached_tokens` is a part of `prompt_tokens`."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    """Of those written, the ones to be kept for an hour."""
    reasoning_tokens: int = 0
    estimated: bool = False
    """True when the stream broke off or the upstream sent no usage, and the counts are ours."""
    service_tier: str | None = None
    """As the answer names it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One request's record: counts, ids and keyed hashes; never text, keys or header values."""

    id: str
    created_at: float
    """Unix seconds."""
    path: str
    status: int
    """HTTP status sent to the client; 499 when it left before a status was sent."""
    key_id: str | None = None
    """Virtual key's id, else the keyed hash of the credential."""
    team: str | None = None
    conversation: str | None = None
    model: str | None = None
    policy: str | None = None
    policy_version: str | None = None
    variant: str | None = None
    mode: str = "off"
    is_streamed: bool = False
    is_complete: bool = True
    """False when client or upstream broke off the answer."""
    origin_tokens: int | None = None
    compressed_tokens: int | None = None
    tokenizer: str | None = None
    skip: str | None = None
    cache: str | None = None
    usage: Usage | None = None
    usage_problem: str | None = None
    """`missing`: an answer told none; `absurd`: it told what cannot be, and that was not believed."""
    cost_usd: float | None = None
    """Billed, from `usage`; None when the model has no known price."""
    counterfactual_usd: float | None = None
    """What the same prompt would have cost uncompressed."""
    counterfactual_cached_tokens: int | None = None
    """How much of it would have been read from the provider's cache."""
    counterfactual_basis: str | None = None
    """How that is known: `modelled`, or in the `mix` that was reported for what was sent."""
    compression_usd: float | None = None
    """What compressing cost: seconds of the device at the configured price."""
    saved_usd: float | None = None
    """Counterfactual less cost less compression; may be negative; None where one of them is unknown."""
    token_error: int | None = None
    """Tokens counted for what was sent, less those the upstream reports."""
    cached_error: int | None = None
    """Tokens the model of the provider's cache expected to be read, less those the upstream reports."""
    device_ms: float | None = None
    """Time on the device for this request's texts."""
    added_ms: float | None = None
    """Time the request spent in Pith before it went on, reading it apart."""
    timing_ms: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds by stage."""
    unit: str | None = None
    """Keyed hash of what was dealt to `variant`; None outside experiments."""
    is_eligible: bool | None = None
    """Whether any arm would compress something of it; None outside experiments, or where nobody knows."""
    finish: str | None = None
    """Why the answer ended, in the word of its API."""
    is_broken: bool | None = None
    """The upstream broke its answer off."""
    is_retry: bool | None = None
    """The same request again."""
    is_repeat: bool | None = None
    """The same question again."""
    is_slow: bool | None = None
    """The first byte came later than the experiment allows."""


@dataclass(frozen=True, slots=True)
class ReportRow:
    """Sums over the entries of one group."""

    group: str
    requests: int
    compressed_requests: int
    """Requests in mode `on` that went on shorter than they came."""
    origin_tokens: int
    """Of requests that were answered (status below 400), like `compressed_tokens`."""
    compressed_tokens: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost_usd: float
    saved_usd: float
    unpriced_requests: int
    """Requests with usage whose model has no known price: in the tokens, not in the money."""
    shadow_requests: int = 0
    """Requests in mode `shadow`: their tokens say what would have been saved; no money was."""
    counterfactual_usd: float = 0.0
    """What the same prompts would have cost uncompressed, where that is known."""
    compression_usd: float = 0.0
    negative_requests: int = 0
    """Requests that cost more than they would have uncompressed."""
    negative_usd: float = 0.0
    """What those lost; part of `saved_usd`."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """What waits on disk for a ledger that takes no rows."""

    rows: int = 0
    bytes: int = 0


class Ledger(Protocol):
    """Where entries go. `record` never blocks and never raises."""

    def record(self, entry: Entry) -> None:
        """Queue one entry for writing."""

    def note(self, note: Note) -> None:
        """Queue what is not an entry, in its turn among them. Like `record`, it never blocks or raises."""

    async def report(self, *, group_by: str, since: float | None = None) -> list[ReportRow]:
        """Sums by `group_by`: one of gateway.ledger.schema.GROUPS."""

    async def unpriced(self, *, since: float | None = None) -> list[str]:
        """Models with usage and no known price."""

    async def overview(self, dimension: str, selection: Selection) -> Overview:
        """What the dashboard shows of the selected entries."""

    async def find(self, request_id: str) -> dict[str, object] | None:
        """One request's row, by column; None when there is none."""

    @property
    def degraded(self) -> str | None:
        """Why entries are not reaching the store, or None."""

    @property
    def waiting(self) -> int:
        """Entries not yet written."""

    @property
    def dropped(self) -> int:
        """Entries lost."""

    @property
    def spooled(self) -> Spooled:
        """What waits on disk. From any thread, but not for the event loop: it looks there."""

    @property
    def repeated(self) -> int:
        """Feedback that was left out, since there was some on that request."""

    async def aclose(self) -> None:
        """Write everything queued, then close."""

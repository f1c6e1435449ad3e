"""Which requests are mirrored, and the copy of their answers as they go by.

Law: bytes go on first, in the same call; what is held of them is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.types import Message, Send

from gateway.accounts import Account
from gateway.dialects import Dialect
from gateway.experiments.pairing import Pairing, pairing
from gateway.experiments.said import MOST_BYTES
from gateway.incoming import Incoming
from gateway.plan import Plan, Treated
from gateway.types import RawHeaders


@dataclass(slots=True)
class Copy:
    """What goes to the client, held until it is compared. Bytes go on first, in the same call."""

    send: Send
    status: int = 0
    headers: RawHeaders = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    n_bytes: int = 0

    async def __call__(self, message: Message) -> None:
        """An ASGI `send`."""
        await self.send(message)
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", ()))
        elif message["type"] == "http.response.body" and self.n_bytes <= MOST_BYTES:
            self.parts.append(message.get("body", b""))
            self.n_bytes += len(self.parts[-1])

    @property
    def body(self) -> bytes | None:
        """All of it; None where it was too much to hold."""
        return b"".join(self.parts) if self.n_bytes <= MOST_BYTES else None


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A request that is to be mirrored when it has been answered."""

    id: str
    unit: str
    opened_at: float
    pairing: Pairing
    dialect: Dialect
    incoming: Incoming
    upstream: str
    treated: Treated
    copy: Copy

    @property
    def experiment(self) -> str:
        return self.pairing.experiment


def sampled(account: Account, plan: Plan, dialect: Dialect, send: Send) -> Sample | None:
    """The request as a sample, its `copy` to be sent through; None for all that are not mirrored."""
    services, decision = account.services, plan.decision
    is_sent = plan.treated is not None and plan.reads_usage and plan.answer is None and plan.upstream is None
    if services.mirror is None or decision is None or not is_sent:
        return None
    assert plan.treated is not None
    rolled_back = services.rollbacks.arms.get((decision.policy or "", decision.version or ""), ())
    policy = services.policies.current.named(decision.policy or "")
    found = pairing(policy, decision, account.id, frozenset(rolled_back))
    upstream = services.config.upstream_for(account.incoming.path, plan.treated.request.model)
    if found is None or plan.enrolled is None:
        return None
    return Sample(
        account.id,
        plan.enrolled.unit,
        account.opened_at,
        found,
        dialect,
        account.incoming,
        upstream,
        plan.treated,
        Copy(send),
    )

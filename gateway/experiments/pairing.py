"""Which requests are sent once more as another arm would send them, and what is sent (pure).

Not mirrored is whatever would do more than answer: what the upstream is to store, to do in the background, to
continue or to look up, and tools that the upstream itself calls. A tool that is a function does nothing until
the client calls it. A stream is mirrored as a plain request, for nobody reads along.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from gateway.dialects import ChatRequest
from gateway.headers import CREDENTIALS, request_headers, without
from gateway.json_spans import Document
from gateway.response_key import is_repeatable
from gateway.splice import Edit, Paste, decode
from gateway.strict_json import Ambiguous, decoder
from gateway.strict_json import decode as decode_json
from gateway.types import RawHeaders
from policies.decide import Decision
from policies.design import Mirror
from policies.experiment import pick, position
from policies.schema import Experiment, Policy, Variant

STORES: Final = frozenset({"responses"})
"""Dialects whose upstreams store unless they are told not to."""

_ONCE: Final = frozenset({b"idempotency-key", b"content-encoding", b"expect"})
"""Fields of one request alone: with the same idempotency key, a second one would get the first's answer."""

_DECODER: Final = decoder()


@dataclass(frozen=True, slots=True)
class Pairing:
    """Two arms whose answers to one request are compared."""

    experiment: str
    """Its policy's name."""
    version: str
    mirror: Mirror
    control: str
    arm: str
    """The one that is not control."""
    is_control_sent: bool
    """The client got control; the mirrored request is the arm's."""
    other: Decision
    """What is done to the mirrored request."""


def pairing(
    policy: Policy | None, decision: Decision, request_id: str, rolled_back: AbstractSet[str] = frozenset()
) -> Pairing | None:
    """The other arm for a sampled request; None for all that are not sampled, or in no experiment.

    A conversation that began under another version of the policy is not sampled: what its other arm was is
    not known any more.
    """
    experiment = policy.experiment if policy is not None else None
    if policy is None or experiment is None or not _takes_part(experiment, decision):
        return None
    mirror = experiment.mirror
    u = position(f"{experiment.salt}/mirror", request_id)
    if mirror is None or decision.version != policy.version or u >= mirror.share or not mirror.per_minute:
        return None
    other = _other(experiment, decision.variant or "", u / mirror.share, rolled_back)
    if other is None:
        return None
    control = experiment.control_name
    treated = decision.model_copy(
        update={
            "variant": other.name,
            "assigned": other.mode or policy.mode,
            "params": policy.variant_params[other.name],
        }
    )
    is_control_sent = decision.variant == control
    arm = other.name if is_control_sent else decision.variant or ""
    return Pairing(policy.name, policy.version, mirror, control, arm, is_control_sent, treated)


def _takes_part(experiment: Experiment, decision: Decision) -> bool:
    """Whether the request got what its arm says, nothing less."""
    is_limited = decision.kill_mode != "on" or decision.has_opted_out or decision.is_overridden
    is_limited = is_limited or decision.is_rolled_back
    return not is_limited and any(variant.name == decision.variant for variant in experiment.variants)


def _other(experiment: Experiment, own: str, u: float, rolled_back: AbstractSet[str]) -> Variant | None:
    """Control for every other arm; for control one of those that are in force, each as often."""
    by_name = {variant.name: variant for variant in experiment.variants}
    if own != experiment.control_name:
        return by_name[experiment.control_name]
    rivals = [
        variant.model_copy(update={"weight": 1.0})
        for variant in experiment.variants
        if variant.weight > 0 and variant.name != own and variant.name not in rolled_back
    ]
    return by_name[pick(tuple(rivals), u).name] if rivals else None


def is_fit(dialect: str, body: bytes) -> bool:
    """Whether asking once more would do nothing but answer once more."""
    try:
        request = decode_json(body, _DECODER)
    except Ambiguous:
        return False
    if not isinstance(request, dict) or not is_repeatable(request) or request.get("n") not in (None, 1):
        return False
    return dialect not in STORES or request.get("store") is False


def unstreamed(body: bytes) -> list[Edit]:
    """The edits that make a plain request of one for a stream; none where it is one."""
    document = Document(body)
    top = document.members(document.root)
    stream, options = top.get("stream"), top.get("stream_options")
    if stream is None or document.raw(stream) != b"true":
        return []
    edits: list[Edit] = [Paste(*stream, b"false")]
    if options is not None:
        edits.append(Paste(*options, b"null"))
    return edits


def mirrored_headers(headers: RawHeaders) -> RawHeaders:
    """The fields that go with a mirrored request: the client's, but for those of one request alone."""
    return without(request_headers(headers, identity_only=True), _ONCE)


def carries_key(headers: RawHeaders) -> bool:
    """Whether a credential is among the fields."""
    return any(name.lower() in CREDENTIALS and value.strip() for name, value in headers)


def conversation_of(body: bytes, request: ChatRequest) -> str:
    """The texts of a request, each with its role: what the judge reads."""
    texts = ((site.role, decode(body[site.start : site.end])) for site in request.texts)
    return "\n\n".join(f"[{role}]\n{text}" for role, text in texts if text is not None)

"""What the playground tries: a text or a whole request under a policy with another rate (pure)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.dashboard.scorers import LOADED
from gateway.dialects.paths import DIALECTS
from gateway.refusal import Refusal
from gateway.splice import decode
from policies.errors import PolicyError
from policies.params import PolicyParams, merge
from policies.parse import Document
from policies.schema import Policy
from policies.validate import shown, validate

MAX_CHARACTERS: Final = 200_000
"""Of what is pasted: some 50,000 tokens, beyond which a page cannot show every word in an instant."""

WAYS: Final = ("rate", "threshold")
_KEYS: Final = frozenset({"input", "model", "policy", "scorer", *WAYS})


@dataclass(frozen=True, slots=True)
class Part:
    """One text."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What is asked."""

    kind: str
    """`text`, or the dialect of a request."""
    model: str | None
    parts: tuple[Part, ...]
    policy: Policy
    """The one chosen, with the rate or the threshold asked for."""
    scorer: str = LOADED


def read_trial(body: object, policies: Sequence[Policy], scorers: Collection[str] = (LOADED,)) -> Trial:
    """From a request's JSON; `scorers` are those that may be asked. Raises Refusal, which names the member,
    its value and the remedy.
    """
    if not isinstance(body, dict):
        raise _bad("body is not an object: send one with input")
    if unknown := sorted(set(body) - _KEYS):
        raise _bad(f"body has {shown(unknown[0])}: send {', '.join(sorted(_KEYS))}")
    pasted, model = body.get("input"), body.get("model")
    if not isinstance(pasted, str) or len(pasted) > MAX_CHARACTERS:
        raise _bad(f"input: send a text, or a request's JSON, of at most {MAX_CHARACTERS:,} characters")
    if not pasted.isascii() and any("\ud800" <= char <= "\udfff" for char in pasted):
        raise _bad("input holds half of a surrogate pair: send Unicode text")
    if not isinstance(model, str | None):
        raise _bad(f"model is {shown(model)}: send its name, or leave it out")
    scorer = LOADED if body.get("scorer") is None else body["scorer"]
    if not isinstance(scorer, str) or scorer not in scorers:
        raise _bad(f"scorer is {shown(scorer)}: use one of {', '.join(scorers)}")
    policy = _policy(body, policies)
    if policy.params.fidelity == "compat":
        raise _bad(f"policy {policy.name} has fidelity compat, which is not explained: choose another")
    kind, named, parts = _read_request(pasted) or ("text", None, (Part("user", pasted),))
    return Trial(kind, named or model or None, parts, policy, scorer)


def _policy(body: dict[str, Any], policies: Sequence[Policy]) -> Policy:
    name = body.get("policy")
    policy = next((one for one in policies if name in (None, one.name)), None)
    if policy is None:
        known = ", ".join(one.name for one in policies)
        raise _bad(f"policy is {shown(name)}: there is none of this name; there are {known}")
    asked = {way: body[way] for way in WAYS if body.get(way) is not None}
    try:
        over = validate(PolicyParams, Document(asked, "body", {}))
        params = merge(policy.params, over)
        params.to_compression(tokenizer="", role="user")
    except (PolicyError, ValueError) as error:
        raise _bad(str(error)) from error
    return policy.model_copy(update={"params": params})


def _read_request(pasted: str) -> tuple[str, str | None, tuple[Part, ...]] | None:
    """The dialect, the model and the texts of a request body; None where it is none."""
    if not pasted.lstrip().startswith("{"):
        return None
    raw = pasted.encode()
    for dialect in DIALECTS.values():
        parsed = dialect.parse(raw)
        if isinstance(parsed, str) or not parsed.texts:
            continue
        texts = [(site.role, decode(raw[site.start : site.end])) for site in parsed.texts]
        parts = tuple(Part(role, text) for role, text in texts if text is not None)
        return dialect.name, parsed.model, parts
    return None


def _bad(message: str) -> Refusal:
    return Refusal(400, code="invalid_request", message=message)

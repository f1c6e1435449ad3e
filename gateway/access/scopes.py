"""What a key may do: paths, models, policies and headers. Pure; a refusal names what is not allowed.

Closed where it cannot be known: a key that is bound to models may send no body whose model cannot be read by
everyone alike, and a key that is bound to paths no path that another server might shorten.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import parse_qs

from gateway.access.keys import VirtualKey
from gateway.json_spans import Document, Unreadable
from gateway.refusal import Refusal
from gateway.splice import decode
from policies.overrides import POLICY_HEADER, Overrides
from policies.validate import shown

BODILESS_METHODS: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
"""Without a body these use no model."""

_MODEL_FIELDS: Final = ("model", "models")
"""Where a body names models: `models` holds fall-backs, which some upstreams honour."""


def is_allowed(value: str, globs: Sequence[str] | None) -> bool:
    """Whether one of the globs covers it; None covers everything."""
    return globs is None or any(fnmatchcase(value, glob) for glob in globs)


def check_path(key: VirtualKey, path: str) -> None:
    """Raises Refusal (403) for a path outside the key's."""
    if key.paths is None:
        return
    segments = path.split("/")[1:]
    is_plain = "\\" not in path and "" not in segments[:-1] and not {".", ".."} & set(segments)
    if not is_plain or not is_allowed(path, key.paths):
        raise _refused(f"path {shown(path)} is not among the paths of this key")


def check_models(key: VirtualKey, models: Iterable[str]) -> None:
    """Raises Refusal (403) unless the key may use each of them."""
    for model in models:
        if not is_allowed(model, key.models):
            raise _refused(f"model {shown(model)} is not among the models of this key")


def check_query(key: VirtualKey, target: bytes, *, is_required: bool = False) -> None:
    """Raises Refusal (403) when the query names a model the key may not use; `is_required`: or names none."""
    query = target.partition(b"?")[2].decode("latin-1")
    models = parse_qs(query, keep_blank_values=True).get("model", [])
    if is_required and not models:
        raise unchecked("name it in the query, as ?model=…")
    check_models(key, models)


def unchecked(why: str) -> Refusal:
    """For a request whose model cannot be known."""
    return _refused(f"this key is bound to models, and the model of this request cannot be read: {why}")


def read_models(body: bytes) -> list[str]:
    """The models that a JSON body names. Raises Refusal (403) where there is none, or readers may differ."""
    try:
        document = Document(body)
        members = document.members(document.root) if document.is_object(document.root) else {}
        named = [
            decode(document.raw(value)) if document.is_string(value) else None
            for field in _MODEL_FIELDS
            if (span := members.get(field)) is not None and document.raw(span) != b"null"
            for value in (document.elements(span) if document.is_array(span) else [span])
        ]
    except Unreadable as error:
        raise unchecked("the body is no JSON that everyone reads alike") from error
    models = [model for model in named if model is not None]
    if not models or len(models) < len(named):
        raise unchecked("send a JSON object with `model`, a string")
    return models


def permitted(overrides: Overrides, key: VirtualKey | None) -> Overrides:
    """What of the request's headers counts: a policy the key may not ask for is not asked for."""
    policy = overrides.policy
    if key is None or policy is None or is_allowed(policy, key.policies):
        return overrides
    note = f"{POLICY_HEADER} ignored: {shown(policy)} is not among the policies of this key"
    return replace(overrides, policy=None, notes=(*overrides.notes, note))


def check_policy(key: VirtualKey | None, policy: str | None) -> None:
    """Raises Refusal (403) for a policy, asked for by name, that the key may not use."""
    if key is not None and policy is not None and not is_allowed(policy, key.policies):
        raise _refused(f"policy {shown(policy)} is not among the policies of this key")


def check_upstream(key: VirtualKey | None, name: str, *, takes_callers_keys: bool) -> None:
    """Raises Refusal (403) where a virtual key would have to go on: it never does."""
    if key is not None and takes_callers_keys:
        raise _refused(
            f"upstream {name!r} takes callers' own keys (key: pass), and a virtual key is never sent on: "
            "use a key of your own, or have the operator set key: env:NAME there"
        )


def _refused(message: str) -> Refusal:
    return Refusal(403, code="key_not_allowed", message=message)

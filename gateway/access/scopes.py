"""What a key may do: paths, models, policies and headers. Pure; a refusal names what is not allowed.

Closed where it cannot be known: a key that is bound to models may send no body whose model cannot be read by
everyone alike, and a key that is bound to paths no path that another server might read as a shorter one.
Whatever some reader might take for the name of a model is one: in any case, as Go's reader of JSON has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import parse_qsl

from gateway.access.keys import VirtualKey
from gateway.json_spans import Document, Unreadable
from gateway.refusal import Refusal
from gateway.splice import decode
from policies.overrides import POLICY_HEADER, Overrides
from policies.validate import shown

BODILESS_METHODS: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
"""Without a body these use no model."""

_MODEL_FIELDS: Final = frozenset(
    {"model", "models", "fallbacks", "context_window_fallbacks", "content_policy_fallbacks"}
)
"""Where a body names models: all but the first hold fall-backs, which some upstreams honour."""
_QUERY_FIELDS: Final = frozenset({"model", "deployment"})
_IN_THE_PATH: Final = re.compile(r"(?=/(?:deployments|engines|models?)/([^/]+)(/?))", re.IGNORECASE)
"""A model that goes before the body's: Azure's deployments above all, Gemini's `models/NAME:verb`."""
_ODD: Final = re.compile(r"[\x00-\x1f\x7f\\;%?#\ufffd]")
"""What a plain path, percent-decoded once, does not hold: some servers decode twice, cut at NUL or at `;`,
take a backslash for a slash, or repair what is not UTF-8."""


def is_allowed(value: str, globs: Sequence[str] | None) -> bool:
    """Whether one of the globs covers it; None covers everything."""
    return globs is None or any(fnmatchcase(value, glob) for glob in globs)


def check_path(key: VirtualKey, path: str) -> None:
    """Raises Refusal (403) for a path outside the key's."""
    if key.paths is None:
        return
    segments = path.split("/")[1:]
    is_plain = not _ODD.search(path) and "" not in segments[:-1] and not {".", ".."} & set(segments)
    if not is_plain or not is_allowed(path, key.paths):
        raise _refused(f"path {shown(path)} is not among the paths of this key")


def check_models(key: VirtualKey, models: Iterable[str]) -> None:
    """Raises Refusal (403) unless the key may use each of them."""
    for model in models:
        if not is_allowed(model, key.models):
            raise _refused(f"model {shown(model)} is not among the models of this key")


def check_query(key: VirtualKey, target: bytes, *, is_required: bool = False) -> None:
    """Raises Refusal (403) when the query names a model the key may not use; `is_required`: or names none."""
    query = target.partition(b"?")[2].decode("latin-1").replace(";", "&")
    given = parse_qsl(query, keep_blank_values=True)
    models = [value for field, value in given if field.casefold().removesuffix("[]") in _QUERY_FIELDS]
    if is_required and not models:
        raise unchecked("name it in the query, as ?model=…")
    check_models(key, models)


def check_named_in_path(key: VirtualKey, path: str) -> None:
    """Raises Refusal (403) when the path names a model the key may not use."""
    for match in _IN_THE_PATH.finditer(path):
        name, is_amid = match.groups()
        check_models(key, [name if is_amid else name.partition(":")[0]])


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
            for field, span in members.items()
            if field.casefold() in _MODEL_FIELDS and document.raw(span) != b"null"
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

"""A whole request compressed for another gateway: the bytes it sent, with its texts cut.

The decision is the one of a first request: there is no conversation here, so nothing is pinned. What is pure
stays so (law 3): the same message gives the same bytes whenever it is asked for, and the provider's cache
keeps hitting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from compressor import Compressed, CompressionParams, encoding_for
from gateway.access.principal import Principal
from gateway.access.scopes import check_policy
from gateway.dialects import Dialect, TextSite
from gateway.dialects.chat_completions import CHAT_COMPLETIONS
from gateway.dialects.paths import DIALECTS
from gateway.json_spans import Document, Unreadable
from gateway.refusal import Refusal
from gateway.services import Services
from gateway.splice import Cut, Edit, Paste, decode, raw_spans, splice
from gateway.treatment import unmark
from gateway.vocabularies import have_vocabulary
from policies.decide import Decision, decide
from policies.match import RequestFacts
from policies.overrides import Overrides
from policies.validate import shown


@dataclass(frozen=True, slots=True)
class Answer:
    """What was asked for, in the bytes it was asked in."""

    results: list[Compressed]
    request: bytes
    decision: Decision


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A text that the decision covers."""

    site: TextSite
    literal: bytes
    text: str
    params: CompressionParams


async def compress_request(
    raw: bytes, body: Mapping[str, Any], caller: Principal, services: Services
) -> Answer:
    """What Pith would forward for the member `request` of `raw`, which says `body`. Raises Refusal."""
    dialect, policy = _dialect(body), _policy(body, services)
    check_policy(caller.key, policy)
    request = await services.offload(len(raw), _member, raw, "request")
    parsed = await services.offload(len(request), dialect.parse, request)
    if isinstance(parsed, str):
        raise bad_request(f"request is not a {dialect.name} request body ({parsed})")
    model = services.config.model_of(parsed.model)
    facts = RequestFacts(dialect.path, model, caller.key_id, caller.team)
    decision = decide(services.policies.current, facts, Overrides(policy=policy), None, services.kill_mode)
    tokenizer, _ = encoding_for(model)
    await have_vocabulary(tokenizer)
    wanted = await services.offload(len(request), _wanted, request, parsed.texts, decision, tokenizer)
    results = await _compress(wanted, decision.scope(caller.tenant), services)
    if decision.mode == "on":
        cut = await services.offload(len(request), _cut, request, wanted, results)
    else:  # shown, not applied
        edits = await services.offload(len(request), unmark, request, parsed, decision)
        cut = await services.offload(len(request), splice, request, edits)
    return Answer(results, cut, decision)


def bad_request(message: str) -> Refusal:
    """What the caller sent is not what is taken here; the message says what is."""
    return Refusal(400, code="invalid_request", message=message)


async def _compress(wanted: Sequence[_Wanted], scope: str, services: Services) -> list[Compressed]:
    """At one go what is asked for alike: thousands of messages are not as many commands to a shared cache."""
    groups: dict[CompressionParams, list[int]] = {}
    for i, one in enumerate(wanted):
        groups.setdefault(one.params, []).append(i)
    work = (
        services.compressor.compress([wanted[i].text for i in members], params, tenant=scope)
        for params, members in groups.items()
    )
    results: dict[int, Compressed] = {}
    for members, group in zip(groups.values(), await asyncio.gather(*work), strict=True):
        results |= zip(members, group, strict=True)
    return [results[i] for i in range(len(wanted))]


def _wanted(request: bytes, sites: tuple[TextSite, ...], decision: Decision, tokenizer: str) -> list[_Wanted]:
    if decision.mode == "off":
        return []
    wanted = []
    for site in sites:
        literal = request[site.start : site.end]
        text = decode(literal)
        if text is not None and decision.params.covers(site.role):
            params = decision.params.to_compression(tokenizer=tokenizer, role=site.role)
            wanted.append(_Wanted(site, literal, text, params))
    return wanted


def _cut(request: bytes, wanted: Sequence[_Wanted], results: Sequence[Compressed]) -> bytes:
    return splice(request, [_edit(one, result) for one, result in zip(wanted, results, strict=True)])


def _edit(one: _Wanted, result: Compressed) -> Edit:
    if result.is_rewritten:
        return Paste(one.site.start, one.site.end, orjson.dumps(result.text))
    return Cut(one.site.start, one.site.end, raw_spans(one.literal, result.kept))


def _member(raw: bytes, name: str) -> bytes:
    try:
        document = Document(raw)
        return document.raw(document.members(document.root)[name])
    except Unreadable as error:
        raise bad_request(f"body is not read alike by everyone ({error.skip}): {error}") from error


def _dialect(body: Mapping[str, Any]) -> Dialect:
    name = body.get("dialect", CHAT_COMPLETIONS.name)
    dialect = DIALECTS.get(name) if isinstance(name, str) else None
    if dialect is None:
        raise bad_request(f"dialect is {shown(name)}: use {', '.join(DIALECTS)}")
    return dialect


def _policy(body: Mapping[str, Any], services: Services) -> str | None:
    name = body.get("policy")
    known = [policy.name for policy in services.policies.current.policies]
    if name is None or name in known:
        return name
    raise bad_request(f"policy is {shown(name)}: there is none of this name; there are {', '.join(known)}")

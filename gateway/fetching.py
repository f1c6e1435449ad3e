"""Requests about an answer that an upstream keeps: where they go, and what it cost where nobody knows yet.

An answer that is made in the background tells its usage when it is fetched: the first time that it does, it
is booked. Two that fetch it at the very same moment may both book it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from gateway.cache.guard import request_waits
from gateway.chain import PRICED, Link, named_in_path
from gateway.dialects import ChatRequest
from gateway.dialects.responses_answers import RESPONSES_ANSWERS
from gateway.incoming import Incoming
from gateway.plan import Plan
from gateway.services import Services


async def plan_of(incoming: Incoming, body: bytes | AsyncIterator[bytes], services: Services) -> Plan:
    """A request of no dialect: relayed unread, but for an answer whose cost is not known yet."""
    plain = Plan(body, answers=None)
    name = named_in_path(incoming.path)
    is_fetch = name is not None and incoming.method == "GET" and incoming.path.endswith(f"/{name}")
    if name is None or (len(services.upstreams) < 2 and not is_fetch):
        return plain
    with request_waits(services.cache_wait_s):
        link = await services.chains.find(incoming.tenant, name)
        if link is None:
            return plain
        is_open = is_fetch and link.open_model is not None
        if is_open and await services.chains.find(incoming.tenant, PRICED + name) is None:
            return _open(body, link)
    return Plan(body, upstream=link.upstream, answers=None)


def _open(body: bytes | AsyncIterator[bytes], link: Link) -> Plan:
    """What is known of the request that the answer is to."""
    request = ChatRequest(
        model=link.open_model,
        is_streamed=False,
        wants_usage=True,
        prompt_cache_key=None,
        messages=(),
        texts=(),
        stream_options=None,
        members_end=0,
    )
    return Plan(
        body,
        request=request,
        conversation=link.conversation,
        upstream=link.upstream,
        answers=RESPONSES_ANSWERS,
        is_fetch=True,
    )

"""Every probe on Pith: with compression off and on, in three dialects."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conformance.dialects import DIALECTS
from tests.conformance.probes import END, PROBES, STREAM, Hop, streamed
from tests.e2e.scripted_upstream import ScriptedUpstream, connected
from tests.e2e.whole_gateway import USAGE, chunked, gateway
from tests.tracked import text_of


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture(params=["off", "on"])
async def hop(
    request: pytest.FixtureRequest, upstream: ScriptedUpstream, tmp_path: Path
) -> AsyncIterator[Hop]:
    with gateway(tmp_path, upstream.url, mode=request.param) as port:
        yield Hop(port, upstream, compresses=request.param == "on")


@pytest.mark.parametrize("name", PROBES)
async def test_probe(name: str, hop: Hop) -> None:
    for dialect in DIALECTS.values():
        await PROBES[name](hop, dialect)


@pytest.mark.parametrize("asks", [True, False])
async def test_an_upstream_that_must_not_be_asked_for_usage_is_not(
    asks: bool, upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    """By `ask_usage: false`; the texts are cut alike, and nothing is hidden from the client."""
    spoken = DIALECTS["chat that did not ask for usage"]
    upstreams = {"openai": {"url": upstream.url, "ask_usage": asks}}
    with gateway(tmp_path, "", upstreams=upstreams) as port:
        hop = Hop(port, upstream, compresses=True)
        await PROBES["only_the_text_differs"](hop, spoken if asks else replace(spoken, asking=b""))
        async with connected(port) as client:
            answer = STREAM + chunked(USAGE, *spoken.events) + END
            _, received = await hop.exchange(client, streamed(spoken), answer)
    assert received == (b"" if asks else USAGE) + spoken.stream


def test_the_page_lists_every_probe() -> None:
    listed = re.findall(r"^\| `(\w+)`.*test_probe` \|$", text_of("docs/transparency.md"), re.MULTILINE)
    assert listed == list(PROBES)

"""Every probe on Pith: with compression off and on, in three dialects."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.dialects import DIALECTS
from tests.conformance.probes import PROBES, Hop
from tests.e2e.scripted_upstream import ScriptedUpstream
from tests.e2e.whole_gateway import gateway
from tests.tracked import text_of


@pytest.fixture(params=["off", "on"])
async def hop(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Hop]:
    async with ScriptedUpstream() as upstream:
        with gateway(tmp_path, upstream.url, mode=request.param) as port:
            yield Hop(port, upstream, compresses=request.param == "on")


@pytest.mark.parametrize("name", PROBES)
async def test_probe(name: str, hop: Hop) -> None:
    for dialect in DIALECTS.values():
        await PROBES[name](hop, dialect)


def test_the_page_lists_every_probe() -> None:
    listed = re.findall(r"^\| `(\w+)`.*test_probe` \|$", text_of("docs/transparency.md"), re.MULTILINE)
    assert listed == list(PROBES)

"""Where scores come from: the engine in this process, or another instance's (`remote`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from compressor import Engine, Scorer
from compressor.worker import Vitals
from gateway.cached import ScoreSource
from gateway.compat import RowSource
from gateway.offload import Offload
from gateway.remote.engine import PATIENCE_S, RemoteEngine
from gateway.settings import CompressorConfig
from gateway.upstreams.exchange import Timeouts
from gateway.upstreams.http import HttpUpstream


class Scoring(ScoreSource, RowSource, Protocol):
    """What gives scores, and says how it is."""

    @property
    def degraded(self) -> str | None:
        """Why texts are left whole, or what is down; None while all is well."""

    def vitals(self) -> Mapping[str, Vitals]:
        """How each device of this process is."""


@asynccontextmanager
async def open_scoring(
    config: CompressorConfig, scorer: Scorer | None, offload: Offload
) -> AsyncIterator[Scoring]:
    """The one that is configured: `scorer` is for the engine here."""
    if config.remote is not None:
        key = None if config.remote_key is None else config.remote_key.get_secret_value()
        timeouts = Timeouts(first_byte_s=PATIENCE_S + 5.0)
        upstream = HttpUpstream(config.remote, key, name="scorer", timeouts=timeouts)
        async with RemoteEngine(upstream, offload) as remote:
            yield remote
        return
    assert scorer is not None
    engine = Engine(scorer, max_batch_tokens=config.max_batch_tokens, max_queue_age_s=config.queue_ms / 1e3)
    async with engine:
        yield engine

"""A replica in a process of its own: compresses the same texts as others do, in an order and at a precision
of its own, and prints what came of them. `python -m tests.e2e.rounding_replica FILE PRECISION SEED`."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compressor import CompressionParams
from compressor.scorers.frequency import FrequencyScorer
from compressor.types import Chunk
from gateway.config import load as load_config
from gateway.demo.corpus import prose
from gateway.services import open_services

RATES = (0.3, 0.5, 0.7)


class RoundedScorer(FrequencyScorer):
    """Says what the frequency scorer says, in fp32 or as bf16 would round it, under one fingerprint."""

    def __init__(self, precision: str) -> None:
        self._kept_bits = np.uint32(0xFFFFFFFF if precision == "fp32" else 0xFFFF0000)

    def forward(self, batch: Sequence[Chunk]) -> list[NDArray[np.float32]]:
        exact = super().forward(batch)
        return [(one.view(np.uint32) & self._kept_bits).view(np.float32) for one in exact]


def texts() -> list[str]:
    """Some, long and short."""
    return [prose("meeting", 150 + 60 * at, random.Random(at)) for at in range(24)]


async def main(file: str, precision: str, seed: str) -> None:
    config = load_config(Path(file), {}, {})
    order = list(enumerate(texts())) * 2
    shuffler = random.Random(seed)
    shuffler.shuffle(order)
    found: dict[str, list[str]] = {}
    states = set()
    async with open_services(config, RoundedScorer(precision), lambda: "on") as services:

        async def compress(some: list[tuple[int, str]], rate: float) -> None:
            params = CompressionParams(rate=rate)
            results = await services.compressor.compress([text for _, text in some], params, tenant="t")
            for (at, _), result in zip(some, results, strict=True):
                assert result.skip is None
                found.setdefault(f"{at} at {rate}", []).append(result.text)
                states.add(result.cache)

        calls = []
        while order:
            size = shuffler.randint(1, 6)
            calls += [compress(order[:size], rate) for rate in shuffler.sample(RATES, len(RATES))]
            del order[:size]
        await asyncio.gather(*calls)
        assert services.shared is None or services.shared.degraded is None
    print(
        json.dumps(
            [{name: sorted(set(came)) for name, came in sorted(found.items())}, sorted(map(str, states))]
        )
    )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

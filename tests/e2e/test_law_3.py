"""Law 3: same text and parameters, same bytes: shuffled batches, restarts, two precisions, two processes on
one Redis. Precisions round differently, so without a record that all obey they would not agree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.redis_server import PATIENCE_S, RedisServer, redis_server
from tests.tracked import ROOT

Came: TypeAlias = dict[str, list[str]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as server:
        yield server


def started(folder: Path, precision: str, seed: int, cache: str) -> subprocess.Popen[str]:
    """A replica, not yet done."""
    folder.mkdir()
    file = folder / "pith.yaml"
    file.write_text(
        json.dumps({"ledger": f"sqlite:///{folder / 'ledger.db'}", "cache": cache, "cache_timeout_ms": 5000})
    )
    return subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.rounding_replica", str(file), precision, str(seed)],
        cwd=ROOT,
        env={**os.environ, "PITH_SECRET": "the same on all replicas"},
        stdout=subprocess.PIPE,
        text=True,
    )


def finished(replicas: Sequence[subprocess.Popen[str]]) -> list[tuple[Came, list[str]]]:
    """What each says in the end."""
    found = []
    with ExitStack() as stack:
        for replica in replicas:
            stack.enter_context(replica)
            stack.callback(replica.kill)
        for replica in replicas:
            said, _ = replica.communicate(timeout=8 * PATIENCE_S)
            assert replica.returncode == 0
            came: Any = json.loads(said)
            found.append((came[0], came[1]))
    return found


def test_precisions_orders_processes_and_restarts_do_not_show(tmp_path: Path, server: RedisServer) -> None:
    both = [
        started(tmp_path / precision, precision, seed, server.url)
        for seed, precision in enumerate(("fp32", "bf16"))
    ]
    (fp32, _), (bf16, _) = finished(both)
    assert fp32 == bf16
    assert all(len(came) == 1 for came in fp32.values()), "and each of them agrees with itself"
    [(again, states)] = finished([started(tmp_path / "again", "bf16", 7, server.url)])
    assert again == fp32
    assert states == ["hit"]


def test_without_a_record_that_is_shared_precisions_differ(tmp_path: Path) -> None:
    """Or the test above would show nothing."""
    both = [started(tmp_path / one, one, 0, "memory://") for one in ("fp32", "bf16")]
    (fp32, _), (bf16, _) = finished(both)
    assert fp32.keys() == bf16.keys()
    assert fp32 != bf16
    assert all(len(came) == 1 for came in [*fp32.values(), *bf16.values()])

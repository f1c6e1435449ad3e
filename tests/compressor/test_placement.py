"""Where a scorer runs."""

from __future__ import annotations

import ast
import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from compressor.engine import Engine
from compressor.errors import ModelError
from compressor.isolated import IsolatedScorer
from compressor.params import CompressionParams
from compressor.placement import Placement, _is_isolated, close, place
from compressor.replicas import Replicated, by_device
from compressor.scorers import load
from compressor.scorers.frequency import FrequencyScorer
from compressor.types import Scorer
from compressor.words import split
from tests.compressor.compat import models
from tests.compressor.test_isolated import ROOT, is_there, pid_of
from tests.compressor.tiny_embedded import write_tiny
from tests.compressor.tiny_models import CORPUS, build

PROSE = " ".join(CORPUS * 20)
TEXT = "The committee did not agree on 3 of the 12 items that were on the agenda of the meeting."


def scored(scorer: Scorer, text: str = TEXT) -> list[int]:
    words = split(text)
    chunks = scorer.encode(text, words)
    found: list[int] = scorer.merge(words, chunks, scorer.forward(chunks)).tolist()
    return found


def test_the_embedded_scorer_stays_in_this_process(tmp_path: Path) -> None:
    (tmp_path / "gpu").touch()
    placed = place(Placement("frequency", ("cuda:0",)), [str(tmp_path / "gpu")])
    assert isinstance(placed, FrequencyScorer)
    close(placed)


def test_a_process_of_its_own_scores_alike() -> None:
    placed = place(Placement("frequency", ("cpu",), isolation="process"))
    assert isinstance(placed, IsolatedScorer)
    pid = pid_of(placed)
    here = load("frequency")
    assert placed.fingerprint == here.fingerprint
    assert scored(placed) == scored(here)
    close(placed)
    assert not is_there(pid)


def test_several_devices_are_replicas() -> None:
    placed = place(Placement("frequency", ("cpu", "cuda:0"), isolation="process"))
    assert isinstance(placed, Replicated)
    replicas = by_device(placed)
    assert list(replicas) == ["cpu", "cuda:0"]
    assert len({tuple(scored(replica)) for replica in replicas.values()}) == 1
    pids = [pid_of(replica) for replica in replicas.values() if isinstance(replica, IsolatedScorer)]
    close(placed)
    assert len(pids) == 2
    assert not any(map(is_there, pids))


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_what_is_missing_is_said(isolation: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no config\.json"):
        place(Placement(str(tmp_path), ("cpu",), isolation=isolation))


@pytest.mark.parametrize(
    ("device", "has_gpu", "isolation", "is_isolated"),
    [
        ("cpu", True, "auto", False),
        ("cuda:0", False, "auto", True),
        ("auto", True, "auto", True),
        ("auto", False, "auto", False),
        ("cuda", True, "thread", False),
        ("cpu", False, "process", True),
    ],
)
def test_a_model_on_a_gpu_has_a_process_of_its_own(
    device: str, has_gpu: bool, isolation: Any, is_isolated: bool
) -> None:
    placement = Placement("a/model", (device,), isolation=isolation)
    assert _is_isolated(placement, device, has_gpu=has_gpu) == is_isolated


@pytest.mark.parametrize("device", ["auto", "cuda:0"])
def test_an_embedded_model_of_ones_own_stays_in_this_process(device: str, tmp_path: Path) -> None:
    (tmp_path / "gpu").touch()
    folder = write_tiny(tmp_path / "model")
    placed = place(Placement(str(folder), (device,)), [str(tmp_path / "gpu")])
    assert placed.fingerprint == load(str(folder)).fingerprint
    assert not isinstance(placed, IsolatedScorer)


@pytest.mark.parametrize("family", ["xlm-roberta", "bert"])
def test_a_classifier_in_a_process_scores_alike_without_torch_here(family: str, tmp_path: Path) -> None:
    folder = build(family, tmp_path / family)
    code = f"""
import sys
from compressor.placement import Placement, close, place
from compressor.words import split
placed = place(Placement({str(folder)!r}, ("cpu",), "fp32", "process"))
words = split({PROSE!r})
chunks = placed.encode({PROSE!r}, words)
scores = placed.merge(words, chunks, placed.forward(chunks))
heavy = [name for name in ("torch", "transformers") if name in sys.modules]
print([placed.fingerprint, scores.tolist(), heavy])
close(placed)
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    [fingerprint, there, heavy] = ast.literal_eval(ran.stdout)
    here = load(str(folder), "cpu", "fp32")
    assert fingerprint == here.fingerprint
    assert there == scored(here, PROSE)
    assert heavy == []


async def test_fidelity_compat_is_served_by_a_process(tmp_path: Path) -> None:
    folder = models.build(models.FAMILIES[1], tmp_path)
    placed = await asyncio.to_thread(place, Placement(str(folder), ("cpu",), "fp32", "process"))
    params = CompressionParams(rate=0.5, fidelity="compat")
    async with Engine(placed) as there, Engine(load(str(folder), "cpu", "fp32")) as here:
        [found], [expected] = await asyncio.gather(
            there.compress([PROSE], params), here.compress([PROSE], params)
        )
    await asyncio.to_thread(close, placed)
    assert (found.text, found.skip) == (expected.text, None)
    assert found.is_rewritten

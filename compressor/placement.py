"""Where a scorer runs: on which devices, each in this process or in one of its own.

On a GPU a failed assertion ends every later call of its process, so there the forward pass has a process of
its own; on a CPU that would cost a copy and gain little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

from compressor.chunks import Limits
from compressor.isolated import WATCHDOG_S, Front, IsolatedScorer, Recipe
from compressor.replicas import Replicated, by_device
from compressor.scorers import is_for_cpu, load
from compressor.scorers.folder import find_model
from compressor.scorers.rows import RowFront
from compressor.types import Scorer

Isolation: TypeAlias = Literal["auto", "process", "thread"]

_GPU_FILES = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""One of them is there where the system has a GPU for torch: asking torch would take it into this process."""


@dataclass(frozen=True, slots=True)
class Placement:
    """What scores, and where."""

    scorer: str = "default"
    devices: tuple[str, ...] = ("auto",)
    precision: str = "auto"
    isolation: Isolation = "auto"
    watchdog_s: float = WATCHDOG_S


def place(placement: Placement, gpu_files: Iterable[str] = _GPU_FILES) -> Scorer:
    """The scorer, loaded on every device, ready for use; `close` it. Raises ModelError."""
    has_gpu = any(Path(file).exists() for file in gpu_files)
    scorers: dict[str, Scorer] = {}
    isolated: list[IsolatedScorer] = []
    for device in placement.devices:
        if _is_isolated(placement, device, has_gpu=has_gpu):
            isolated.append(_isolated(placement, device))
            scorers[device] = isolated[-1]
        else:
            scorers[device] = load(placement.scorer, device, placement.precision)
    try:
        _together([one.start for one in isolated])
        return next(iter(scorers.values())) if len(scorers) == 1 else Replicated(scorers)
    except BaseException:
        _together([one.close for one in isolated])
        raise


def close(scorer: Scorer) -> None:
    """End the processes of a scorer that was placed."""
    _together([one.close for one in by_device(scorer).values() if isinstance(one, IsolatedScorer)])


def _together(steps: list[Callable[[], None]]) -> None:
    """At the same time: loading takes long. Raises what the first of them raises."""
    if steps:
        with ThreadPoolExecutor(len(steps), "pith-placing") as pool:
            for future in [pool.submit(step) for step in steps]:
                future.result()


def _is_isolated(placement: Placement, device: str, *, has_gpu: bool) -> bool:
    if placement.isolation != "auto":
        return placement.isolation == "process"
    return not is_for_cpu(placement.scorer) and (device.startswith("cuda") or (device == "auto" and has_gpu))


def _isolated(placement: Placement, device: str) -> IsolatedScorer:
    name = placement.scorer
    recipe = Recipe("compressor.scorers:load", (name, device, placement.precision), partial(_front, name))
    return IsolatedScorer(recipe, watchdog_s=placement.watchdog_s)


def _front(name: str, told: dict[str, Any]) -> Front:
    """The half that stays here: of a model the tokenizer alone, of an embedded scorer one like that there."""
    if told["limits"] is None:
        return load(name, "cpu")
    from compressor.scorers.tokenizer import TextTokenizer

    folder = find_model(name)
    return RowFront(TextTokenizer(folder.tokenizer(), name), Limits(*told["limits"]), folder.path)

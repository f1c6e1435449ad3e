"""Fits the network to grades: the work behind `pith train fit`.

Graded chunks are JSON lines with `id`, `lang`, `text` and `grades`. One document in five, by the hash of its
name, is never learnt from. A checkpoint is written after each pass; the same call goes on from the last.
Equal inputs, seed and processes give equal weights, on one kind of machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from compressor.errors import DataError
from compressor.scorers.embedded_inputs import MASK, NOTHING, inputs_of
from compressor.train.adapt import Heads, sample
from compressor.train.adapt import loss_of as adaptation_loss
from compressor.train.checkpoint import read_checkpoint, write_checkpoint
from compressor.train.corpus import read_texts
from compressor.train.frequency_samples import Sample, read_graded
from compressor.train.grade_rows import Shown, rows_alone, rows_together, soft_rows
from compressor.train.net import Batch, Net
from compressor.train.peers import Peers, run
from compressor.train.progress import report
from compressor.train.rows import Row, batches, collate
from compressor.train.schedule import Rates, Stepper, groups, seed_all

BESIDES = 0.15
"""What other texts count for, beside grades."""
SMOOTHED = 0.02
"""Two gradings of a text agree on nine words in ten: no grade is certain."""
_FURTHEST = 96
"""A window may stand anywhere: its first word is given a position up to this."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to fit, to what, and how."""

    start: Path
    graded: tuple[Path, ...]
    out: Path
    epochs: int = 5
    batch_words: int = 2048
    """Words of a step and process."""
    seed: int = 0
    device: str = "cpu"
    texts: Path | None = None
    """Folder of other texts, to learn from besides as `adapt` does: grades alone are soon learnt by heart."""
    soft: tuple[Path, ...] = ()
    """Texts with soft grades (`soften`). Each is shown once, in one of the passes."""
    texts_share: float = 0.42
    """Of a pass of `adapt`, in each pass."""
    piece_drop: float = 0.1
    """Share of words whose pieces are hidden: the context has to say."""
    value_drop: float = 0.1
    """Share of what is known besides that is hidden, a value at a time."""
    rates: Rates = field(default_factory=Rates)


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """All rows there are. A pass shows every chunk once; by itself and among its neighbours take turns."""

    alone: Shown
    together: Shown
    besides: Sequence[Sequence[Row]]
    """Of each pass, the windows of other texts and of such with soft grades."""

    def rows(self, epoch: int) -> list[Row]:
        """Those of one pass."""
        ways = (self.alone, {**self.alone, **self.together})
        graded = [row for at, name in enumerate(self.alone) for row in ways[(at + epoch) % 2][name]]
        return [*graded, *self.besides[epoch]]


def fit(plan: Plan, processes: int, tell: Callable[[str], None]) -> None:
    """Fit to what the plan names. Raises ModelError for a start that is none."""
    net, tokenizer = read_checkpoint(plan.start)
    samples = [sample for path in plan.graded for sample in read_graded(path)]
    learnt = [sample for sample in samples if not sample.is_held_out]
    held_out = [sample for sample in samples if sample.is_held_out]
    lesson = Lesson(
        rows_alone(learnt, tokenizer), rows_together(learnt, tokenizer), _besides(plan, tokenizer)
    )
    if not learnt and not any(lesson.besides):
        raise DataError(
            f"nothing to learn from: all {len(held_out)} chunks are held out; grade more documents"
        )
    tell(f"{len(learnt)} chunks to learn from, {len(held_out)} held out")
    run(_fit, processes, plan, (net, tokenizer), lesson, held_out, tell)


def _fit(
    peers: Peers,
    plan: Plan,
    started: tuple[Net, Tokenizer],
    lesson: Lesson,
    held_out: Sequence[Sample],
    tell: Callable[[str], None],
) -> None:
    """In each process; the first writes checkpoints and tells."""
    net, tokenizer = started
    net.to(plan.device)  # before the optimizer, whose state lies beside the weights
    steps = [_steps(lesson.rows(epoch), plan, epoch, peers) for epoch in range(plan.epochs)]
    seed_all(plan.seed)
    heads = Heads(net.shape.width).to(plan.device) if plan.texts else None
    stepper = Stepper(groups(net, plan.rates, heads), sum(map(len, steps)), peers)
    done = _restore(plan.out, net, heads, stepper)
    for epoch in range(done, plan.epochs):
        seed_all(plan.seed + 1000 * epoch + peers.rank)
        say = _Progress(tell if peers.is_first else _silent, epoch + 1, len(steps[epoch]))
        net.train()
        for group in steps[epoch]:
            say.step(_learn(net, heads, stepper, group, plan))
        net.eval()
        if peers.is_first:
            write_checkpoint(plan.out, net, tokenizer)
            _save_state(plan.out, heads, stepper, epoch + 1)
            tell(f"pass {epoch + 1}: {report(net, tokenizer, held_out)}")


def _steps(rows: Sequence[Row], plan: Plan, epoch: int, peers: Peers) -> list[list[Row]]:
    """The batches of this process: as many as every other has."""
    every = list(batches(rows, plan.batch_words, plan.seed + epoch))
    return every[peers.rank : len(every) // peers.n * peers.n : peers.n] or every


def _besides(plan: Plan, tokenizer: Tokenizer) -> list[list[Row]]:
    see = partial(inputs_of, tokenizer=tokenizer)
    soft = [some for path in plan.soft for some in soft_rows(path, see)]
    found = [[row for some in soft[epoch :: plan.epochs] for row in some] for epoch in range(plan.epochs)]
    if plan.texts:
        texts = list(read_texts(plan.texts))
        for epoch, rows in enumerate(found):
            rows += sample(texts, tokenizer, plan.seed + epoch, plan.texts_share)
    return found


def _learn(net: Net, heads: Heads | None, stepper: Stepper, group: Sequence[Row], plan: Plan) -> float:
    batch, labels, weights = collate(group)
    labels, weights = labels.to(plan.device), weights.to(plan.device)
    if group[0].kind in LOSSES:
        loss = LOSSES[group[0].kind](net, with_holes(batch, plan).to(plan.device), labels, weights)
    else:
        assert heads is not None, "rows of other texts come with heads for their tasks"
        with torch.autocast(labels.device.type, torch.bfloat16):
            loss = BESIDES * adaptation_loss(net, heads, batch.to(plan.device), labels, weights)
    stepper.step(loss)
    return float(loss.detach())


def loss_of(net: nn.Module, batch: Batch, labels: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy of both levels, by weight."""
    wanted = labels.clamp(SMOOTHED, 1 - SMOOTHED)
    losses = functional.binary_cross_entropy_with_logits(_logits(net, batch), wanted, reduction="none")
    return (losses.mean(-1) * weights).sum() / weights.sum().clamp(min=1)


def soft_loss(net: nn.Module, batch: Batch, scores: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy of the one score, the mean of both levels' probabilities, by weight."""
    found = torch.sigmoid(_logits(net, batch)).mean(-1)
    losses = functional.binary_cross_entropy(found, scores[..., 0], reduction="none")
    return (losses * weights).sum() / weights.sum().clamp(min=1)


LOSSES = {"grades": loss_of, "soft": soft_loss}
"""By kind of row."""


def _logits(net: nn.Module, batch: Batch) -> Tensor:
    with torch.autocast(batch.of.device.type, torch.bfloat16):
        logits: Tensor = net(batch, int(torch.randint(0, _FURTHEST, ())))
    return logits.float()


def with_holes(batch: Batch, plan: Plan) -> Batch:
    """The batch with some of what it shows hidden."""
    hidden = torch.rand(len(batch.offsets)) < plan.piece_drop
    sizes = torch.diff(batch.offsets, append=torch.tensor([len(batch.pieces)]))
    pieces = torch.where(torch.repeat_interleave(hidden, sizes), MASK, batch.pieces)
    values = torch.where(torch.rand(batch.values.shape) < plan.value_drop, NOTHING, batch.values)
    return Batch(pieces, batch.offsets, batch.of, values, batch.is_word)


class _Progress:
    """Tells the mean loss of the latest steps, now and then."""

    def __init__(self, tell: Callable[[str], None], epoch: int, n: int) -> None:
        self._tell, self._epoch, self._n = tell, epoch, n
        self._began, self._at, self._mean = time.monotonic(), 0, 0.0

    def step(self, loss: float) -> None:
        self._at += 1
        self._mean += (loss - self._mean) / min(self._at, 30)
        if self._at % 20 == 0:
            seconds = time.monotonic() - self._began
            self._tell(
                f"pass {self._epoch}: {self._at}/{self._n} steps, loss {self._mean:.4f}, {seconds:.0f} s"
            )


def _silent(_: str) -> None:
    """What the other processes tell."""


def _save_state(folder: Path, heads: Heads | None, stepper: Stepper, epoch: int) -> None:
    of_heads = heads.state_dict() if heads else {}
    torch.save({"epoch": epoch, "heads": of_heads, **stepper.state()}, folder / "state.part")
    (folder / "state.part").replace(folder / "state.pt")


def _restore(folder: Path, net: Net, heads: Heads | None, stepper: Stepper) -> int:
    """Passes done; their weights are put in place."""
    if not (folder / "state.pt").exists():
        return 0
    state = torch.load(folder / "state.pt", weights_only=True)
    net.load_state_dict(read_checkpoint(folder)[0].state_dict())
    if heads:
        heads.load_state_dict(state["heads"])
    stepper.restore(state)
    return int(state["epoch"])

"""Fits a token classifier of Hugging Face's form to grades: `pith train fit` where it starts from one.

A token's target is the expected grade of its word, halved: 1 in heavy, a half in light alone, 0 dropped; what
belongs to no graded word counts nothing. The folder it writes is a model of the same kind, after each pass,
with the state to go on from beside it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from compressor.chunks import Limits, rank_cuts, windows
from compressor.scorers.checkpoint import longest_row, read_model
from compressor.scorers.folder import find_model
from compressor.scorers.labels import Keep, keep_label
from compressor.scorers.tokenizer import TextTokenizer
from compressor.train.frequency_samples import Sample, read_graded
from compressor.train.grade_rows import kept_shares, word_weights
from compressor.train.schedule import seed_all

Floats = NDArray[np.float32]
_STATE = "fit_state.pt"
_DEPENDENT = 1e-8


@dataclass(frozen=True, slots=True)
class ClassifierPlan:
    """What to fit, to what, and how."""

    start: str
    graded: tuple[Path, ...]
    out: Path
    epochs: int = 3
    batch_tokens: int = 4096
    rate: float = 2e-5
    seed: int = 0
    device: str = "cpu"


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A window of a chunk, control tokens included; weight 0 where a token is not graded."""

    ids: NDArray[np.int64]
    targets: Floats
    weights: Floats


def rows_of(sample: Sample, tokenizer: TextTokenizer, limits: Limits) -> list[Row]:
    """The windows of a graded chunk."""
    tokens = tokenizer.encode(sample.text)
    words = sample.words
    of = np.minimum(np.searchsorted(words.ends, tokens.starts, side="right"), len(words) - 1)
    inside = (words.starts[of] < tokens.ends) & tokens.is_known
    targets = kept_shares(sample).mean(axis=1).clip(0, 1)[of]
    weights = np.where(inside, word_weights(words, sample.language)[of], 0).astype(np.float32)
    before, after = len(tokenizer.prefix), len(tokenizer.suffix)
    return [
        Row(
            np.array(
                [*tokenizer.prefix, *tokens.ids[window.start : window.end], *tokenizer.suffix], np.int64
            ),
            np.pad(targets[window.start : window.end], (before, after)),
            np.pad(weights[window.start : window.end], (before, after)),
        )
        for window in windows(rank_cuts(words, tokens.starts, tokens.ends), limits)
    ]


def fit_classifier(plan: ClassifierPlan, tell: Callable[[str], None]) -> None:
    """Fit, from the last checkpoint of the folder if there is one. Raises ModelError."""
    seed_all(plan.seed)
    folder = find_model(plan.start)
    tokenizer = TextTokenizer(folder.tokenizer(), plan.start)
    state = _state(plan.out)
    model = read_model(plan.out if state else folder.path, plan.start, torch.float32).to(plan.device)
    keep = keep_label(plan.start, model.config.num_labels, model.config.id2label)
    longest = longest_row(model, folder.longest_input())
    limits = Limits.of(longest - len(tokenizer.prefix) - len(tokenizer.suffix))
    samples = [sample for path in plan.graded for sample in read_graded(path)]
    rows = [row for s in samples if not s.is_held_out for row in rows_of(s, tokenizer, limits)]
    held_out = [row for s in samples if s.is_held_out for row in rows_of(s, tokenizer, limits)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=plan.rate, weight_decay=0.01)
    if state:
        optimizer.load_state_dict(state["optimizer"])
    tell(f"{len(rows)} windows to learn from, {len(held_out)} held out")
    for epoch in range(state["epoch"] if state else 0, plan.epochs):
        seed_all(plan.seed + epoch)
        losses = _epoch(model, keep, optimizer, _batches(rows, plan, epoch), plan, epoch)
        _save(model, folder.path, optimizer, plan.out, epoch + 1)
        tell(f"pass {epoch + 1}: loss {losses:.4f}, held out {_loss(model, keep, held_out, plan):.4f}")


def _epoch(
    model: Any, keep: Keep, optimizer: Any, some: Sequence[Sequence[Row]], plan: ClassifierPlan, epoch: int
) -> float:
    """The mean loss of a pass, over which the learning rate falls on its way from all to nothing."""
    model.train()
    total = 0.0
    for at, batch in enumerate(some):
        done = (epoch + at / len(some)) / plan.epochs
        for group in optimizer.param_groups:
            group["lr"] = plan.rate * (1 - done)
        loss = _batch_loss(model, keep, batch, plan.device)
        loss.backward()  # type: ignore[no-untyped-call] # torch
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        total += float(loss.detach())
    model.eval()
    return total / max(len(some), 1)


def _loss(model: Any, keep: Keep, rows: Sequence[Row], plan: ClassifierPlan) -> float:
    with torch.inference_mode():
        losses = [float(_batch_loss(model, keep, batch, plan.device)) for batch in _batches(rows, plan, 0)]
    return sum(losses) / len(losses) if losses else float("nan")


def _batch_loss(model: Any, keep: Keep, rows: Sequence[Row], device: str) -> Tensor:
    longest = max(len(row.ids) for row in rows)
    pad_id = int(getattr(model.config, "pad_token_id", None) or 0)
    ids = torch.full((len(rows), longest), pad_id)
    targets, weights = torch.zeros(len(rows), longest), torch.zeros(len(rows), longest)
    is_token = torch.zeros(len(rows), longest, dtype=torch.long)
    for at, row in enumerate(rows):
        n = len(row.ids)
        ids[at, :n], targets[at, :n] = torch.from_numpy(row.ids), torch.from_numpy(row.targets)
        weights[at, :n], is_token[at, :n] = torch.from_numpy(row.weights), 1
    with torch.autocast(device.split(":")[0], torch.bfloat16):
        logits = model(input_ids=ids.to(device), attention_mask=is_token.to(device)).logits
    logit = logits[..., keep.index].float()
    if keep.other is not None:
        logit = logit - logits[..., keep.other].float()
    losses = functional.binary_cross_entropy_with_logits(logit, targets.to(device), reduction="none")
    weights = weights.to(device)
    return (losses * weights).sum() / weights.sum().clamp(min=_DEPENDENT)


def _batches(rows: Sequence[Row], plan: ClassifierPlan, epoch: int) -> list[list[Row]]:
    """All rows once, neighbours in length together, in an order of the seed."""
    groups: list[list[Row]] = []
    for row in sorted(rows, key=lambda row: len(row.ids)):
        if not groups or (len(groups[-1]) + 1) * len(row.ids) > plan.batch_tokens:
            groups.append([])
        groups[-1].append(row)
    order = np.random.default_rng(plan.seed + epoch).permutation(len(groups))
    return [groups[at] for at in order]


def _save(model: Any, start: Path, optimizer: Any, out: Path, epoch: int) -> None:
    model.save_pretrained(out)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if (start / name).is_file() and start != out:
            shutil.copyfile(start / name, out / name)
    torch.save({"epoch": epoch, "optimizer": optimizer.state_dict()}, out / f"{_STATE}.part")
    (out / f"{_STATE}.part").replace(out / _STATE)


def _state(folder: Path) -> dict[str, Any] | None:
    path = folder / _STATE
    return torch.load(path, weights_only=True) if path.exists() else None

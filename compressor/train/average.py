"""The mean of networks fitted from one start: it often agrees better with held-out grades than any of them.

python -m compressor.train.average --out FOLDER CHECKPOINT CHECKPOINT ...
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import torch

from compressor.errors import ModelError
from compressor.train.checkpoint import read_checkpoint, write_checkpoint
from compressor.train.net import Net


def average(nets: Sequence[Net]) -> Net:
    """A network whose weights are the means of theirs."""
    if any(net.shape != nets[0].shape for net in nets):
        raise ModelError("the networks differ in shape: average such as were fitted from one start")
    states = [net.state_dict() for net in nets]
    mean = Net(nets[0].shape).eval()
    mean.load_state_dict({name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]})
    return mean


@click.command()
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.argument("checkpoints", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def main(out: Path, checkpoints: tuple[Path, ...]) -> None:
    """Write the mean of the networks of CHECKPOINTS to OUT."""
    read = [read_checkpoint(folder) for folder in checkpoints]
    write_checkpoint(out, average([net for net, _ in read]), read[0][1])


if __name__ == "__main__":
    main()

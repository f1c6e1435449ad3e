from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from compressor.errors import ModelError
from compressor.train.average import average, main
from compressor.train.checkpoint import read_checkpoint, write_checkpoint
from compressor.train.net import Net, Shape
from tests.compressor.tiny_embedded import tiny_net, tiny_tokenizer


def test_every_weight_is_the_mean(tmp_path: Path) -> None:
    nets = [tiny_net(0), tiny_net(1)]
    for at, net in enumerate(nets):
        write_checkpoint(tmp_path / str(at), net, tiny_tokenizer())
    arguments = ["--out", tmp_path / "mean", tmp_path / "0", tmp_path / "1"]
    ran = CliRunner().invoke(main, [str(part) for part in arguments], catch_exceptions=False)
    assert ran.exit_code == 0
    mean, _ = read_checkpoint(tmp_path / "mean")
    for name, weight in mean.state_dict().items():
        theirs = [net.state_dict()[name] for net in nets]
        assert torch.allclose(weight, (theirs[0] + theirs[1]) / 2), name


def test_networks_of_other_shapes_are_refused() -> None:
    with pytest.raises(ModelError, match="differ in shape"):
        average([tiny_net(), Net(Shape(300, n_layers=1, width=32, inner=64, heads=4, known=8, hidden=16))])

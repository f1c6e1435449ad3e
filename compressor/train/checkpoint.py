"""A network with its tokenizer as a folder: what training stages hand to each other."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from compressor.errors import ModelError
from compressor.scorers.embedded_folder import WEIGHTS
from compressor.train.export import read_exported
from compressor.train.net import Net, load, save

NET, TOKENIZER = "net.safetensors", "tokenizer.json"


def read_checkpoint(folder: Path) -> tuple[Net, Tokenizer]:
    """The network of a checkpoint folder, or of a folder that ships. Raises ModelError."""
    if (folder / NET).exists():
        return load(folder / NET), Tokenizer.from_file(str(folder / TOKENIZER))
    if (folder / WEIGHTS).exists():
        net, tokenizer = read_exported(folder)
        return net, Tokenizer.from_str(tokenizer)
    raise ModelError(f"{str(folder)!r} holds neither {NET} nor {WEIGHTS}: name a folder that training wrote")


def write_checkpoint(folder: Path, net: Net, tokenizer: Tokenizer) -> None:
    """Write both, the network last and at once: a folder with a network is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TOKENIZER).write_text(tokenizer.to_str(), encoding="utf-8")
    save(net, folder / NET)

"""A token classifier's weights from its folder, as transformers reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from compressor.errors import ModelError

LONGEST_WINDOW = 512
"""The chunk length that compressors of this kind are trained on. Longer rows cost quadratic attention and
hold up their neighbours; models that reach further are still given windows of this size."""


def read_model(path: Path, name: str, dtype: torch.dtype) -> Any:
    """The model on the CPU. Everything it needs must be in the weights: nothing is made up at random."""
    from transformers import AutoModelForTokenClassification
    from transformers.utils import logging

    shows_progress = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        model, info = AutoModelForTokenClassification.from_pretrained(
            str(path),
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise ModelError(
            f"model {name!r}: transformers cannot load {path.resolve()}: {error}: "
            "fetch the model again, or choose one that AutoModelForTokenClassification loads"
        ) from error
    finally:
        if shows_progress:
            logging.enable_progress_bar()
    if missing := sorted(info["missing_keys"]):
        raise ModelError(
            f"model {name!r}: the weights lack {', '.join(missing[:3])}: "
            "choose a model trained to classify tokens"
        )
    return model.eval()


def longest_row(model: Any, stated: int | None) -> int:
    """Most tokens in a row, control tokens included.

    Families that count positions from the padding id on (RoBERTa) say so in the position table's
    `padding_idx`: 514 rows with padding at 1 are 512 positions. Without a table (rotary, relative) the
    config's figure is the limit.
    """
    limit = int(getattr(model.config, "max_position_embeddings", None) or LONGEST_WINDOW)
    for path, module in model.named_modules():
        if path.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
            reserved = 0 if module.padding_idx is None else module.padding_idx + 1
            limit = min(limit, module.num_embeddings - reserved)
    return min(limit, stated or limit, LONGEST_WINDOW)


def find_device(device: str) -> torch.device:
    """The device of that name; of `auto`, the GPU if there is one. Raises ModelError."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise ModelError(f"device is {device!r}: use auto, cpu, cuda or cuda:0") from error
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise ModelError(
            f"device is {device!r}: torch sees {torch.cuda.device_count()} CUDA devices; use auto or cpu"
        )
    return found

"""The forward pass of fidelity compat: rows as they are given, and a softmax, which a sigmoid equals but for
rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from compressor.compat_chunks import Rows

KEEP = 1
"""Of the two labels, whatever they are called."""


def probabilities(model: Any, rows: Rows) -> NDArray[np.float32]:
    """Of every token that the mask lets through, row after row."""
    with torch.inference_mode():
        ids = torch.from_numpy(rows.ids).to(model.device)
        mask = torch.from_numpy(rows.mask).to(model.device)
        logits = model(input_ids=ids, attention_mask=mask).logits
        kept = torch.softmax(logits, dim=-1)[..., KEEP]
        flat: NDArray[np.float32] = kept[mask].float().cpu().numpy()
    return flat

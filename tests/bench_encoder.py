"""One layer of the encoder beside transformers', on one core: how fast which multiplies; no model is loaded.

    python -m tests.bench_encoder

Rows of 512 tokens, and eight of 62, which llmlingua fills up to 512. Processor time, by turns, the best of
all rounds; a layer's tokens a second divided by the number of layers.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
import transformers
from rich.console import Console
from rich.table import Table

from compressor.scorers.attention import Pass
from compressor.scorers.encoder import Encoder
from compressor.scorers.passes import places
from compressor.scorers.shapes import SHAPES, Shape

LONG, SHORT = (512,), (62,) * 8
PRECISIONS = ("fp32", "bf16", "int8")
Work = Callable[[], Any]


def one_layer(shape: Shape) -> Any:
    """As transformers has it, embedding and head included, with a small vocabulary."""
    config = {**shape.config, "num_hidden_layers": 1, "vocab_size": 3000}
    kind = getattr(transformers, f"{shape.kind}ForTokenClassification")
    return kind(getattr(transformers, f"{shape.kind}Config")(**config)).eval()


def theirs(model: Any, lengths: tuple[int, ...]) -> Work:
    """Every row filled up to 512 tokens and masked, as the package does it."""
    ids = torch.full((len(lengths), 512), 7)
    mask = torch.zeros_like(ids)
    for line, length in zip(mask, lengths, strict=True):
        line[:length] = 1
    return lambda: model(input_ids=ids, attention_mask=mask)


def ours(encoder: Encoder, lengths: tuple[int, ...]) -> Work:
    """Rows end to end."""
    ids = torch.full((sum(lengths),), 7)
    rows = Pass(ids, torch.from_numpy(places(lengths, encoder.first_place)), lengths)
    return lambda: encoder.logits(rows)


def measured(shape: Shape, lengths: tuple[int, ...], rounds: int) -> dict[str, float]:
    """Tokens a second of processor time, as if all layers were there."""
    model = one_layer(shape)
    work = {"transformers": theirs(model, lengths)}
    work |= {name: ours(Encoder(model, torch.device("cpu"), name), lengths) for name in PRECISIONS}
    least = dict.fromkeys(work, float("inf"))
    for _ in range(rounds + 1):  # the first warms up, and is no better than the others
        for name, run in work.items():
            began = time.process_time()
            run()
            least[name] = min(least[name], time.process_time() - began)
    n_layers = int(shape.config.get("num_hidden_layers", 12))
    return {name: sum(lengths) / seconds / n_layers for name, seconds in least.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=8, help="measured rounds")
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = Table("shape", "rows", *(f"{name}" for name in ("transformers", *PRECISIONS)))
    with torch.inference_mode():
        for name, shape in SHAPES.items():
            for title, lengths in (("512", LONG), ("8 of 62", SHORT)):
                speeds = measured(shape, lengths, options.rounds)
                base = speeds["transformers"]
                cells = [f"{speed:,.0f} ({speed / base:.1f}x)" for speed in speeds.values()]
                table.add_row(name, title, *cells)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()

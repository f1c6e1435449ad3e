"""`pith train`: the stages that make a scorer of one's own, in order; each reads and writes JSON lines."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.cli import LazyGroup

STAGES: Mapping[str, str] = {
    "distill": "gateway.cli.train_distill:distill",
    "annotate": "gateway.cli.train_annotate:annotate",
    "filter": "gateway.cli.train_filter:filter_records",
    "fit": "gateway.cli.train_fit:fit",
    "export": "gateway.cli.train_export:export",
}
"""Stage to `module:attribute`, in the order they are run: a stage's imports are its own."""

train = LazyGroup("train", STAGES, help_text="Make training data with a teacher, and train a scorer on it.")

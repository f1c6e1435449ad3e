"""Which output of a token classifier means "keep": read from its labels, never guessed from its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from compressor.errors import ModelError

_KEEP_NAMES = frozenset({"keep", "kept", "preserve", "1", "label_1"})


@dataclass(frozen=True, slots=True)
class Keep:
    """p(keep) = sigmoid(logit[index] - logit[other]), or sigmoid(logit[index]) where `other` is None."""

    index: int
    other: int | None
    reason: str


def keep_label(name: str, n_labels: int, labels: Mapping[int, str]) -> Keep:
    """One output is the logit of keeping. Of two, the one named like keeping, else index 1."""
    found = [str(labels.get(at, f"LABEL_{at}")) for at in range(n_labels)]
    if n_labels == 1:
        return Keep(0, None, f"the only output, {found[0]!r}, is the logit of keeping")
    if n_labels != 2:
        raise ModelError(
            f"model {name!r}: {n_labels} labels {found}: a compressor has two (drop, keep) or one output; "
            "choose a model trained for that"
        )
    named = [at for at, label in enumerate(found) if label.strip().lower() in _KEEP_NAMES]
    if len(named) == 1:
        return Keep(named[0], 1 - named[0], f"label {named[0]} of {found} is named like keeping")
    return Keep(1, 0, f"no one label of {found} is named like keeping, so index 1 is taken")

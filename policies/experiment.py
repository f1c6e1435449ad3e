"""Which variant a unit sticks to. Pure: the same salt, unit and weights give the same variant everywhere.

Whether a unit takes part at all, and whether it is held out, are dealt with salts of their own, so that more
units can be taken in and none moves to another variant.

u = first 8 bytes, big-endian, of SHA-256(salt ‖ 0x1F ‖ unit), over 2^64; the variant is the first whose
cumulative share of the weights exceeds u. Changing a weight moves only the units between the old and the
new boundaries; changing the salt deals everything anew. Golden vectors in the tests fix the arithmetic.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from policies.outcomes import HOLDOUT
from policies.schema import Experiment, Variant

_SEPARATOR = b"\x1f"  # a salt is printable, so it cannot hold the separator


def position(salt: str, unit: str) -> float:
    """Where a unit lies in [0, 1]; 1.0 only by rounding, once in 2^54 units."""
    digest = hashlib.sha256(_bytes(salt) + _SEPARATOR + _bytes(unit)).digest()
    return float(int.from_bytes(digest[:8], "big") / 2**64)


@dataclass(frozen=True, slots=True)
class Dealt:
    """What a unit was dealt."""

    arm: str | None
    """A variant's name, or HOLDOUT; None: it takes no part."""
    variant: Variant | None
    why: str


def deal(experiment: Experiment, unit: str) -> Dealt:
    """Whether the unit takes part, and in which arm."""
    if experiment.share < 1 and (u := position(f"{experiment.salt}/share", unit)) >= experiment.share:
        return Dealt(
            None, None, f"outside the experiment: {u:.4f} is not below its share {experiment.share:g}"
        )
    if experiment.holdout and (u := position(f"{experiment.salt}/holdout", unit)) < experiment.holdout:
        return Dealt(HOLDOUT, None, f"held out: {u:.4f} is below {experiment.holdout:g}")
    u = position(experiment.salt, unit)
    variant = pick(experiment.variants, u)
    return Dealt(variant.name, variant, f"unit falls at {u:.4f} in [0, 1]: variant {variant.name!r}")


def assign(experiment: Experiment, unit: str) -> Variant:
    """The variant of `unit`. A variant of weight 0 is never dealt."""
    return pick(experiment.variants, position(experiment.salt, unit))


def pick(variants: tuple[Variant, ...], u: float) -> Variant:
    """The variant whose share of the weights `u` falls into."""
    live = [variant for variant in variants if variant.weight > 0]
    target = u * sum(variant.weight for variant in live)
    cumulative = 0.0
    for variant in live:
        cumulative += variant.weight
        if target < cumulative:
            return variant
    return live[-1]  # u rounded up to 1


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # a unit comes from a request and may be any str

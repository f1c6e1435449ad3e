"""Which variant a unit sticks to. Pure: the same salt, unit and weights give the same variant everywhere.

u = first 8 bytes, big-endian, of SHA-256(salt ‖ 0x1F ‖ unit), over 2^64; the variant is the first whose
cumulative share of the weights exceeds u. Changing a weight moves only the units between the old and the
new boundaries; changing the salt deals everything anew. Golden vectors in the tests fix the arithmetic.
"""

from __future__ import annotations

import hashlib

from policies.schema import Experiment, Variant

_SEPARATOR = b"\x1f"  # a salt is printable, so it cannot hold the separator


def position(salt: str, unit: str) -> float:
    """Where a unit lies in [0, 1]; 1.0 only by rounding, once in 2^54 units."""
    digest = hashlib.sha256(_bytes(salt) + _SEPARATOR + _bytes(unit)).digest()
    return float(int.from_bytes(digest[:8], "big") / 2**64)


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

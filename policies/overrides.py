"""What a request asks of the policy through `x-pith-*` headers. Pure.

A header never makes a request fail: what cannot be used is ignored, and `notes` says so. `x-pith-mode: off`
and `x-pith-unit` are always honoured; the others only where the configuration allows overrides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from compressor.errors import ParamsError
from compressor.params import CompressionParams
from policies.schema import Mode
from policies.validate import shown

POLICY_HEADER: Final = "x-pith-policy"
MODE_HEADER: Final = "x-pith-mode"
RATE_HEADER: Final = "x-pith-rate"
UNIT_HEADER: Final = "x-pith-unit"
REQUEST_HEADERS: Final = (POLICY_HEADER, MODE_HEADER, RATE_HEADER, UNIT_HEADER)

MAX_UNIT_CHARS: Final = 256
_MODES: Final[dict[str, Mode]] = {"on": "on", "shadow": "shadow", "off": "off"}


@dataclass(frozen=True, slots=True)
class Overrides:
    """The usable part of the headers."""

    policy: str | None = None
    mode: Mode | None = None
    rate: float | None = None
    unit: str | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def from_headers(cls, headers: Mapping[str, str], *, is_allowed: bool = True) -> Overrides:
        """Read headers by lower-case name; `is_allowed` is the configuration's `allow_overrides`."""
        notes: list[str] = []
        mode = _mode(headers.get(MODE_HEADER), notes)
        unit = _unit(headers.get(UNIT_HEADER), notes)
        policy = headers.get(POLICY_HEADER)
        rate = _rate(headers.get(RATE_HEADER), notes)
        if not is_allowed:
            asked = (
                (POLICY_HEADER, policy),
                (MODE_HEADER, mode if mode != "off" else None),
                (RATE_HEADER, rate),
            )
            notes += [
                f"{name} ignored: allow_overrides is false" for name, value in asked if value is not None
            ]
            policy, mode, rate = None, "off" if mode == "off" else None, None
        return cls(policy=policy, mode=mode, rate=rate, unit=unit, notes=tuple(notes))


def _mode(text: str | None, notes: list[str]) -> Mode | None:
    if text is None:
        return None
    if "off" in (part.strip() for part in text.lower().split(",")):
        return "off"  # said once among several is enough: the client decides about its own request
    if (mode := _MODES.get(text.lower())) is None:
        notes.append(f"{MODE_HEADER} ignored: {shown(text)} is not on, shadow or off")
    return mode


def _rate(text: str | None, notes: list[str]) -> float | None:
    if text is None:
        return None
    try:
        return CompressionParams(rate=float(text)).rate
    except ParamsError as error:
        notes.append(f"{RATE_HEADER} ignored: {error}")
    except ValueError:
        notes.append(f"{RATE_HEADER} ignored: {shown(text)} is not a number")
    return None


def _unit(text: str | None, notes: list[str]) -> str | None:
    if text and len(text) <= MAX_UNIT_CHARS:
        return text
    if text is not None:
        notes.append(f"{UNIT_HEADER} ignored: {len(text)} characters, use 1 to {MAX_UNIT_CHARS}")
    return None

"""`env:NAME` in the configuration: the value is in the environment, so that no credential stands in a file.

Validators are handed the environment as their context; it is never read here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from pydantic import ValidationInfo

_WRITTEN: Final = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")


def variable_of(written: object) -> str | None:
    """The NAME of `env:NAME`; None for whatever else is written."""
    match = _WRITTEN.fullmatch(written) if isinstance(written, str) else None
    return match and match[1]


def environment(info: ValidationInfo) -> Mapping[str, str]:
    """The variables that a configuration is read with."""
    variables = (info.context or {}).get("env", {})
    assert isinstance(variables, Mapping)
    return variables


def value_of(name: str, info: ValidationInfo, *, remedy: str) -> str:
    """What a variable holds. Raises ValueError where that is nothing."""
    if not (value := environment(info).get(name)):
        raise ValueError(f"environment variable {name} is not set; {remedy}")
    return value

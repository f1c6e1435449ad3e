"""What the configuration may say of kept texts: which policies keep any, the policies say (`keep_texts`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from policies.params import Count, Frozen

DAY_S: Final = 86_400.0
_ELSEWHERE: Final = "pith-ledger.texts"


class KeptTextsConfig(Frozen):
    """Where requests are kept for `pith replay`, and for how long."""

    path: Path | None = None
    """A folder; None: beside the ledger's file, `pith-ledger.texts` for one in PostgreSQL."""
    days: Annotated[Count, Field(ge=1, le=365)] = 7
    """Whatever is older is deleted."""
    max_bytes: Annotated[Count, Field(ge=1 << 20)] = 1 << 30
    """On disk; beyond it the oldest go first."""

    @property
    def retention_s(self) -> float:
        """`days` in seconds."""
        return self.days * DAY_S


def kept_folder(settings: KeptTextsConfig, ledger: Path | None) -> Path:
    """`ledger` is its file, None where it is none."""
    if settings.path is not None:
        return settings.path.absolute()
    return Path(_ELSEWHERE).absolute() if ledger is None else ledger.with_name(f"{ledger.name}.texts")

"""What `from compressor import …` offers."""

from __future__ import annotations

import compressor


def test_all_is_sorted_and_holds_every_public_name() -> None:
    public = {
        name
        for name, value in vars(compressor).items()
        if not name.startswith("_") and getattr(value, "__module__", "").startswith("compressor.")
    }
    assert public <= set(compressor.__all__)
    assert compressor.__all__ == sorted(compressor.__all__)
    assert all(hasattr(compressor, name) for name in compressor.__all__)

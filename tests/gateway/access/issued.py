"""Virtual keys for tests."""

from __future__ import annotations

from typing import Any

from gateway.access.keys import VirtualKey, hash_of, make_key


def issue(key_id: str = "search-prod", **grants: Any) -> tuple[bytes, VirtualKey]:
    """A key as its holder has it, and what is kept of it."""
    text = make_key(key_id)
    return text.encode(), VirtualKey(id=key_id, hash=hash_of(text), **grants)

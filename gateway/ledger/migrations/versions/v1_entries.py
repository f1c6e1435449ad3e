"""One row a request."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Double, Integer, String, Text

revision = "1"
down_revision = None


def upgrade() -> None:
    """The table as it was first."""
    op.create_table(
        "entries",
        Column("id", String(64), primary_key=True),
        Column("created_at", Double, nullable=False, index=True),
        Column("day", String(10), nullable=False),
        Column("path", String(512), nullable=False),
        Column("status", Integer, nullable=False),
        Column("key_id", String(128)),
        Column("team", String(128)),
        Column("conversation", String(128)),
        Column("model", String(200)),
        Column("policy", String(128)),
        Column("policy_version", String(128)),
        Column("variant", String(128)),
        Column("mode", String(16), nullable=False),
        Column("is_streamed", Boolean, nullable=False),
        Column("is_complete", Boolean, nullable=False),
        Column("origin_tokens", BigInteger),
        Column("compressed_tokens", BigInteger),
        Column("tokenizer", String(64)),
        Column("skip", String(32)),
        Column("cache", String(16)),
        Column("prompt_tokens", BigInteger),
        Column("completion_tokens", BigInteger),
        Column("cached_tokens", BigInteger),
        Column("cache_write_tokens", BigInteger),
        Column("reasoning_tokens", BigInteger),
        Column("is_estimated", Boolean),
        Column("cost_usd", Double),
        Column("saved_usd", Double),
        Column("timing_ms", Text, nullable=False),
    )

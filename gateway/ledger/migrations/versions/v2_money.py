"""What the same prompt would have cost uncompressed, and how far that is off."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Double, String

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """Columns that rows of before leave empty."""
    for column in (
        Column("cache_write_1h_tokens", BigInteger),
        Column("service_tier", String(32)),
        Column("usage_problem", String(16)),
        Column("counterfactual_usd", Double),
        Column("counterfactual_cached_tokens", BigInteger),
        Column("counterfactual_basis", String(16)),
        Column("compression_usd", Double),
        Column("token_error", BigInteger),
        Column("cached_error", BigInteger),
        Column("device_ms", Double),
        Column("added_ms", Double),
    ):
        op.add_column("entries", column)

"""Sums by day, and the route of a request."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Double, String, Table, text

from gateway.ledger.rollup import daily_key

revision = "3"
down_revision = "2"

NAMES = ("day", "route", "policy", "policy_version", "variant", "model", "key_id", "team", "mode", "skip")
LENGTHS = {"day": 10, "route": 200, "model": 200, "mode": 16, "skip": 32}
SHORTER = "mode = 'on' and compressed_tokens < origin_tokens"
COUNTED = "status < 400 and origin_tokens is not null and compressed_tokens is not null"
COUNTS = {
    "requests": "count(*)",
    "compressed_requests": f"sum(case when {SHORTER} then 1 else 0 end)",
    "origin_tokens": f"sum(case when {COUNTED} then origin_tokens else 0 end)",
    "compressed_tokens": f"sum(case when {COUNTED} then compressed_tokens else 0 end)",
    "prompt_tokens": "sum(coalesce(prompt_tokens, 0))",
    "cached_tokens": "sum(coalesce(cached_tokens, 0))",
    "completion_tokens": "sum(coalesce(completion_tokens, 0))",
    "unpriced_requests": "sum(case when prompt_tokens is not null and cost_usd is null then 1 else 0 end)",
    "shadow_requests": "sum(case when mode = 'shadow' then 1 else 0 end)",
    "negative_requests": "sum(case when saved_usd < 0 then 1 else 0 end)",
}
MONEY = {
    **{
        name: f"sum(coalesce({name}, 0))"
        for name in ("cost_usd", "counterfactual_usd", "compression_usd", "saved_usd")
    },
    "negative_usd": "sum(case when saved_usd < 0 then saved_usd else 0 end)",
}
PATHS = "'/v1/chat/completions', '/v1/responses', '/v1/messages', '/v1/completions', '/v1/embeddings'"


def upgrade() -> None:
    """Rows of before are summed as well; of their paths only those that are routes become one."""
    op.add_column("entries", Column("route", String(200)))
    op.execute(f"update entries set route = path where path in ({PATHS})")  # noqa: S608 - our own words
    daily = op.create_table(
        "daily",
        Column("key", String(64), primary_key=True),
        *(Column(name, String(LENGTHS.get(name, 128)), index=name == "day") for name in NAMES),
        *(Column(name, BigInteger, nullable=False) for name in COUNTS),
        *(Column(name, Double, nullable=False) for name in MONEY),
    )
    _fill(daily)


def _fill(daily: Table) -> None:
    groups = ", ".join(NAMES)
    sums = ", ".join(f"{expression} as {name}" for name, expression in {**COUNTS, **MONEY}.items())
    query = text(f"select {groups}, {sums} from entries group by {groups}")  # noqa: S608 - our own words
    connection = op.get_bind()
    for part in connection.execute(query).mappings().partitions(500):
        rows = [{**row, "key": daily_key([row[name] for name in NAMES])} for row in part]
        connection.execute(daily.insert(), rows)

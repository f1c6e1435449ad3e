"""What alembic executes: the migrations, on the connection and in the transaction that it is handed."""

from __future__ import annotations

from alembic import context

from gateway.ledger.versions import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()

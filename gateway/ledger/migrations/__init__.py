"""The ledger's schema from version to version, as alembic runs it (gateway/ledger/versions.py)."""

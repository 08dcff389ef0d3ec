"""The journal's tables, its migrations, and how a row vouches for itself.

Rows are never changed: triggers refuse it, in SQLite and in PostgreSQL. Each row's checksum covers its
content and the checksum of the carry's row before it, so an edited or removed row breaks the chain.
A migration is a list of statements per dialect; `schema_version` tells which ones have been applied.
"""

import hashlib

import sqlalchemy as sa

metadata = sa.MetaData()

events = sa.Table(
    "journal_event",
    metadata,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("carry_id", sa.String(36), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("checksum", sa.String(64), nullable=False),
    sa.UniqueConstraint("carry_id", "version", name="journal_event_carry_version"),
)
schema = sa.Table(
    "journal_schema",
    metadata,
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("applied_ms", sa.BigInteger, nullable=False),
)

# version -> dialect -> statements; the tables themselves are created by version 1
MIGRATIONS: dict[int, dict[str, tuple[str, ...]]] = {
    1: {
        "sqlite": (
            "CREATE TRIGGER journal_event_no_update BEFORE UPDATE ON journal_event "
            "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END",
            "CREATE TRIGGER journal_event_no_delete BEFORE DELETE ON journal_event "
            "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END",
        ),
        "postgresql": (
            "CREATE FUNCTION journal_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the journal is append-only'; END $$",
            "CREATE TRIGGER journal_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE "
            "ON journal_event EXECUTE FUNCTION journal_append_only()",
        ),
    },
}
SCHEMA_VERSION = max(MIGRATIONS)


def checksum(before: str, carry_id: str, version: int, kind: str, payload: str) -> str:
    """Return the checksum (hex SHA-256) of a row that follows the row with checksum `before`."""
    text = "\n".join((before, carry_id, str(version), kind, payload))
    return hashlib.sha256(text.encode()).hexdigest()

"""Where a journal is kept: what the databases below it must do, and which one a URL names."""

from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from hedge_leg.adapters.sql_journal_postgres import PostgresStore
from hedge_leg.adapters.sql_journal_sqlite import SqliteStore
from hedge_leg.errors import ConfigError, JournalError


class Store(Protocol):
    """What differs between the databases."""

    where: str  # for messages: never a password
    begin: str

    def open(self, *, create: bool) -> None:
        """Refuse, create or migrate; take what the lease needs."""

    def connect(self) -> Connection:
        """Return a connection without an open transaction; JournalError when there is none."""

    def guard(self) -> None:
        """Raise JournalError when what is written would be lost."""

    def settle(self, connection: Connection) -> None:
        """Make durable what a doubtful commit has left."""

    def leave(self, connection: Connection) -> None:
        """Prepare to close the connection for good. May raise SQLAlchemyError."""

    def failure(self, error: SQLAlchemyError) -> JournalError:
        """Return the database's error as one line of ours."""

    def close(self) -> None:
        """Release the lease."""


def store_at(url: str, *, writes: bool) -> Store:
    """Return the store of a URL; ConfigError, which never shows the URL: it may hold a password."""
    allowed = "write sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
    try:
        parsed = sa.make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigError(f"hedge_leg.journal_url is not a database URL: {allowed}") from None
    if parsed.drivername in ("postgresql", "postgresql+psycopg"):
        return PostgresStore(parsed, writes=writes)
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise ConfigError(f"hedge_leg.journal_url names {parsed.drivername}: {allowed}")
    path = parsed.database or ""
    if path in ("", ":memory:") or path.startswith("file:") or parsed.query or parsed.host:
        raise ConfigError("hedge_leg.journal_url must be a plain file: write sqlite:///PATH")
    return SqliteStore(Path(path), writes=writes)

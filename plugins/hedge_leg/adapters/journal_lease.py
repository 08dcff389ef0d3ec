"""The exclusive lease on a journal: held by the system or the server, so it dies with its owner."""

import os
import socket
import sys
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa

from hedge_leg.errors import ConfigError, LeaseHeld

if sys.platform != "win32":
    import fcntl

_ADVISORY_KEY = 0x6865646765  # "hedge"


class FileLease:
    """`flock` on a file beside the journal; the file tells who holds it."""

    def __init__(self, journal: Path) -> None:
        """Take the lease; LeaseHeld names the holder."""
        if sys.platform == "win32":
            raise ConfigError("a SQLite journal needs file locks of Unix: use a PostgreSQL journal_url")
        path = journal.with_name(journal.name + ".lock")
        try:
            self._file: IO[str] | None = path.open("a+", encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"journal lock {path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.seek(0)
            holder = self._file.read().strip() or "another process"
            self._file.close()
            raise LeaseHeld(f"journal {journal} is driven by {holder}: stop that one first") from None
        self._file.seek(0)
        self._file.truncate()
        self._file.write(f"process {os.getpid()} on {socket.gethostname()}")
        self._file.flush()

    def release(self) -> None:
        """Give the lease back."""
        if self._file is not None:
            self._file.close()
            self._file = None


class AdvisoryLease:
    """A session's advisory lock on a connection of its own."""

    def __init__(self, engine: sa.Engine, shown_url: str) -> None:
        """Take the lease; LeaseHeld names the holder's backend."""
        self._connection: Any = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        taken = self._connection.execute(sa.select(sa.func.pg_try_advisory_lock(_ADVISORY_KEY))).scalar()
        if not taken:
            holder = self._connection.execute(
                sa.text(
                    "SELECT 'client ' || coalesce(host(a.client_addr), 'local') || ', backend ' || a.pid "
                    "FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
                    "WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database() LIMIT 1"
                )
            ).scalar()
            self._connection.close()
            holder = holder or "another process"
            raise LeaseHeld(f"journal {shown_url} is driven by {holder}: stop that one first")

    def held(self) -> bool:
        """Return whether the session that holds the lock still lives."""
        try:
            return bool(self._connection.execute(sa.select(1)).scalar())
        except sa.exc.SQLAlchemyError:
            return False

    def release(self) -> None:
        """Give the lease back."""
        self._connection.close()

"""SQLite below the journal: WAL, synchronous=FULL, one connection, a lease by `flock`.

A file is looked at read-only before anything may change it. A new one is made under another name and
renamed, so that half a journal or an empty file is never ours, and is refused.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from hedge_leg.adapters.file_lease import FileLease
from hedge_leg.adapters.sql_journal_schema import Damaged, known_version, migrate, schema_version, told
from hedge_leg.errors import ConfigError, JournalError

BUSY_MS = 250  # how long somebody else's lock is waited for
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_SETTINGS = {"synchronous": 2, "foreign_keys": 1, "busy_timeout": BUSY_MS}  # as SQLite reports them


class SqliteStore:
    """One journal file: who may open it, and whether it still is the one that was opened."""

    begin = "BEGIN IMMEDIATE"  # takes the write lock before the version is read

    def __init__(self, path: Path, *, writes: bool) -> None:
        """Name the file; nothing is opened yet."""
        self._path = path.resolve()
        self.where = str(self._path)
        self._writes = writes
        self._lease: FileLease | None = None
        self._engine: Engine | None = None
        self._inode: os.stat_result | None = None
        self._wal_inode: os.stat_result | None = None

    def open(self, *, create: bool) -> None:
        """Take the lease, look at the file, create or migrate it. ConfigError, LeaseHeld, JournalError."""
        try:
            if not self._path.parent.is_dir():
                raise ConfigError(f"journal {self.where}: its folder does not exist, create it")
            if not self._path.exists() and not (create and self._writes):
                raise ConfigError(
                    f"journal {self.where} does not exist: start the bot once, or name another one"
                )
            if self._writes:
                self._lease = FileLease(self._path)
            if not self._path.exists():
                self._create()
            self._inode = self._path.stat()
            self._refuse_or_migrate()
            self._engine = self._engine_for(self._path, "rw" if self._writes else "ro")
        except SQLAlchemyError as error:
            raise self.failure(error) from error
        except OSError as error:
            raise JournalError(f"journal {self.where} cannot be used: {error.strerror}") from error

    def _create(self) -> None:
        left = [path for path in (self._beside("-wal"), self._beside("-journal")) if path.exists()]
        if left:
            # SQLite would play the lost journal's last pages into the new file
            raise Damaged(
                f"journal {self.where} is gone but {left[0].name} is there: restore both, or move it away"
            )
        fresh = self._beside(".new")
        fresh.unlink(missing_ok=True)
        fresh.with_name(fresh.name + "-journal").unlink(missing_ok=True)
        with closing(self._engine_for(fresh, "rwc").connect()) as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            migrate(connection, 0)
            connection.exec_driver_sql("COMMIT")
        fresh.rename(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name must outlive a power cut as well
        finally:
            os.close(folder)

    def _refuse_or_migrate(self) -> None:
        """Refuse, untouched, what is no journal of ours; bring an older one to this version."""
        with closing(self._engine_for(self._path, "ro").connect()) as connection:
            version = schema_version(connection, self.where)
            if version == 0:
                raise Damaged(
                    f"journal {self.where} is not a journal: name another file; nothing was changed"
                )
            flaw = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
        if flaw != "ok":
            text = " ".join(str(flaw).split())
            raise Damaged(f"journal {self.where} is damaged ({text}): restore a backup; nothing was changed")
        if version == known_version():
            return
        if not self._writes:
            raise JournalError(
                f"journal {self.where} has version {version}: start the bot once, it updates it"
            )
        with closing(self._engine_for(self._path, "rw").connect()) as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            migrate(connection, version)
            connection.exec_driver_sql("COMMIT")

    def connect(self) -> Connection:
        """Return a connection with every setting verified; JournalError when there is none."""
        assert self._engine is not None, "open() comes first"
        try:
            connection = self._engine.connect()
            try:
                if self._writes:
                    self._configure(connection)
                else:
                    connection.exec_driver_sql("PRAGMA query_only=ON")
            except BaseException:
                connection.close()
                raise
        except SQLAlchemyError as error:
            raise self.failure(error) from error
        return connection

    def _configure(self, connection: Connection) -> None:
        mode = connection.exec_driver_sql("PRAGMA journal_mode=WAL").scalar()
        if mode != "wal":
            raise JournalError(f"journal {self.where}: SQLite gives no WAL there ({mode}): use a local disk")
        connection.exec_driver_sql("PRAGMA fullfsync=ON")  # macOS: fsync alone does not reach the disk
        for name, wanted in _SETTINGS.items():
            if name != "busy_timeout":
                connection.exec_driver_sql(f"PRAGMA {name}={wanted}")
            found = connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            if found != wanted:
                raise JournalError(f"journal {self.where}: SQLite keeps {name} at {found}, not {wanted}")
        connection.exec_driver_sql("SELECT max(version) FROM journal_schema").scalar()  # opens the WAL
        self._wal_inode = self._beside("-wal").stat()

    def guard(self) -> None:
        """Raise JournalError when the file, its WAL or its lock is not the one that was opened.

        Writes would then go to a file without a name, durable for nobody.
        """
        if not self._writes:
            return
        for path, known in ((self._path, self._inode), (self._beside("-wal"), self._wal_inode)):
            try:
                same = known is not None and os.path.samestat(path.stat(), known)
            except OSError:
                same = False
            if not same:
                raise JournalError(f"journal file {path} was removed or replaced: put it back, then restart")
        if self._lease is None or not self._lease.held():
            raise JournalError(f"journal lock {self.where}.lock was removed or replaced: restart the bot")

    def settle(self, connection: Connection) -> None:
        """Bring what a doubtful commit left in the WAL to the disk; JournalError when that fails."""
        busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar()
        if busy:
            raise JournalError(f"journal {self.where}: somebody reads it, its WAL could not be written back")

    def leave(self, connection: Connection) -> None:
        """Do nothing: the lease is a file's, `close` releases it after the connection."""

    def failure(self, error: SQLAlchemyError) -> JournalError:
        """Return the error that tells what SQLite said, as one line."""
        orig = error.orig if isinstance(error, DBAPIError) else None
        code = getattr(orig, "sqlite_errorcode", 0) & 0xFF
        if code in _DAMAGED:
            return Damaged(
                f"journal {self.where} is damaged ({told(error)}): restore a backup; it was not changed"
            )
        return JournalError(f"journal {self.where} cannot be used: {told(error)}")

    def close(self) -> None:
        """Release the lease."""
        if self._lease is not None:
            self._lease.release()

    def _beside(self, suffix: str) -> Path:
        return self._path.with_name(self._path.name + suffix)

    def _engine_for(self, path: Path, mode: str) -> Engine:
        """Return an engine whose connections begin no transaction by themselves and are closed for good."""
        uri = f"file:{quote(str(path))}?mode={mode}"

        def connection() -> sqlite3.Connection:
            return sqlite3.connect(uri, uri=True, timeout=BUSY_MS / 1000, check_same_thread=False)

        return sa.create_engine(
            "sqlite://", creator=connection, poolclass=NullPool, isolation_level="AUTOCOMMIT"
        )

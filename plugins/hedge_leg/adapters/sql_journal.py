"""The journal in a database: SQLite by default (WAL, synchronous=FULL), PostgreSQL by URL.

`append` is one transaction and returns only when it is durable. A commit whose answer is lost is looked up
on a new connection before anything is said about it. A journal from a newer version, or one that is
damaged, is refused untouched.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import NullPool, StaticPool

from hedge_leg.adapters.journal_lease import AdvisoryLease, FileLease
from hedge_leg.adapters.journal_schema import MIGRATIONS, SCHEMA_VERSION, checksum, events, metadata, schema
from hedge_leg.core.codec import decode, encode
from hedge_leg.core.events import Announced, Event
from hedge_leg.errors import ConfigError, JournalError, VersionConflict
from hedge_leg.ports import Recorded

_BUSY_MS = 1_000  # how long a SQLite write waits for somebody else's
_COLUMNS = (events.c.carry_id, events.c.version, events.c.kind, events.c.payload, events.c.checksum)
_INSERT = sa.insert(events)


class SqlJournal:
    """Satisfies `ports.Journal`; open it with `open_journal`."""

    def __init__(self, engine: Engine, shown_url: str, lease: FileLease | AdvisoryLease | None) -> None:
        """Use an engine whose schema has been checked; None as lease: read only."""
        self._engine = engine
        self._shown_url = shown_url
        self._lease = lease
        self._heads: dict[str, tuple[int, str]] = {}

    def append(self, carry_id: str, after_version: int, batch: Sequence[Event]) -> None:
        """Make the events durable; see `ports.Journal`."""
        if self._lease is None:
            raise JournalError(f"journal {self._shown_url} was opened to read only")
        if not batch:
            return
        version, head = self._head(carry_id)
        if version != after_version:
            raise VersionConflict(f"carry {carry_id} is at version {version}, not {after_version}")
        rows: list[dict[str, Any]] = []
        for number, event in enumerate(batch, after_version + 1):
            kind, payload = type(event).__name__, orjson.dumps(encode(event)).decode()
            head = checksum(head, carry_id, number, kind, payload)
            row = {"carry_id": carry_id, "version": number, "kind": kind, "payload": payload}
            rows.append(row | {"at_ms": event.at_ms, "checksum": head})
        self._insert(carry_id, rows)
        self._heads[carry_id] = (after_version + len(batch), head)

    def _insert(self, carry_id: str, rows: list[dict[str, Any]]) -> None:
        """Write the rows in one transaction, or learn that they are there after a lost answer."""
        self._heads.pop(carry_id, None)  # unknown until this has worked
        try:
            with self._engine.begin() as connection:
                connection.execute(_INSERT, rows)
        except IntegrityError as error:
            raise VersionConflict(f"carry {carry_id} was written by somebody else meanwhile") from error
        except SQLAlchemyError as error:
            if self._is_there(rows):
                return
            raise JournalError(f"journal {self._shown_url}: {_told(error)}") from error

    def _is_there(self, rows: list[dict[str, Any]]) -> bool:
        """Return whether the last row was committed although its answer was an error."""
        last = rows[-1]
        wanted = (events.c.carry_id == last["carry_id"]) & (events.c.version == last["version"])
        try:
            with self._engine.connect() as connection:
                found = connection.execute(sa.select(events.c.checksum).where(wanted)).scalar()
        except SQLAlchemyError:
            return False  # the writer stops on the error and reads everything again before it goes on
        return bool(found == last["checksum"])

    def _head(self, carry_id: str) -> tuple[int, str]:
        """Return a carry's last version and checksum; (0, "") before its first event."""
        if carry_id not in self._heads:
            query = sa.select(events.c.version, events.c.checksum).where(events.c.carry_id == carry_id)
            with self._reading() as connection:
                row = connection.execute(query.order_by(events.c.version.desc()).limit(1)).first()
            self._heads[carry_id] = (0, "") if row is None else (row.version, row.checksum)
        return self._heads[carry_id]

    def read(self, carry_id: str) -> Sequence[Recorded]:
        """Return a carry's events by version."""
        query = sa.select(*_COLUMNS).where(events.c.carry_id == carry_id).order_by(events.c.version)
        with self._reading() as connection:
            return [_recorded(row) for row in connection.execute(query)]

    def stream(self) -> Iterable[Recorded]:
        """Yield everything, carries in the order they began, each by version."""
        self._heads.clear()
        first = (
            sa.select(events.c.carry_id, sa.func.min(events.c.seq).label("first"))
            .group_by(events.c.carry_id)
            .subquery()
        )
        query = (
            sa.select(*_COLUMNS)
            .join(first, first.c.carry_id == events.c.carry_id)
            .order_by(first.c.first, events.c.version)
        )
        with self._reading() as connection:
            rows = connection.execute(query).all()
        yield from map(_recorded, rows)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise JournalError(f"journal {self._shown_url}: {_told(error)}") from error

    def verify(self) -> list[str]:
        """Return what is wrong with the journal, a line each: gaps, broken chains, unreadable events."""
        found: list[str] = []
        heads: dict[str, tuple[int, str]] = {}
        query = sa.select(*_COLUMNS).order_by(events.c.carry_id, events.c.version)
        with self._reading() as connection:
            for row in connection.execute(query):
                version, head = heads.get(row.carry_id, (0, ""))
                where = f"carry {row.carry_id} version {row.version}"
                if row.version != version + 1:
                    found.append(f"{where}: versions {version + 1}..{row.version - 1} are missing")
                if row.checksum != checksum(head, row.carry_id, row.version, row.kind, row.payload):
                    found.append(f"{where}: the checksum does not fit: this row or one before was changed")
                try:
                    event = _recorded(row).event
                    if row.version == 1 and not isinstance(event, Announced):
                        found.append(f"{where}: a carry begins with Announced, not {row.kind}")
                except JournalError as error:
                    found.append(f"{where}: {error}")
                heads[row.carry_id] = (row.version, row.checksum)
        return found

    def close(self) -> None:
        """Release the lease and the connections."""
        if self._lease is not None:
            self._lease.release()
        self._engine.dispose()


def open_journal(url: str, *, exclusive: bool = True, create: bool = True) -> SqlJournal:
    """Open the journal at a SQLAlchemy URL and take its lease; `exclusive` False: read only, no lease.

    Raises ConfigError (URL, path), LeaseHeld (another process), JournalError (newer, damaged, unreachable);
    the journal is untouched then.
    """
    parsed = _parsed(url)
    shown = parsed.render_as_string(hide_password=True)
    path = Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None
    if path is not None and not path.exists() and not (create and exclusive):
        raise ConfigError(f"journal {path} does not exist: start the bot once, or name another one")
    if path is not None and not path.parent.is_dir():
        raise ConfigError(f"journal {path}: the folder does not exist: create it")
    lease: FileLease | AdvisoryLease | None = FileLease(path) if path is not None and exclusive else None
    engine = _engine(parsed, writes=exclusive)
    try:
        if path is None and exclusive:
            lease = AdvisoryLease(engine, shown)
        _migrate(engine, shown, may_change=exclusive)
    except (SQLAlchemyError, JournalError, ConfigError) as error:
        if lease is not None:
            lease.release()
        engine.dispose()
        if isinstance(error, SQLAlchemyError):
            raise JournalError(
                f"journal {shown} cannot be used: {_told(error)}; nothing was changed"
            ) from error
        raise
    return SqlJournal(engine, shown, lease)


def _parsed(url: str) -> URL:
    try:
        parsed = sa.make_url(url)
        backend = parsed.get_backend_name()
    except ArgumentError:
        raise ConfigError("hedge_leg.journal_url is not a database URL: write sqlite:///PATH") from None
    if backend not in ("sqlite", "postgresql"):
        raise ConfigError(f"hedge_leg.journal_url names {backend}: give a sqlite or a postgresql URL")
    if backend == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ConfigError("hedge_leg.journal_url has no file: write sqlite:///PATH")
    return parsed


def _engine(url: URL, *, writes: bool) -> Engine:
    """Return an engine with one connection of its own; SQLite with WAL and a full sync at every commit."""
    if url.get_backend_name() == "postgresql":
        try:
            return sa.create_engine(url, pool_size=2, pool_pre_ping=True)
        except ModuleNotFoundError as error:
            raise ConfigError(f"{error.name} is not installed: pip install 'psycopg[binary]'") from error
    options = {"check_same_thread": False, "timeout": _BUSY_MS / 1000}
    pool = StaticPool if writes else NullPool
    engine = sa.create_engine(url, connect_args=options, poolclass=pool)

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        if writes:
            mode = cursor.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            cursor.execute("PRAGMA synchronous=FULL")
            level = cursor.execute("PRAGMA synchronous").fetchone()[0]
            if (mode, level) != ("wal", 2):
                raise JournalError(f"SQLite gives no WAL with full sync here ({mode}, {level})")
        else:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    return engine


def _migrate(engine: Engine, shown: str, *, may_change: bool) -> None:
    """Bring an older or empty journal to this version; refuse a newer one untouched."""
    with engine.connect() as connection:
        known = sa.inspect(connection).has_table(schema.name)
        at = connection.execute(sa.select(sa.func.max(schema.c.version))).scalar() if known else 0
        damaged = (
            engine.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA quick_check").scalar()
        )
    if damaged and damaged != "ok":
        raise JournalError(f"journal {shown} is damaged ({damaged}): restore a backup; nothing was changed")
    at = at or 0
    if at > SCHEMA_VERSION:
        raise JournalError(
            f"journal {shown} is of version {at}, this hedge_leg knows {SCHEMA_VERSION}: update hedge_leg; "
            "nothing was changed"
        )
    if at == SCHEMA_VERSION:
        return
    if not may_change:
        raise JournalError(f"journal {shown} is of version {at}: start the bot once, it updates the journal")
    with engine.begin() as connection:
        if at == 0:
            metadata.create_all(connection)
        for version in range(at + 1, SCHEMA_VERSION + 1):
            for statement in MIGRATIONS[version][engine.dialect.name]:
                connection.exec_driver_sql(statement)
            row = {"version": version, "applied_ms": time.time_ns() // 1_000_000}
            connection.execute(sa.insert(schema), [row])


def _recorded(row: Any) -> Recorded:
    try:
        values = orjson.loads(row.payload)
    except orjson.JSONDecodeError as error:
        raise JournalError(f"carry {row.carry_id} version {row.version} is not readable: {error}") from error
    return Recorded(row.carry_id, row.version, decode(row.kind, values))


def _told(error: SQLAlchemyError) -> str:
    """Return the database's own words on one line, without statement and parameters."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return " ".join(str(cause).split())[:200]

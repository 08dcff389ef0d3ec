"""The guard's table `guard_trips` in the journal's database, with a version of its own.

It is no part of the journal: it has no lease and no chain, so `hedge-leg reset-breaker` may append a row
beside a running bot, which reads it at its next loop. Rows are never changed; triggers refuse it. A
connection is opened for each call: there are few, and none is held that the journal would wait for.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from hedge_leg.adapters.sql_journal_schema import told
from hedge_leg.core.guard.breakers import GuardRow, RowKind
from hedge_leg.errors import ConfigError, JournalError

_VERSION = 1
_BUSY_SEC = 2.0
_COLUMNS = ("at_ms", "kind", "breaker", "action", "until_ms", "carry_id", "amount", "bound", "text")
_TABLE = (
    "CREATE TABLE guard_trips (seq {key}, at_ms BIGINT NOT NULL, kind TEXT NOT NULL, breaker TEXT NOT NULL, "
    "action TEXT NOT NULL, until_ms BIGINT NOT NULL, carry_id TEXT NOT NULL, amount TEXT, bound TEXT, "
    "text TEXT NOT NULL)"
)
_REFUSE = "BEGIN SELECT RAISE(ABORT, 'guard_trips is append-only'); END"
_STATEMENTS = {
    "sqlite": (
        _TABLE.format(key="INTEGER PRIMARY KEY AUTOINCREMENT"),
        f"CREATE TRIGGER guard_trips_no_update BEFORE UPDATE ON guard_trips {_REFUSE}",
        f"CREATE TRIGGER guard_trips_no_delete BEFORE DELETE ON guard_trips {_REFUSE}",
    ),
    "postgresql": (
        _TABLE.format(key="BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
        "CREATE FUNCTION guard_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'guard_trips is append-only'; END $$",
        "CREATE TRIGGER guard_trips_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON guard_trips "
        "FOR EACH STATEMENT EXECUTE FUNCTION guard_append_only()",
    ),
}
_GUARD = sa.table("guard_trips", sa.column("seq"), *(sa.column(name) for name in _COLUMNS))
_VERSIONS = sa.table("guard_schema", sa.column("version"))


class SqlGuardLog:
    """Satisfies `ports.GuardLog`. The journal must exist before: its file is never made here."""

    def __init__(self, url: str) -> None:
        """Name the database; nothing is opened yet. ConfigError for a URL that is none."""
        try:
            parsed = sa.make_url(url)
        except sa.exc.ArgumentError:
            raise ConfigError("hedge_leg.journal_url is not a database URL") from None
        self._sqlite = parsed.drivername.startswith("sqlite")
        self._secret = str(parsed.password or "")
        more: dict[str, Any] = {"poolclass": sa.NullPool, "isolation_level": "AUTOCOMMIT"}
        if self._sqlite:
            uri = f"file:{quote(parsed.database or '')}?mode=rw"
            more["creator"] = lambda: sqlite3.connect(uri, uri=True, timeout=_BUSY_SEC)
            self._engine = sa.create_engine("sqlite://", **more)
        else:
            more["connect_args"] = {"connect_timeout": 5}
            self._engine = sa.create_engine(parsed.set(drivername="postgresql+psycopg"), **more)

    def append(self, *rows: GuardRow) -> None:
        """Make rows durable, all or none; makes the table at the first one. JournalError, nothing written."""

        def write(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE" if self._sqlite else "BEGIN")
            try:
                if not self._made(connection):
                    self._make(connection)
                connection.execute(sa.insert(_GUARD), [_plain(row) for row in rows])
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")

        self._with(write)

    def since(self, seq: int) -> Sequence[tuple[int, GuardRow]]:
        """Return (number, row) of all rows after a number, oldest first; none where there is no table."""

        def read(connection: Connection) -> list[Any]:
            if not self._made(connection):
                return []
            found = sa.select(_GUARD).where(_GUARD.c.seq > seq).order_by(_GUARD.c.seq)
            return list(connection.execute(found).all())

        return [(int(row.seq), _row(row)) for row in self._with(read)]

    def _with(self, do: Callable[[Connection], Any]) -> Any:
        try:
            with self._connected() as connection:
                return do(connection)
        except SQLAlchemyError as error:
            text = told(error)
            text = text.replace(self._secret, "***") if self._secret else text
            raise JournalError(f"the guard's table cannot be used: {text}") from error

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            session = "PRAGMA synchronous=FULL" if self._sqlite else "SET statement_timeout = '4s'"
            connection.exec_driver_sql(session)
            yield connection

    def _made(self, connection: Connection) -> bool:
        if not sa.inspect(connection).has_table("guard_schema"):
            return False
        version = connection.execute(sa.select(sa.func.max(_VERSIONS.c.version))).scalar()
        if version != _VERSION:
            raise JournalError(
                f"guard_trips has version {version}, this hedge_leg knows {_VERSION}: update it"
            )
        return True

    def _make(self, connection: Connection) -> None:
        connection.exec_driver_sql(
            "CREATE TABLE guard_schema (version INTEGER NOT NULL PRIMARY KEY, "
            "applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)"
        )
        for statement in _STATEMENTS[connection.dialect.name]:
            connection.exec_driver_sql(statement)
        connection.execute(sa.insert(_VERSIONS).values(version=_VERSION))


def _plain(row: GuardRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in _COLUMNS}
    return {name: str(value) if isinstance(value, Decimal) else value for name, value in values.items()} | {
        "kind": row.kind.value
    }


def _row(row: Any) -> GuardRow:
    """Return a row as the guard takes it. JournalError for one that a newer version wrote."""
    try:
        kind = RowKind(row.kind)
    except ValueError:
        raise JournalError(f"guard_trips row {row.seq} is of kind {row.kind}: update hedge_leg") from None
    amount, bound = (None if text is None else Decimal(text) for text in (row.amount, row.bound))
    return GuardRow(
        *(row.at_ms, kind, row.breaker, row.action, row.until_ms, row.carry_id, amount, bound, row.text)
    )

"""The journal in a database: SQLite by default, PostgreSQL by URL.

`append` is one transaction on one connection and returns only when it is durable. When the answer to COMMIT
is lost, the rows are looked up on a new connection before anything is said. A journal that is newer,
damaged, or driven by another process is refused and left as it is.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from threading import RLock
from types import SimpleNamespace
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from hedge_leg.adapters.sql_journal_schema import (
    EVENTS,
    Damaged,
    JournalFinding,
    all_rows,
    checksum,
    findings,
    recorded,
)
from hedge_leg.adapters.sql_journal_store import Store, store_at
from hedge_leg.core.codec import encode, kind_of
from hedge_leg.core.events import Event
from hedge_leg.errors import JournalError, VersionConflict
from hedge_leg.ports import Recorded

__all__ = ["JournalFinding", "SqlJournal", "open_journal", "verify"]

_MOST_CARRY_ID = 100  # characters
_INSERT = sa.insert(EVENTS)
_HEAD = sa.text(
    "SELECT (SELECT max(seq) FROM journal_event), "
    "(SELECT version FROM journal_event WHERE carry_id = :carry_id ORDER BY version DESC LIMIT 1), "
    "(SELECT checksum FROM journal_event WHERE carry_id = :carry_id ORDER BY version DESC LIMIT 1)"
)
_CARRY = sa.select(EVENTS).where(EVENTS.c.carry_id == sa.bindparam("carry_id")).order_by(EVENTS.c.version)
_CARRIES = sa.text("SELECT carry_id FROM journal_event GROUP BY carry_id ORDER BY min(seq)")
_ONE = sa.text("SELECT checksum FROM journal_event WHERE carry_id = :carry_id AND version = :version")


class _Fact(NamedTuple):
    kind: str
    payload: str
    at_ms: int


class SqlJournal:
    """Satisfies `ports.Journal`; made by `open_journal`. Safe to call from several threads."""

    def __init__(self, store: Store, *, writes: bool) -> None:
        """Use a store that was opened."""
        self._store = store
        self._writes = writes
        self._lock = RLock()
        self._process = os.getpid()
        self._connection: Connection | None = None
        self._closed = False

    def append(self, carry_id: str, after_version: int, events: Sequence[Event]) -> None:
        """Make the events durable, all or none; see `ports.Journal`.

        The text of a JournalError says so if it is not known whether they were written: then `read` tells.
        """
        facts = [_Fact(kind_of(one), orjson.dumps(encode(one)).decode(), one.at_ms) for one in events]
        if not (0 < len(carry_id) <= _MOST_CARRY_ID and carry_id.isprintable()):
            raise JournalError(
                f"{carry_id!r} is not a carry id: give 1 to {_MOST_CARRY_ID} printable characters"
            )
        if not self._writes:
            raise JournalError(f"journal {self._store.where} was opened to read only: nothing was written")
        with self._lock:
            try:
                rows = self._inserted(carry_id, after_version, facts)
                if rows:
                    self._commit(rows)
            except (VersionConflict, SQLAlchemyError) as error:
                self._roll_back()
                raise self._told(carry_id, error) from error
            except BaseException:  # a signal too: no transaction may stay open, no lock held
                self._drop()
                raise

    def _inserted(self, carry_id: str, after_version: int, facts: Sequence[_Fact]) -> list[dict[str, Any]]:
        """Insert the facts in an open transaction and return their rows; once more on a new connection.

        Nothing is committed when a connection turns out to be dead here, so trying again is safe.
        """
        try:
            return self._insert(self._connected(), carry_id, after_version, facts)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            self._drop()
            return self._insert(self._connected(), carry_id, after_version, facts)

    def _insert(
        self, connection: Connection, carry_id: str, after_version: int, facts: Sequence[_Fact]
    ) -> list[dict[str, Any]]:
        self._store.guard()
        connection.exec_driver_sql(self._store.begin)
        seq, version, head = connection.execute(_HEAD, {"carry_id": carry_id}).one()
        if (version or 0) != after_version:
            raise VersionConflict(f"carry {carry_id} is at version {version or 0}, not at {after_version}")
        rows: list[dict[str, Any]] = []
        for offset, fact in enumerate(facts, 1):
            row = {"seq": (seq or 0) + offset, "carry_id": carry_id, "version": after_version + offset}
            row |= fact._asdict()
            head = checksum(head or "", SimpleNamespace(**row))
            rows.append(row | {"checksum": head})
        if rows:
            connection.execute(_INSERT, rows)
        else:
            connection.exec_driver_sql("ROLLBACK")
        return rows

    def _commit(self, rows: Sequence[Mapping[str, Any]]) -> None:
        try:
            self._connected().exec_driver_sql("COMMIT")
        except SQLAlchemyError as error:
            self._look_up(rows[-1], self._store.failure(error))
        self._store.guard()

    def _look_up(self, last: Mapping[str, Any], cause: JournalError) -> None:
        """Return if the commit happened although its answer says otherwise; else raise what is known."""
        self._drop()
        wanted = {"carry_id": last["carry_id"], "version": last["version"]}
        try:
            connection = self._connected()
            found = connection.execute(_ONE, wanted).scalar()
            if found == last["checksum"]:
                self._store.settle(connection)
                return
        except (SQLAlchemyError, JournalError) as error:
            raise JournalError(
                f"{cause}; not known whether it was written ({error}): read it again"
            ) from error
        raise JournalError(f"{cause}; nothing was written")

    def _told(self, carry_id: str, error: VersionConflict | SQLAlchemyError) -> JournalError:
        if isinstance(error, VersionConflict):
            return error
        if isinstance(error, IntegrityError):
            return VersionConflict(
                f"carry {carry_id} was written by somebody else: {self._store.failure(error)}"
            )
        failure = self._store.failure(error)
        return type(failure)(f"{failure}; nothing was written")

    def read(self, carry_id: str) -> Sequence[Recorded]:
        """Return a carry's events by version; JournalError when they are not as they were written."""
        head, events = "", []
        for version, row in enumerate(self.fetch(_CARRY, {"carry_id": carry_id}), 1):
            head = checksum(head, row)
            if row.version != version or row.checksum != head:
                flaw = f"carry {carry_id} version {row.version} was changed or follows a gap"
                raise Damaged(
                    f"journal {self._store.where} is damaged ({flaw}): run hedge-leg verify-journal"
                )
            try:
                events.append(recorded(row))
            except JournalError as error:
                where = f"journal {self._store.where} carry {carry_id} version {version}"
                raise JournalError(f"{where}: {error}") from error
        return events

    def stream(self) -> Iterable[Recorded]:
        """Yield everything, carries in the order they began, each by version; a carry at a time is read."""
        for row in self.fetch(_CARRIES, {}):
            yield from self.read(row.carry_id)

    def insert(self, table: sa.TableClause, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows to a table beside the events, all or none. JournalError: not known to be written."""
        if not self._writes:
            raise JournalError(f"journal {self._store.where} was opened to read only: nothing was written")
        with self._lock:
            try:
                self._store.guard()
                connection = self._connected()
                connection.exec_driver_sql(self._store.begin)
                connection.execute(sa.insert(table), rows)
                connection.exec_driver_sql("COMMIT")
            except BaseException as error:  # as in `append`
                self._drop()
                raise self._store.failure(error) if isinstance(error, SQLAlchemyError) else error from None

    def fetch(self, query: Any, values: Mapping[str, Any]) -> Sequence[Any]:
        """Return a query's rows; asked once more when the connection has died."""
        with self._lock:
            try:
                return self._connected().execute(query, values).all()
            except DBAPIError as error:
                self._drop()
                if not error.connection_invalidated:
                    raise self._store.failure(error) from error
            try:
                return self._connected().execute(query, values).all()
            except SQLAlchemyError as error:
                self._drop()
                raise self._store.failure(error) from error

    def rows(self) -> Iterator[Any]:
        """Yield the events' rows as the database holds them, in the order they were written, unchecked."""
        with self._lock:
            try:
                yield from all_rows(self._connected())
            except SQLAlchemyError as error:
                self._drop()
                raise self._store.failure(error) from error

    def close(self) -> None:
        """Release the connection and the lease; again is harmless."""
        with self._lock:
            self._closed = True
            if os.getpid() == self._process:
                with suppress(SQLAlchemyError):
                    if self._connection is not None:
                        self._store.leave(self._connection)
                self._drop()
                self._store.close()

    def _connected(self) -> Connection:
        if self._closed:
            raise JournalError(f"journal {self._store.where} is closed: open it again")
        if os.getpid() != self._process:
            raise JournalError(f"journal {self._store.where} was opened by another process: open it here")
        if self._connection is None:
            self._connection = self._store.connect()
        return self._connection

    def _roll_back(self) -> None:
        try:
            if self._connection is not None:
                self._connection.exec_driver_sql("ROLLBACK")
        except SQLAlchemyError:
            self._drop()  # the database rolls back what the connection has left

    def _drop(self) -> None:
        if os.getpid() != self._process:
            return  # a fork: closing would end the session of the parent, who goes on with it
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.invalidate()
            with suppress(SQLAlchemyError):
                connection.close()


def open_journal(url: str, *, exclusive: bool = True, create: bool = True) -> SqlJournal:
    """Open the journal at a database URL and take its lease; not `exclusive`: to read only, without one.

    Raises ConfigError (URL, path, server settings), LeaseHeld (who drives it), JournalError (newer, damaged,
    unreachable); nothing was changed then.
    """
    journal = _opened(url, writes=exclusive, create=create)
    try:
        for flaw in findings(journal.rows(), decoding=False):
            text = f"is damaged ({flaw}): run hedge-leg verify-journal, restore a backup; nothing was changed"
            raise Damaged(f"journal {journal._store.where} {text}")
    except BaseException:
        journal.close()
        raise
    return journal


def verify(url: str) -> list[JournalFinding]:
    """Return everything that is wrong with a journal; changes nothing, works beside a running bot.

    Raises ConfigError or JournalError when it cannot be judged: absent, unreachable, newer.
    """
    try:
        journal = _opened(url, writes=False, create=False)
    except Damaged as error:
        return [JournalFinding("", 0, str(error))]
    found: list[JournalFinding] = []
    try:
        found.extend(findings(journal.rows()))
    except Damaged as error:
        found.append(JournalFinding("", 0, str(error)))
    finally:
        journal.close()
    return found


def _opened(url: str, *, writes: bool, create: bool) -> SqlJournal:
    store = store_at(url, writes=writes)
    try:
        store.open(create=create)
    except BaseException:
        store.close()
        raise
    return SqlJournal(store, writes=writes)

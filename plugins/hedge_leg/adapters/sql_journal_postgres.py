"""PostgreSQL below the journal: one connection that holds a session advisory lock as its lease.

The lock and the appends share the session, so a lost connection is a lost lease. Taking the lease again
proves that the old session is over, and with it the fate of a commit whose answer was lost. Needs a session
of its own: a pooler that shares sessions between transactions breaks the lease.
"""

import hashlib
import os
import socket
import time
from collections.abc import Callable, Generator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from hedge_leg.adapters.sql_journal_schema import known_version, migrate, schema_version, told
from hedge_leg.errors import ConfigError, JournalError, LeaseHeld

_LEASE_TRIES = 60  # for an own session that is about to end
_RESTART_TRIES = 20  # for the session of a bot that was killed and is started again at once
_LEASE_PAUSE_SEC = 0.05
_ANSWER_SEC = 5.0  # a connection that says nothing for so long is given up
_MOST_NAME = 63  # characters of application_name that PostgreSQL keeps
# libpq: a dead network is noticed after seconds, not hours; every statement is prepared at its first use
_CONNECT: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 5_000,
    "prepare_threshold": 0,
}
# the server: a commit is on disk when it answers, and a vanished client loses its lease soon
_SESSION = {
    "synchronous_commit": "on",
    "statement_timeout": "4s",
    "lock_timeout": "2s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
_HOLDER = sa.text(
    "SELECT a.application_name, coalesce(host(a.client_addr), 'its own machine'), a.pid "
    "FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.granted "
    "AND a.datname = current_database() AND ((l.classid::bigint << 32) | l.objid::bigint) = :key LIMIT 1"
)
_END_SESSION = sa.text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = :pid AND backend_start::text = :began"
)


def _impatient_connect() -> Callable[..., Any]:
    """Return psycopg's `connect` for connections that wait `_ANSWER_SEC` for an answer, then close.

    libpq would wait for ever on a connection that is alive but silent, with a leg unhedged meanwhile.
    """
    import psycopg  # noqa: PLC0415 - optional: only journals in PostgreSQL need it

    class Impatient(psycopg.Connection[Any]):
        def wait(self, gen: Any, *args: Any, **named: Any) -> Any:
            return super().wait(self._limited(gen), *args, **named)

        def _limited(self, gen: Any) -> Generator[Any, Any, Any]:
            end = time.monotonic() + _ANSWER_SEC
            try:
                wanted = next(gen)
                while True:
                    ready = yield wanted
                    if not ready and time.monotonic() > end:
                        self.close()
                        raise psycopg.OperationalError(
                            f"no answer within {_ANSWER_SEC:g} s, connection closed"
                        )
                    wanted = gen.send(ready)
            except StopIteration as done:
                return done.value

    return Impatient.connect


class PostgresStore:
    """One journal in one schema of a database: who may write it."""

    begin = "BEGIN"

    def __init__(self, url: URL, *, writes: bool) -> None:
        """Name the database; nothing is connected yet. ConfigError without a driver."""
        at = f"{url.host or url.query.get('host', 'localhost')}:{url.port or url.query.get('port', 5432)}"
        self.where = f"postgresql://{at}/{url.database or ''}"  # neither user nor password nor options
        secrets = [url.password, *(url.query.get(name) for name in ("password", "sslpassword"))]
        self._secrets = [str(secret) for secret in secrets if secret]
        self._writes = writes
        self._lease_key = 0
        self._own_session: dict[str, Any] | None = None
        name = f"hedge-leg {os.getpid()}@{socket.gethostname()}"[:_MOST_NAME]
        options = {key: value for key, value in _CONNECT.items() if key not in url.query}
        try:
            connect = _impatient_connect()
            self._engine: Engine = sa.create_engine(
                url.set(drivername="postgresql+psycopg"),
                connect_args={**options, "application_name": name},
                poolclass=NullPool,
                isolation_level="AUTOCOMMIT",
            )
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"journal {self.where}: {error.name} is not installed, pip install 'psycopg[binary]'"
            ) from error
        sa.event.listen(self._engine, "do_connect", lambda _d, _r, args, named: connect(*args, **named))

    def open(self, *, create: bool) -> None:
        """Check the server, create or migrate the tables. ConfigError, LeaseHeld, JournalError."""
        connection = self.connect()
        try:
            self._require_durable(connection)
            version = schema_version(connection, self.where)
            if version == 0 and not (create and self._writes):
                raise ConfigError(
                    f"journal {self.where} does not exist: start the bot once, or name another one"
                )
            if version == known_version():
                return
            if not self._writes:
                raise JournalError(
                    f"journal {self.where} has version {version}: start the bot once, it updates it"
                )
            connection.exec_driver_sql("BEGIN")
            migrate(connection, version)
            connection.exec_driver_sql("COMMIT")
        except SQLAlchemyError as error:
            raise self.failure(error) from error
        finally:
            connection.invalidate()
            connection.close()

    def _require_durable(self, connection: Connection) -> None:
        for name, wanted in (("server_encoding", "UTF8"), ("fsync", "on"), ("full_page_writes", "on")):
            found = connection.exec_driver_sql(f"SHOW {name}").scalar()
            if found != wanted:
                raise ConfigError(
                    f"journal {self.where}: the server has {name} = {found}, set it to {wanted}"
                )

    def connect(self) -> Connection:
        """Return a connection that holds the lease, if this store writes. JournalError, LeaseHeld."""
        try:
            connection = self._engine.connect()
            try:
                for name, value in _SESSION.items():
                    connection.exec_driver_sql(f"SET {name} = '{value}'")
                if self._writes:
                    self._take_lease(connection)
                else:
                    connection.exec_driver_sql("SET default_transaction_read_only = on")
            except BaseException:
                connection.invalidate()
                connection.close()
                raise
        except SQLAlchemyError as error:
            raise self.failure(error) from error
        return connection

    def _take_lease(self, connection: Connection) -> None:
        if not self._lease_key:
            schema = connection.exec_driver_sql("SELECT current_schema()").scalar()
            digest = hashlib.sha256(f"hedge_leg journal {schema}".encode()).digest()
            self._lease_key = int.from_bytes(digest[:8]) >> 1  # a positive bigint
        take = sa.select(sa.func.pg_try_advisory_lock(self._lease_key))
        taken = connection.execute(take).scalar()
        if not taken and self._own_session is not None:
            # Our own old session, cut off from us: end it. Its lock goes only when its commit is decided.
            connection.execute(_END_SESSION, self._own_session)
        tries = _RESTART_TRIES if self._own_session is None else _LEASE_TRIES
        while not taken and tries:
            time.sleep(_LEASE_PAUSE_SEC)
            taken = connection.execute(take).scalar()
            tries -= 1
        if not taken:
            raise LeaseHeld(
                f"journal {self.where} is driven by {self._holder(connection)}: stop that one first"
            )
        mine = sa.text(
            "SELECT pid, backend_start::text AS began FROM pg_stat_activity WHERE pid = pg_backend_pid()"
        )
        self._own_session = dict(connection.execute(mine).one()._mapping)

    def _holder(self, connection: Connection) -> str:
        row = connection.execute(_HOLDER, {"key": self._lease_key}).first()
        return "another process" if row is None else f"{row[0]} from {row[1]} (server process {row[2]})"

    def guard(self) -> None:
        """Do nothing: the server is the guard, the lease ends with the connection."""

    def settle(self, connection: Connection) -> None:
        """Do nothing: what the server shows after the lease was taken again is durable."""

    def leave(self, connection: Connection) -> None:
        """Give the lease back now: the server notices a closed connection only some time later."""
        if self._writes:
            connection.exec_driver_sql("SELECT pg_advisory_unlock_all()")

    def failure(self, error: SQLAlchemyError) -> JournalError:
        """Return the error that tells what PostgreSQL said, as one line without the password."""
        text = told(error)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return JournalError(f"journal {self.where} cannot be used: {text}")

    def close(self) -> None:
        """Hold nothing: the lease went with the connection."""

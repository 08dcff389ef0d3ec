"""The guard's table: beside the journal, append-only, writable while the bot holds the journal."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from hedge_leg.adapters.sql_guard import SqlGuardLog
from hedge_leg.adapters.sql_journal import open_journal, verify
from hedge_leg.core.guard.breakers import GuardRow, RowKind
from hedge_leg.errors import ConfigError, JournalError
from tests.hedge_leg.journal_contract import announced, paid
from tests.hedge_leg.postgres import PostgresServer, postgres

__all__ = ["postgres"]

ROW = GuardRow(7, RowKind.TRIPPED, "basis@BTC/USDT:USDT", "block", 9, "c1", Decimal("1.50"), None, "apart")
RESET = GuardRow(8, RowKind.RESET, ROW.breaker, text="operator")


class GuardLogContract:
    """What the table must do on every database."""

    @pytest.fixture
    def url(self) -> str:
        """Return a database without a journal."""
        raise NotImplementedError

    @pytest.fixture
    def opened(self, url: str) -> Iterator[str]:
        """Return a database whose journal a bot holds."""
        with closing(open_journal(url)) as journal:
            journal.append("c1", 0, [announced()])
            yield url

    def test_rows_come_back_as_they_were_written_and_in_order(self, opened: str) -> None:
        log = SqlGuardLog(opened)
        assert log.since(0) == []
        log.append(ROW, RESET)
        log.append(ROW)
        rows = SqlGuardLog(opened).since(0)
        assert [row for _, row in rows] == [ROW, RESET, ROW]
        assert [row for _, row in log.since(rows[1][0])] == [ROW]

    def test_the_journal_is_as_it_was_and_goes_on(self, url: str) -> None:
        with closing(open_journal(url)) as journal:
            journal.append("c1", 0, [announced()])
            SqlGuardLog(url).append(ROW)
            journal.append("c1", 1, [paid(2)])
            SqlGuardLog(url).append(RESET)
            journal.append("c1", 2, [paid(3)])
        assert verify(url) == []
        with closing(open_journal(url)) as journal:
            assert len(journal.read("c1")) == 3

    @pytest.mark.parametrize("statement", ["UPDATE guard_trips SET text = 'x'", "DELETE FROM guard_trips"])
    def test_rows_cannot_be_changed(self, opened: str, statement: str) -> None:
        log = SqlGuardLog(opened)
        log.append(ROW)
        with pytest.raises(sa.exc.SQLAlchemyError), log._engine.connect() as connection:
            connection.exec_driver_sql(statement)
        assert [row for _, row in log.since(0)] == [ROW]

    def test_a_newer_table_is_refused_and_left_alone(self, opened: str) -> None:
        log = SqlGuardLog(opened)
        log.append(ROW)
        with log._engine.connect() as connection:
            connection.exec_driver_sql("INSERT INTO guard_schema (version) VALUES (2)")
        with pytest.raises(JournalError, match="guard_trips has version 2"):
            log.since(0)
        with pytest.raises(JournalError, match="update"):
            log.append(ROW)


class TestSqlite(GuardLogContract):
    """On SQLite."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        """Return a file's URL whose name needs quoting."""
        return f"sqlite:///{tmp_path / 'a journal#1.sqlite'}".replace("#", "%23")

    def test_a_database_that_is_locked_or_absent_writes_nothing(self, opened: str, tmp_path: Path) -> None:
        log, path = SqlGuardLog(opened), tmp_path / "a journal#1.sqlite"
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(JournalError, match="locked"):
                log.append(ROW)
            other.execute("ROLLBACK")
        assert log.since(0) == []
        with pytest.raises(JournalError, match="cannot be used"):
            SqlGuardLog(f"sqlite:///{tmp_path / 'none.sqlite'}").append(ROW)
        assert not (tmp_path / "none.sqlite").exists()

    def test_a_url_that_is_none_is_a_wrong_configuration(self) -> None:
        with pytest.raises(ConfigError, match="journal_url"):
            SqlGuardLog("no url")


class TestPostgres(GuardLogContract):
    """On PostgreSQL."""

    @pytest.fixture
    def url(self, postgres: PostgresServer) -> str:
        """Return a fresh schema."""
        return postgres.fresh_url()

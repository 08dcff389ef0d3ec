"""Other processes on a journal, and databases that answer wrongly, for tests."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from hedge_leg.adapters.sql_journal import SqlJournal, open_journal
from hedge_leg.errors import LeaseHeld

ROOT = Path(__file__).parents[2]


def child(url: str, *what: str) -> "subprocess.Popen[str]":
    """Start a process of its own on a journal; see `journal_child`."""
    command = [sys.executable, "-m", "tests.hedge_leg.journal_child", url, *what]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def said(process: "subprocess.Popen[str]") -> str:
    """Return the next line that a child prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def open_again(url: str) -> SqlJournal:
    """Open a journal whose driver was killed: a server may take a moment to notice."""
    for _ in range(100):
        try:
            return open_journal(url)
        except LeaseHeld:
            signal.sigtimedwait([], 0.05)
    return open_journal(url)


def fail_commit(monkeypatch: pytest.MonkeyPatch, *, first: bool) -> None:
    """Let the next COMMIT answer with an error, after it was done (`first`) or instead."""
    real = Connection.exec_driver_sql
    pending = [True]

    def statement(self: Connection, text: str, *rest: object) -> object:
        if text != "COMMIT" or not pending:
            return real(self, text, *rest)  # type: ignore[arg-type]
        pending.clear()
        if first:
            real(self, text)
        raise OperationalError(text, {}, Exception("disk I/O error"))

    monkeypatch.setattr(Connection, "exec_driver_sql", statement)

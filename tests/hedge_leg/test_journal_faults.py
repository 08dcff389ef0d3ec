"""A full disk, a lock, a file that vanishes: an error with nothing written, and on when it is over."""

import os
import resource
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from hedge_leg.adapters.sql_journal import SqlJournal, open_journal, verify
from hedge_leg.core import events as ev
from hedge_leg.errors import JournalError
from tests.hedge_leg.journal_contract import announced, numbered, paid

LARGE: list[ev.Event] = [ev.Halted(number, "x" * 2_000) for number in range(600)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "j.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[SqlJournal]:
    journal = open_journal(f"sqlite:///{path}")
    journal.append("c1", 0, [announced()])
    yield journal
    journal.close()


def _goes_on(journal: SqlJournal, path: Path) -> None:
    """Assert that the failed append left nothing and the next one works."""
    assert list(journal.read("c1")) == numbered("c1", announced())
    journal.append("c1", 1, [paid(2)])
    journal.append("c2", 0, [announced()])
    assert list(journal.stream()) == [*numbered("c1", announced(), paid(2)), *numbered("c2", announced())]
    assert verify(f"sqlite:///{path}") == []


@contextmanager
def _small_files(most: int) -> Iterator[None]:
    """Let no file of this process grow beyond `most` bytes, as a full disk would not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_file_that_may_not_grow_fails_the_append_and_nothing_is_written(
    journal: SqlJournal, path: Path
) -> None:
    with _small_files(200_000), pytest.raises(JournalError, match="nothing was written"):
        journal.append("c1", 1, LARGE)
    _goes_on(journal, path)


def test_disk_that_is_full_fails_the_append_and_nothing_is_written(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        journal = open_journal(f"sqlite:///{disk}/j.sqlite")
        journal.append("c1", 0, [announced()])
        with pytest.raises(JournalError, match=r"disk is full.*nothing was written"):
            journal.append("c1", 1, LARGE)
        small = 0
        with pytest.raises(JournalError, match=r"disk is full.*nothing was written"):
            for small in range(1, 10_000):  # filled to the brim, an event at a time
                journal.append("c3", small - 1, [ev.Halted(1, "x" * 1_000)])
        assert len(journal.read("c3")) == small - 1
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        journal.append("c3", small - 1, [paid(1)])
        journal.append("c1", 1, LARGE)
        journal.close()
        assert [one for one in verify(f"sqlite:///{disk}/j.sqlite") if "Announced" not in one.text] == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_journal_that_somebody_else_has_locked_is_an_error_at_once_and_goes_on_afterwards(
    journal: SqlJournal, path: Path
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(JournalError, match=r"database is locked; nothing was written"):
            journal.append("c1", 1, [paid(1)])
        assert time.monotonic() - began < 2.0
        other.execute("ROLLBACK")
    _goes_on(journal, path)


def test_reader_that_stays_in_a_transaction_does_not_stop_the_driver(journal: SqlJournal, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM journal_event").fetchone()
        journal.append("c1", 1, LARGE)
    assert len(journal.read("c1")) == 601


@pytest.mark.parametrize("suffix", ["", "-wal", ".lock"])
def test_file_that_was_removed_while_it_is_open_fails_every_append_until_it_is_back(
    journal: SqlJournal, path: Path, suffix: str
) -> None:
    file = path.with_name(path.name + suffix)
    away = path.with_name("away")
    file.rename(away)
    for _ in range(2):
        with pytest.raises(JournalError, match=rf"{file.name}.* (was removed or replaced|unable to open)"):
            journal.append("c1", 1, [paid(1)])
        if suffix == "-wal":
            break
    away.rename(file)
    _goes_on(journal, path)


def test_file_that_was_replaced_while_it_is_open_fails_the_append_and_leaves_the_other_alone(
    journal: SqlJournal, path: Path
) -> None:
    journal.append("c1", 1, [paid(1)])
    other = path.with_name("other.sqlite")
    open_journal(f"sqlite:///{other}").close()
    before = other.read_bytes()
    other.rename(path)
    with pytest.raises(JournalError, match="was removed or replaced"):
        journal.append("c1", 2, [paid(2)])
    assert path.read_bytes() == before


def test_file_removed_during_the_append_is_an_error(
    journal: SqlJournal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = SqlJournal._insert

    def removed(self: SqlJournal, *rest: object) -> object:
        rows = real(self, *rest)  # type: ignore[arg-type]
        path.unlink()
        return rows

    monkeypatch.setattr(SqlJournal, "_insert", removed)
    with pytest.raises(JournalError, match="was removed or replaced"):
        journal.append("c1", 1, [paid(1)])

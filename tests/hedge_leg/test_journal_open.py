"""What cannot be a journal is refused, untouched, in one line that never shows a password."""

import hashlib
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from hedge_leg.adapters import file_lease
from hedge_leg.adapters.sql_journal import open_journal, verify
from hedge_leg.adapters.sql_journal_schema import known_version
from hedge_leg.errors import ConfigError, HedgeError, JournalError, LeaseHeld
from tests.hedge_leg.journal_contract import announced, paid

NOBODY = 65534


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("", "is not a database URL: write sqlite:///PATH"),
        ("journal.sqlite", "is not a database URL"),
        ("postgresql://me:hunter2@host:port/db", "is not a database URL"),
        ("mysql://me:hunter2@host/db", "names mysql: write sqlite"),
        ("postgresql+asyncpg://me:hunter2@host/db", r"names postgresql\+asyncpg: write"),
        ("sqlite+aiosqlite:///x", r"names sqlite\+aiosqlite: write"),
        ("sqlite://", "must be a plain file"),
        ("sqlite:///:memory:", "must be a plain file"),
        ("sqlite:///file:x?mode=memory&uri=true", "must be a plain file"),
        ("sqlite:///x?hunter2=1", "must be a plain file"),
        ("sqlite://me:hunter2@host/x", "must be a plain file"),
    ],
)
def test_url_that_names_no_journal_is_a_configuration_error(url: str, text: str) -> None:
    with pytest.raises(ConfigError, match=text) as caught:
        open_journal(url)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigError):
        verify(url)


def test_server_that_cannot_be_reached_is_an_error_without_the_password() -> None:
    with pytest.raises(
        JournalError, match=r"journal postgresql://127\.0\.0\.1:1/db cannot be used"
    ) as caught:
        open_journal("postgresql://me:hunter2@127.0.0.1:1/db?connect_timeout=2")
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_driver_is_a_configuration_error_that_names_the_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match=r"psycopg is not installed, pip install 'psycopg\[binary\]'"):
        open_journal("postgresql://me@127.0.0.1:1/db")


def test_platform_without_flock_is_a_configuration_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_lease, "fcntl", None)
    with pytest.raises(ConfigError, match="SQLite needs flock, use a PostgreSQL"):
        open_journal(f"sqlite:///{tmp_path}/j.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_missing_folder_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="its folder does not exist, create it"):
        open_journal(f"sqlite:///{tmp_path}/none/j.sqlite")


def _journal(path: Path) -> None:
    journal = open_journal(f"sqlite:///{path}")
    for number in range(40):
        journal.append(f"c{number}", 0, [announced(), *(paid(one) for one in range(20))])
    journal.close()


def _overwrite(path: Path, at: int, text: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(text)


def _not_a_database(path: Path) -> None:
    path.write_bytes(b"this is no database, but it is long enough to be one. " * 100)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _of_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE trades (id INTEGER)")


def _header_overwritten(path: Path) -> None:
    _journal(path)
    _overwrite(path, 0, b"\x00" * 100)


def _page_overwritten(path: Path) -> None:
    _journal(path)
    _overwrite(path, 4096 * (path.stat().st_size // 4096 // 2), b"\xff" * 4096)


def _cut_in_half(path: Path) -> None:
    _journal(path)
    os.truncate(path, path.stat().st_size // 2)


def _index_gone(path: Path) -> None:
    _journal(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        hidden = (
            "UPDATE sqlite_schema SET sql = replace(sql, 'PRIMARY KEY (carry_id, version)', 'CHECK (1)') "
        )
        connection.execute(hidden + "WHERE name = 'journal_event'")
        connection.commit()


def _index_without_a_row(path: Path) -> None:
    """Let the index of versions forget the last row: the carry's version would be read too low."""
    journal = open_journal(f"sqlite:///{path}")
    journal.append("c1", 0, [announced()])
    journal.close()
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT s.rootpage FROM sqlite_schema AS s JOIN pragma_index_info(s.name) AS part "
        (page,) = connection.execute(query + "WHERE s.type = 'index' AND part.name = 'version'").fetchone()
    at = (page - 1) * 4096
    before = path.read_bytes()[at : at + 4096]
    journal = open_journal(f"sqlite:///{path}")
    journal.append("c1", 1, [paid(1)])
    journal.close()
    _overwrite(path, at, before)


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "not a database": (_not_a_database, "file is not a database"),
    "empty file": (_empty, "is not a journal: name another file"),
    "database of another program": (_of_another_program, "is not a journal: name another file"),
    "header overwritten": (_header_overwritten, "file is not a database"),
    "page overwritten": (_page_overwritten, "is damaged"),
    "cut in half": (_cut_in_half, "is damaged"),
    "index gone": (_index_gone, "is damaged"),
    "index without a row": (_index_without_a_row, "is damaged"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_file_is_refused_found_by_verify_and_left_as_it_is(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "j.sqlite"
    make, text = DAMAGES[damage]
    make(path)
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    for _ in range(2):
        with pytest.raises(JournalError, match=text) as caught:
            open_journal(f"sqlite:///{path}")
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert len(verify(f"sqlite:///{path}")) >= 1
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    assert not path.with_name("j.sqlite-wal").exists() or path.with_name("j.sqlite-wal").stat().st_size == 0


def test_journal_of_a_newer_version_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    _journal(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"INSERT INTO journal_schema (version) VALUES ({known_version() + 1})")
    before = path.read_bytes()
    with pytest.raises(JournalError, match="update hedge_leg; nothing was changed"):
        open_journal(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_lost_file_whose_wal_is_still_there_is_not_replaced_by_an_empty_journal(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    journal = open_journal(f"sqlite:///{path}")
    journal.append("c1", 0, [announced()])
    wal = path.with_name("j.sqlite-wal").read_bytes()
    journal.close()
    path.unlink()
    path.with_name("j.sqlite-wal").write_bytes(wal)
    with pytest.raises(JournalError, match=r"is gone but j\.sqlite-wal is there: restore both"):
        open_journal(f"sqlite:///{path}")
    assert not path.exists()


def test_creation_that_was_interrupted_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    path.with_name("j.sqlite.new").write_bytes(b"half a journal")
    open_journal(f"sqlite:///{path}").close()
    assert verify(f"sqlite:///{path}") == []
    assert not path.with_name("j.sqlite.new").exists()


def test_journal_reached_by_a_link_has_the_same_lease(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    link = folder / "link.sqlite"
    link.symlink_to(tmp_path / "j.sqlite")
    journal = open_journal(f"sqlite:///{tmp_path}/j.sqlite")
    with pytest.raises(LeaseHeld):
        open_journal(f"sqlite:///{link}")
    journal.close()


def _as_nobody(url: str, *, exclusive: bool) -> str:
    """Return what opening a journal says to a user without rights: in a fork, whose code is loaded."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if os.geteuid() == 0:  # root may do anything: somebody else must try
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            open_journal(url, exclusive=exclusive).close()
            os.write(writing, b"opened")
        except BaseException as error:
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(pid, 0)
    with os.fdopen(reading) as answer:
        return answer.read()


@pytest.mark.parametrize("what", ["folder", "file", "lock"])
@pytest.mark.parametrize("who", ["driver", "reader"])
def test_file_without_permission_is_refused_in_one_line(tmp_path: Path, what: str, who: str) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    path = folder / "j.sqlite"
    _journal(path)
    if os.geteuid() == 0:
        for above in (tmp_path, *tmp_path.parents):
            if above.stat().st_mode & 0o077 == 0:
                above.chmod(0o755)
        for one in (folder, path, path.with_name("j.sqlite.lock")):
            os.chown(one, NOBODY, NOBODY)
    {"folder": folder, "file": path, "lock": path.with_name("j.sqlite.lock")}[what].chmod(0)
    answer = _as_nobody(f"sqlite:///{path}", exclusive=who == "driver")
    folder.chmod(0o755)
    if (what, who) == ("lock", "reader"):
        assert answer == "opened"
    else:
        assert answer.startswith(("JournalError: journal", "ConfigError: journal"))
        assert "\n" not in answer


def test_every_refusal_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "j.sqlite").mkdir()
    with pytest.raises(HedgeError):
        open_journal(f"sqlite:///{tmp_path}/j.sqlite")

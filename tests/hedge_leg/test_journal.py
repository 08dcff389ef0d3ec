"""The journals in memory and in SQLite keep the contract; random appends agree with a model."""

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from hedge_leg.adapters.memory_journal import MemoryJournal
from hedge_leg.adapters.sql_journal import open_journal, verify
from hedge_leg.core import events as ev
from hedge_leg.errors import VersionConflict
from hedge_leg.ports import Journal
from tests.hedge_leg.durable_contract import DurableContract
from tests.hedge_leg.event_strategies import any_event
from tests.hedge_leg.journal_contract import JournalContract, numbered

TRIGGERS = ("no_update", "no_delete", "no_replace")


class TestMemoryJournal(JournalContract):
    """In memory."""

    @pytest.fixture
    def journal(self) -> Iterator[Journal]:
        yield MemoryJournal()


class TestSqliteJournal(DurableContract):
    """In a file."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'journal of the bot #1.sqlite'}"

    def by_hand(self, url: str, statements: Sequence[str]) -> None:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def without_triggers(self) -> Sequence[str]:
        return [f"DROP TRIGGER journal_event_{name}" for name in TRIGGERS]

    def test_replace_is_refused_as_a_change(self, url: str) -> None:
        self._written(url)
        columns = "seq, carry_id, version, kind, payload, at_ms, checksum"
        with pytest.raises(sa.exc.DBAPIError, match="the journal is append-only"):
            self.by_hand(
                url, [f"INSERT OR REPLACE INTO journal_event SELECT {columns} FROM journal_event LIMIT 1"]
            )

    def test_every_connection_syncs_each_commit_and_waits_shortly(self, url: str, tmp_path: Path) -> None:
        journal = open_journal(url)
        connection = journal._connected()
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
        assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 250}
        journal.close()

    def test_journal_is_one_plain_file_when_it_is_closed(self, url: str, tmp_path: Path) -> None:
        self._written(url)
        path = Path(url.removeprefix("sqlite:///"))
        assert sorted(tmp_path.iterdir()) == [path, path.with_name(path.name + ".lock")]
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT count(*) FROM journal_event").fetchone() == (5,)


class JournalMachine(RuleBasedStateMachine):
    """Random appends, right and wrong, with the journal opened anew in between, against lists."""

    durable = False

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.journal = self.made()
        self.model: dict[str, list[ev.Event]] = {}

    def made(self) -> Journal:
        return open_journal(f"sqlite:///{self.folder.name}/j.sqlite") if self.durable else MemoryJournal()

    @rule(carry_id=st.sampled_from("abc"), events=st.lists(any_event(), max_size=4))
    def append(self, carry_id: str, events: list[ev.Event]) -> None:
        known = self.model.get(carry_id, [])
        self.journal.append(carry_id, len(known), events)
        if events:
            self.model[carry_id] = known + events

    @rule(carry_id=st.sampled_from("abc"), off=st.sampled_from([-2, -1, 1, 2]), event=any_event())
    def append_at_another_version(self, carry_id: str, off: int, event: ev.Event) -> None:
        with pytest.raises(VersionConflict):
            self.journal.append(carry_id, len(self.model.get(carry_id, [])) + off, [event])

    @rule()
    def open_anew(self) -> None:
        if self.durable:
            self.journal.close()
            self.journal = self.made()

    @invariant()
    def journal_is_the_model(self) -> None:
        expected = [row for carry_id, events in self.model.items() for row in numbered(carry_id, *events)]
        assert list(self.journal.stream()) == expected

    def teardown(self) -> None:
        self.journal.close()
        if self.durable:
            found = verify(f"sqlite:///{self.folder.name}/j.sqlite")
            assert [one for one in found if "Announced is first" not in one.text] == []
        self.folder.cleanup()


class SqliteMachine(JournalMachine):
    """The same on a file."""

    durable = True


@pytest.mark.parametrize("machine", [JournalMachine, SqliteMachine])
def test_random_appends_agree_with_the_model(machine: type[JournalMachine]) -> None:
    few = settings(max_examples=25, stateful_step_count=20, deadline=None)
    run_state_machine_as_test(machine, settings=few)

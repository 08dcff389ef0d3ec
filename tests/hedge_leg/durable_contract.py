"""What every journal in a database must do besides: outlive its process, have one driver, show tampering."""

import os
import signal

import pytest
import sqlalchemy as sa

from hedge_leg.adapters.sql_journal import SqlJournal, open_journal, verify
from hedge_leg.adapters.sql_journal_schema import known_version
from hedge_leg.errors import ConfigError, JournalError, LeaseHeld, VersionConflict
from tests.hedge_leg.journal_contract import ANSWERED, announced, numbered, paid
from tests.hedge_leg.journal_processes import child, fail_commit, open_again, said
from tests.hedge_leg.tamper_contract import TamperContract


class DurableContract(TamperContract):
    """Each database's test class derives from this one and brings what `TamperContract` asks for."""

    def test_reopened_journal_has_everything_and_goes_on(self, url: str) -> None:
        self._written(url)
        journal = open_journal(url)
        assert list(journal.read("c1")) == numbered("c1", announced(), paid(1), ANSWERED, paid(4))
        journal.append("c1", 4, [paid(5)])
        journal.close()
        assert verify(url) == []

    def test_append_survives_a_kill_right_after_it_returned(self, url: str) -> None:
        with child(url, "append-and-die", "25") as process:
            process.communicate()
        assert process.returncode == -signal.SIGKILL
        journal = open_journal(url)
        assert list(journal.read("c1")) == numbered("c1", announced(), *(paid(n) for n in range(1, 25)))
        journal.close()
        assert verify(url) == []

    def test_kill_at_any_time_leaves_every_append_that_returned_and_no_half_one(self, url: str) -> None:
        with child(url, "append-for-ever") as process:
            known = [said(process) for _ in range(60)][-1]
            os.kill(process.pid, signal.SIGKILL)
            assert process.stdout is not None
            known = (process.stdout.read().split() or [known])[-1]
        assert verify(url) == []
        journal = open_journal(url)
        versions = len(journal.read("c1"))
        assert versions >= int(known) and versions % 3 == 1  # one Announced, then batches of three
        journal.append("c1", versions, [paid(0)])
        journal.close()

    def test_second_process_is_refused_and_told_who_drives_the_journal(self, url: str) -> None:
        with child(url, "hold") as process:
            assert said(process) == "holding"
            with pytest.raises(LeaseHeld, match=rf"is driven by .*\b{process.pid}\b.*: stop that one first"):
                open_journal(url)
            process.communicate("done\n")
        open_journal(url).close()

    def test_second_opening_in_the_same_process_is_refused(self, url: str, journal: SqlJournal) -> None:
        with pytest.raises(LeaseHeld):
            open_journal(url)
        journal.append("c1", 0, [announced()])

    def test_lease_ends_with_a_process_that_was_killed(self, url: str) -> None:
        with child(url, "hold") as process:
            assert said(process) == "holding"
            os.kill(process.pid, signal.SIGKILL)
        open_again(url).close()

    def test_of_two_processes_that_start_together_one_drives(self, url: str) -> None:
        open_journal(url).close()
        with child(url, "hold") as first, child(url, "hold") as second:
            lines = {said(first)[:7], said(second)[:7]}
            first.communicate("done\n")
            second.communicate("done\n")
        assert lines == {"holding", "refused"}

    def test_reader_sees_what_is_committed_while_the_driver_runs_and_cannot_write(
        self, url: str, journal: SqlJournal
    ) -> None:
        journal.append("c1", 0, [announced()])
        reader = open_journal(url, exclusive=False)
        assert list(reader.stream()) == numbered("c1", announced())
        journal.append("c1", 1, [paid(1)])
        assert list(reader.stream()) == numbered("c1", announced(), paid(1))
        with pytest.raises(JournalError, match="opened to read only"):
            reader.append("c1", 2, [paid(2)])
        with pytest.raises(sa.exc.DBAPIError, match=r"read-?only"):
            reader._connected().exec_driver_sql("CREATE TABLE more (name TEXT)")
        reader.close()
        journal.append("c1", 2, [paid(2)])
        assert verify(url) == []

    def test_reader_does_not_create_a_journal(self, url: str) -> None:
        for options in ({"exclusive": False}, {"create": False}):
            with pytest.raises(ConfigError, match="does not exist: start the bot once"):
                open_journal(url, **options)
        with pytest.raises(ConfigError, match="does not exist"):
            verify(url)

    def test_closed_journal_refuses_everything_and_may_be_closed_again(self, journal: SqlJournal) -> None:
        journal.close()
        journal.close()
        with pytest.raises(JournalError, match="is closed"):
            journal.append("c1", 0, [announced()])
        with pytest.raises(JournalError, match="is closed"):
            journal.read("c1")

    def test_journal_of_a_newer_version_is_refused(self, url: str) -> None:
        self._written(url)
        self.by_hand(url, ["INSERT INTO journal_schema (version) VALUES (99)"])
        for exclusive in (True, False):
            with pytest.raises(
                JournalError, match=rf"has version 99, this hedge_leg knows {known_version()}: update"
            ):
                open_journal(url, exclusive=exclusive)
        with pytest.raises(JournalError, match="has version 99"):
            verify(url)

    def test_journal_of_an_older_version_is_migrated_by_its_driver_only(
        self, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from hedge_leg.adapters import sql_journal_schema as schema

        self._written(url)
        added = ("CREATE TABLE added (name TEXT)",)
        later = ({"sqlite": added, "postgresql": added}, {"sqlite": (), "postgresql": ()})
        monkeypatch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS + later)
        told = f"has version {len(schema.MIGRATIONS) - 2}: start the bot once, it updates it"
        with pytest.raises(JournalError, match=told):
            open_journal(url, exclusive=False)
        open_journal(url).close()
        self.by_hand(url, ["INSERT INTO added (name) VALUES ('x')"])
        reader = open_journal(url, exclusive=False)
        assert len(list(reader.stream())) == 5
        reader.close()

    def test_migration_that_fails_changes_nothing(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        from hedge_leg.adapters import sql_journal_schema as schema

        self._written(url)
        wrong = ("CREATE TABLE added (name TEXT)", "CREATE TABLE added (name TEXT)")
        with monkeypatch.context() as patch:
            patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, {"sqlite": wrong, "postgresql": wrong}))
            with pytest.raises(JournalError, match="already exists"):
                open_journal(url)
        journal = open_journal(url)  # the old version still, and the lease is free
        assert len(list(journal.stream())) == 5
        journal.close()

    def test_commit_that_happened_although_its_answer_was_an_error_is_not_taken_for_failed(
        self, url: str, journal: SqlJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        journal.append("c1", 0, [announced()])
        fail_commit(monkeypatch, first=True)
        journal.append("c1", 1, [paid(1)])
        journal.append("c1", 2, [paid(2)])
        assert list(journal.read("c1")) == numbered("c1", announced(), paid(1), paid(2))
        assert verify(url) == []

    def test_commit_that_did_not_happen_is_an_error_and_the_next_append_works(
        self, url: str, journal: SqlJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        journal.append("c1", 0, [announced()])
        fail_commit(monkeypatch, first=False)
        with pytest.raises(JournalError, match=r"disk I/O error; nothing was written"):
            journal.append("c1", 1, [paid(1)])
        journal.append("c1", 1, [paid(2)])
        assert list(journal.read("c1")) == numbered("c1", announced(), paid(2))

    def test_interrupt_during_an_append_leaves_no_transaction_open(
        self, url: str, journal: SqlJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        journal.append("c1", 0, [announced()])
        with monkeypatch.context() as patch:
            patch.setattr(SqlJournal, "_commit", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
            with pytest.raises(KeyboardInterrupt):
                journal.append("c1", 1, [paid(1)])
        journal.append("c1", 1, [paid(2)])
        assert list(journal.read("c1")) == numbered("c1", announced(), paid(2))

    def test_writer_past_the_lease_is_a_conflict(self, url: str, journal: SqlJournal) -> None:
        journal.append("c1", 0, [announced()])
        row = "2, 'c1', 2, 'Hedged', '{\"at_ms\":1}', 1, 'x'"
        names = "seq, carry_id, version, kind, payload, at_ms, checksum"
        self.by_hand(url, [f"INSERT INTO journal_event ({names}) VALUES ({row})"])
        with pytest.raises(VersionConflict, match="carry c1 is at version 2, not at 1"):
            journal.append("c1", 1, [paid(1)])

    def test_forked_process_cannot_use_its_parent_s_journal_nor_end_its_session(
        self, journal: SqlJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        journal.append("c1", 0, [announced()])
        pid = os.fork()
        if pid == 0:
            try:
                journal.append("c1", 1, [paid(1)])
                os._exit(1)
            except JournalError as error:
                journal.close()
                os._exit(0 if "opened by another process" in str(error) else 2)
        assert os.waitpid(pid, 0)[1] == 0
        monkeypatch.setattr(journal._store, "connect", lambda: pytest.fail("the session was lost"))
        journal.append("c1", 1, [paid(2)])

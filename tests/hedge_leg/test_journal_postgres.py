"""The journal in a real PostgreSQL keeps the contract, and survives what a network and a server do."""

from collections.abc import Iterator, Sequence

import pytest

from hedge_leg.adapters import sql_journal, sql_journal_postgres
from hedge_leg.adapters.sql_journal import SqlJournal, open_journal, verify
from hedge_leg.adapters.sql_journal_schema import checksum
from hedge_leg.errors import ConfigError, JournalError, LeaseHeld, VersionConflict
from tests.hedge_leg.cut_wire import CutWire
from tests.hedge_leg.durable_contract import DurableContract
from tests.hedge_leg.journal_contract import announced, numbered, paid
from tests.hedge_leg.journal_processes import open_again
from tests.hedge_leg.postgres import OnPostgres, PostgresServer, postgres

__all__ = ["postgres"]


class TestPostgresJournal(OnPostgres, DurableContract):
    """In a schema of its own."""

    def without_triggers(self) -> Sequence[str]:
        return ["DROP TRIGGER journal_event_append_only ON journal_event"]

    def test_database_refuses_to_empty_the_table(self, url: str) -> None:
        self._written(url)
        with pytest.raises(Exception, match="the journal is append-only"):
            self.by_hand(url, ["TRUNCATE journal_event"])
        assert verify(url) == []


@pytest.fixture
def server(request: pytest.FixtureRequest) -> PostgresServer:
    found: PostgresServer = request.getfixturevalue("postgres")
    return found


@pytest.fixture
def direct(server: PostgresServer) -> str:
    """Return the URL of a journal, past the wire, that holds the first event of c1."""
    url = server.fresh_url()
    journal = open_journal(url)
    journal.append("c1", 0, [announced()])
    journal.close()
    return url


@pytest.fixture
def wire(server: PostgresServer) -> Iterator[CutWire]:
    wire = CutWire(server.port)
    yield wire
    wire.close()


@pytest.fixture
def journal(server: PostgresServer, wire: CutWire, direct: str) -> Iterator[SqlJournal]:
    """Open that journal over the wire. Its session has not said COMMIT yet (later ones have a name)."""
    journal = open_journal(direct.replace(f":{server.port}/", f":{wire.port}/"))
    yield journal
    journal.close()


SIDES = pytest.mark.parametrize("keeps_server", [False, True], ids=["server sees it", "server sees nothing"])


@SIDES
def test_commit_whose_answer_was_lost_is_found_and_the_append_returns(
    journal: SqlJournal, wire: CutWire, direct: str, keeps_server: bool
) -> None:
    wire.arm(b"COMMIT", "after", keeps_server=keeps_server)
    journal.append("c1", 1, [paid(1), paid(2)])
    assert wire.cut.is_set()
    journal.append("c1", 3, [paid(3)])
    assert list(journal.read("c1")) == numbered("c1", announced(), paid(1), paid(2), paid(3))
    assert verify(direct) == []


@SIDES
def test_commit_that_never_arrived_is_an_error_with_nothing_written_and_the_next_append_works(
    journal: SqlJournal, wire: CutWire, direct: str, keeps_server: bool
) -> None:
    wire.arm(b"COMMIT", "before", keeps_server=keeps_server)
    with pytest.raises(JournalError, match=r"nothing was written$"):
        journal.append("c1", 1, [paid(1)])
    assert wire.cut.is_set()
    assert list(journal.read("c1")) == numbered("c1", announced())
    journal.append("c1", 1, [paid(2)])
    assert list(journal.read("c1")) == numbered("c1", announced(), paid(2))
    assert verify(direct) == []


@pytest.mark.parametrize(("cut", "happened"), [("silent", True), ("silent before", False)])
def test_server_that_never_answers_is_given_up_and_the_commit_looked_up(
    journal: SqlJournal, wire: CutWire, direct: str, monkeypatch: pytest.MonkeyPatch, cut: str, happened: bool
) -> None:
    monkeypatch.setattr(sql_journal_postgres, "_ANSWER_SEC", 2.0)
    wire.arm(b"COMMIT", cut, keeps_server=True)
    if happened:
        journal.append("c1", 1, [paid(1)])
    else:
        with pytest.raises(
            JournalError, match=r"no answer within 2 s, connection closed; nothing was written"
        ):
            journal.append("c1", 1, [paid(1)])
    monkeypatch.undo()
    journal.append("c1", 1 + happened, [paid(2)])
    assert len(journal.read("c1")) == 2 + happened
    assert verify(direct) == []


def test_server_that_never_answers_before_the_commit_is_given_up_and_the_append_works(
    journal: SqlJournal, wire: CutWire, direct: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_journal_postgres, "_ANSWER_SEC", 2.0)
    wire.arm(b"BEGIN", "silent before", keeps_server=True)
    journal.append("c1", 1, [paid(1)])
    assert wire.cut.is_set()
    assert list(journal.read("c1")) == numbered("c1", announced(), paid(1))
    assert verify(direct) == []


@SIDES
def test_commit_that_races_with_the_new_connection_is_told_as_it_ended(
    journal: SqlJournal, wire: CutWire, direct: str, keeps_server: bool
) -> None:
    wire.arm(b"COMMIT", "racing", keeps_server=keeps_server)
    try:
        journal.append("c1", 1, [paid(1)])
        written = [paid(1)]
    except JournalError as error:
        assert str(error).endswith("nothing was written")
        written = []
    assert list(journal.read("c1")) == numbered("c1", announced(), *written)
    journal.append("c1", 1 + len(written), [paid(2)])
    assert verify(direct) == []


@pytest.mark.parametrize("cut", ["after", "before"])
def test_commit_whose_fate_cannot_be_looked_up_is_an_error_that_says_so_and_reading_tells_later(
    journal: SqlJournal, wire: CutWire, cut: str
) -> None:
    wire.arm(b"COMMIT", cut)
    wire.open = False
    with pytest.raises(JournalError, match=r"not known whether it was written .*: read it again"):
        journal.append("c1", 1, [paid(1)])
    with pytest.raises(JournalError):
        journal.read("c1")
    wire.open = True
    written = [paid(1)] if cut == "after" else []
    assert list(journal.read("c1")) == numbered("c1", announced(), *written)
    if written:
        with pytest.raises(VersionConflict, match="carry c1 is at version 2, not at 1"):
            journal.append("c1", 1, [paid(2)])
    journal.append("c1", 1 + len(written), [paid(2)])


@SIDES
def test_connection_lost_before_the_commit_is_made_again_and_the_append_works(
    journal: SqlJournal, wire: CutWire, direct: str, keeps_server: bool
) -> None:
    wire.arm(b"INSERT", "after", keeps_server=keeps_server)
    journal.append("c1", 1, [paid(1)])
    assert wire.cut.is_set()
    assert list(journal.read("c1")) == numbered("c1", announced(), paid(1))
    assert verify(direct) == []


@pytest.mark.parametrize("first", ["append", "read"])
def test_session_that_was_ended_by_an_administrator_is_replaced(
    server: PostgresServer, journal: SqlJournal, first: str
) -> None:
    others = "pid <> pg_backend_pid() AND application_name ^@ 'hedge-leg'"
    server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
    if first == "read":
        assert list(journal.read("c1")) == numbered("c1", announced())
    journal.append("c1", 1, [paid(1)])
    assert list(journal.read("c1")) == numbered("c1", announced(), paid(1))


def test_lease_that_another_process_took_during_an_outage_stops_the_first(
    server: PostgresServer, journal: SqlJournal, wire: CutWire, direct: str
) -> None:
    wire.arm(b"BEGIN", "before")
    wire.open = False
    with pytest.raises(JournalError):
        journal.append("c1", 1, [paid(1)])
    second = open_again(direct)
    wire.open = True
    with pytest.raises(LeaseHeld, match="is driven by hedge-leg"):
        journal.append("c1", 1, [paid(1)])
    second.append("c1", 1, [paid(2)])
    second.close()
    with pytest.raises(VersionConflict):
        journal.append("c1", 1, [paid(1)])


def test_writer_past_the_lease_that_commits_in_between_is_a_conflict(
    server: PostgresServer, direct: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_journal(direct)
    names = "seq, carry_id, version, kind, payload, at_ms, checksum"
    statement = f"INSERT INTO journal_event ({names}) VALUES (2, 'c1', 2, 'Hedged', '{{}}', 1, 'x')"

    def late(*arguments: str) -> str:
        """Write when the journal has read its head and not yet inserted."""
        monkeypatch.undo()
        server.execute(statement, direct)
        return checksum(*arguments)

    monkeypatch.setattr(sql_journal, "checksum", late)
    with pytest.raises(VersionConflict, match="carry c1 was written by somebody else"):
        journal.append("c1", 1, [paid(1)])
    journal.append("c2", 0, [announced()])
    journal.close()


def test_server_that_is_down_is_an_error_and_once_it_is_up_the_next_append_works(
    server: PostgresServer, direct: str
) -> None:
    journal = open_journal(direct)
    server.stop()
    try:
        with pytest.raises(JournalError, match=r"nothing was written|cannot be used"):
            journal.append("c1", 1, [paid(1)])
        with pytest.raises(JournalError, match="cannot be used"):
            open_journal(direct)
    finally:
        server.start()
    journal.append("c1", 1, [paid(1)])
    journal.close()
    assert verify(direct) == []


def test_server_that_does_not_sync_to_disk_is_refused(server: PostgresServer, direct: str) -> None:
    server.stop()
    server.start("fsync=off")
    try:
        with pytest.raises(ConfigError, match="the server has fsync = off, set it to on"):
            open_journal(direct)
    finally:
        server.stop()
        server.start()


def test_commit_waits_for_the_disk_even_where_the_server_s_default_does_not(
    server: PostgresServer, direct: str
) -> None:
    server.execute("ALTER ROLE journal SET synchronous_commit = off")
    try:
        journal = open_journal(direct)
        assert journal._connected().exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
        journal.close()
    finally:
        server.execute("ALTER ROLE journal RESET synchronous_commit")


def test_two_journals_in_two_schemas_have_a_lease_each(server: PostgresServer, direct: str) -> None:
    first, second = open_journal(direct), open_journal(server.fresh_url())
    second.append("c1", 0, [announced()])
    first.close()
    second.close()


@pytest.mark.parametrize("shown", ["p%40ss-w0rd@", ":{port}/postgres?user=journal&password=p%40ss-w0rd"])
def test_wrong_password_is_an_error_that_does_not_show_it(server: PostgresServer, shown: str) -> None:
    by_user = f"journal:{shown}127.0.0.1:{server.port}/postgres"
    url = f"127.0.0.1{shown.format(port=server.port)}" if shown.startswith(":") else by_user
    with pytest.raises(JournalError, match="password authentication failed") as caught:
        open_journal(f"postgresql+psycopg://{url}")
    for secret in ("p%40ss", "p@ss", "w0rd"):
        assert secret not in str(caught.value)

"""What every journal in a database must show: that somebody has been at its rows."""

from collections.abc import Iterator, Sequence
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from hedge_leg.adapters.sql_journal import SqlJournal, open_journal, verify
from hedge_leg.adapters.sql_journal_schema import checksum
from hedge_leg.errors import JournalError
from tests.hedge_leg.journal_contract import ANSWERED, JournalContract, announced, paid


class TamperContract(JournalContract):
    """Needs `url`, `by_hand` and `without_triggers` of each database's test class."""

    @pytest.fixture
    def url(self) -> str:
        raise NotImplementedError

    def by_hand(self, url: str, statements: Sequence[str]) -> None:
        """Change the database as somebody with its password can, past the journal."""
        raise NotImplementedError

    def without_triggers(self) -> Sequence[str]:
        """Return the statements that take the triggers away."""
        raise NotImplementedError

    @pytest.fixture
    def journal(self, url: str) -> Iterator[SqlJournal]:
        journal = open_journal(url)
        yield journal
        journal.close()

    def _written(self, url: str) -> None:
        journal = open_journal(url)
        journal.append("c1", 0, [announced(), paid(1)])
        journal.append("c2", 0, [announced()])
        journal.append("c1", 2, [ANSWERED, paid(4)])
        journal.close()

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE journal_event SET at_ms = 9 WHERE version = 1",
            "DELETE FROM journal_event WHERE version = 4",
        ],
    )
    def test_database_itself_refuses_to_change_or_remove_a_row(self, url: str, statement: str) -> None:
        self._written(url)
        with pytest.raises(sa.exc.DBAPIError, match="the journal is append-only"):
            self.by_hand(url, [statement])
        assert verify(url) == []

    @pytest.mark.parametrize(
        ("statement", "finding"),
        [
            (
                "UPDATE journal_event SET payload = replace(payload, '0.12', '0.13') WHERE seq = 2",
                "c1 version 2",
            ),
            ("UPDATE journal_event SET at_ms = 9 WHERE seq = 2", "c1 version 2: the checksum"),
            ("UPDATE journal_event SET kind = 'Hedged' WHERE seq = 2", "c1 version 2: the checksum"),
            ("UPDATE journal_event SET carry_id = 'c3' WHERE seq = 3", "c3 version 1: the checksum"),
            ("UPDATE journal_event SET checksum = 'x' WHERE seq = 1", "c1 version 1: the checksum"),
            ("DELETE FROM journal_event WHERE seq = 2", "c1 version 3: follows version 1"),
            ("DELETE FROM journal_event WHERE seq = 1", "c1 version 2: follows version 0"),
            ("DELETE FROM journal_event WHERE carry_id = 'c2'", "rows 3 to 3 of the journal are missing"),
            ("UPDATE journal_event SET seq = 9 WHERE seq = 5", "rows 5 to 8 of the journal are missing"),
        ],
    )
    def test_edited_or_removed_row_is_found_and_the_journal_refused(
        self, url: str, statement: str, finding: str
    ) -> None:
        self._written(url)
        self.by_hand(url, [*self.without_triggers(), statement])
        assert any(finding in str(one) for one in verify(url))
        for exclusive in (True, False):
            with pytest.raises(JournalError, match=r"is damaged .* run hedge-leg verify-journal"):
                open_journal(url, exclusive=exclusive)

    def test_forged_row_with_a_fitting_checksum_breaks_the_row_after_it(self, url: str) -> None:
        self._written(url)
        reader = open_journal(url, exclusive=False)
        first, second = list(reader.rows())[:2]
        reader.close()
        payload = second.payload.replace("0.12", "0.13")
        forged = checksum(first.checksum, SimpleNamespace(**{**second._mapping, "payload": payload}))
        statement = f"UPDATE journal_event SET payload = '{payload}', checksum = '{forged}' WHERE seq = 2"
        self.by_hand(url, [*self.without_triggers(), statement])
        assert [str(one) for one in verify(url)] == [
            "carry c1 version 3: the checksum does not fit: it was changed afterwards"
        ]

    def test_journal_of_several_thousand_rows_is_read_whole(self, url: str, journal: SqlJournal) -> None:
        journal.append("c1", 0, [announced(), *(paid(number) for number in range(4_100))])
        journal.close()
        assert verify(url) == []
        reader = open_journal(url, exclusive=False)
        assert [row.seq for row in reader.rows()] == list(range(1, 4_102))
        assert len(list(reader.stream())) == 4_101
        reader.close()

    def test_row_edited_while_the_journal_is_open_is_not_read_as_a_fact(
        self, url: str, journal: SqlJournal
    ) -> None:
        journal.append("c1", 0, [announced(), paid(1)])
        statement = "UPDATE journal_event SET payload = replace(payload, '0.12', '0.13') WHERE seq = 2"
        self.by_hand(url, [*self.without_triggers(), statement])
        with pytest.raises(JournalError, match="carry c1 version 2 was changed or follows a gap"):
            journal.read("c1")

    def test_carry_that_does_not_begin_with_announced_is_found(self, url: str, journal: SqlJournal) -> None:
        journal.append("c1", 0, [paid(1), announced()])
        assert [str(one) for one in verify(url)] == [
            "carry c1 version 1: FundingPaid stands there: Announced is first, and once",
            "carry c1 version 2: Announced stands there: Announced is first, and once",
        ]

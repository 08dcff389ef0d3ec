"""What an observer's table must do in every database: keep records exactly, change none, touch no event."""

from collections.abc import Sequence

import pytest

from hedge_leg.adapters import sql_journal_schema as schema
from hedge_leg.adapters.sql_journal import open_journal, verify
from hedge_leg.adapters.sql_observations import SqlObservations
from hedge_leg.core.opportunity import Opportunity, Shadow, blind
from hedge_leg.core.shadow import Settlement
from hedge_leg.errors import JournalError
from hedge_leg.ports import EntryAsked
from tests.hedge_leg.core.observed import AT_MS, D, series
from tests.hedge_leg.fakes import PAIR
from tests.hedge_leg.journal_contract import announced, numbered, paid

LOOKS, SETTLED = series(1)
OTHER = "ETH/USDT:USDT"


class ObservationContract:
    """Each database's test class derives from this one and brings `url` and `by_hand`."""

    def by_hand(self, url: str, statements: Sequence[str]) -> None:
        """Run statements past the journal."""
        raise NotImplementedError

    def test_records_come_back_equal_after_a_restart_beside_the_events(self, url: str) -> None:
        journal = open_journal(url)
        log = SqlObservations(journal)
        journal.append("c1", 0, [announced()])
        asked = EntryAsked(AT_MS, PAIR, True, "because", D("1.5"), D(100))
        shadow = Shadow(AT_MS + 5, PAIR, AT_MS, D("0.10"), D(1), D(2))
        log.append([*SETTLED, *LOOKS, asked, shadow, blind(AT_MS, OTHER, "no book")])
        journal.append("c1", 1, [paid(1)])
        journal.close()
        reader = open_journal(url, exclusive=False)
        kept = SqlObservations(reader)
        assert list(kept.read(Opportunity, pair=PAIR)) == LOOKS
        assert list(kept.read(Opportunity, since_ms=LOOKS[2].at_ms, until_ms=LOOKS[4].at_ms)) == LOOKS[2:5]
        assert list(kept.read(Settlement)) == SETTLED
        assert list(kept.read(EntryAsked)) == [asked]
        assert kept.newest(Shadow, PAIR) == [shadow]
        assert kept.newest(Shadow, OTHER) == []
        assert kept.newest(Settlement, PAIR, 2) == SETTLED[-2:]
        assert list(reader.stream()) == numbered("c1", announced(), paid(1))
        reader.close()
        assert verify(url) == []

    def test_a_reader_beside_the_running_bot_sees_each_append_and_writes_nothing(self, url: str) -> None:
        journal = open_journal(url)
        reader = open_journal(url, exclusive=False)
        SqlObservations(journal).append(LOOKS[:1])
        assert list(SqlObservations(reader).read(Opportunity)) == LOOKS[:1]
        with pytest.raises(JournalError, match="read only"):
            SqlObservations(reader).append(LOOKS[1:2])
        reader.close()
        journal.close()

    def test_a_batch_that_holds_a_settlement_twice_is_not_written_at_all(self, url: str) -> None:
        journal = open_journal(url)
        log = SqlObservations(journal)
        with pytest.raises(JournalError):
            log.append([LOOKS[0], SETTLED[0], SETTLED[0]])
        assert list(log.read(Opportunity)) == []
        log.append([LOOKS[0], SETTLED[0]])  # the journal still works, with its lease
        journal.append("c1", 0, [announced()])
        assert list(log.read(Settlement)) == SETTLED[:1]
        journal.close()

    @pytest.mark.parametrize("statement", ["UPDATE observation SET pair = 'x'", "DELETE FROM observation"])
    def test_the_database_refuses_a_change(self, url: str, statement: str) -> None:
        journal = open_journal(url)
        SqlObservations(journal).append(LOOKS[:2])
        journal.close()
        with pytest.raises(Exception, match="append-only"):
            self.by_hand(url, [statement])

    def test_a_journal_of_version_1_is_migrated_by_the_bot_and_keeps_its_events(
        self, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
            old = open_journal(url)
            old.append("c1", 0, [announced()])
            old.close()
        with pytest.raises(JournalError, match="start the bot once"):
            open_journal(url, exclusive=False)
        journal = open_journal(url)
        SqlObservations(journal).append(LOOKS[:1])
        assert list(journal.stream()) == numbered("c1", announced())
        journal.close()
        assert verify(url) == []

    def test_a_record_of_a_later_version_is_one_line(self, url: str) -> None:
        open_journal(url).close()
        row = f"INSERT INTO observation (at_ms, pair, kind, payload) VALUES (1, '{PAIR}', 'Shadow', '{{}}')"
        self.by_hand(url, [row])
        journal = open_journal(url, exclusive=False)
        with pytest.raises(JournalError, match=r"observation 1: Shadow\.at_ms") as caught:
            SqlObservations(journal).newest(Shadow, PAIR)
        assert "\n" not in str(caught.value)
        journal.close()

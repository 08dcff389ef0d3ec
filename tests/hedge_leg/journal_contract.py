"""What every journal must do: one class of tests, run on each of them."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from threading import Thread

import pytest

from hedge_leg.core import events as ev
from hedge_leg.core.orders import OrderIntent, Purpose, Side, SpotFill
from hedge_leg.errors import JournalError, VersionConflict
from hedge_leg.ports import Journal, Recorded

D = Decimal
FILL = SpotFill("t1", Side.BUY, D("0.1"), D("42000.10"), D("0.0001"), "BTC", D("4.2"), 1_700_000_000_000)
INTENT = OrderIntent("hl-c1-1", "BTC/USDT", Side.BUY, D("0.10"), D("42000.5"), 0, Purpose.OPEN)
ANSWERED = ev.SpotAnswered(7, "hl-c1-1", "v1", (FILL, replace(FILL, trade_id="t2")), True)


def announced(at_ms: int = 1, pair: str = "BTC/USDT:USDT") -> ev.Announced:
    """Return the first event of a carry."""
    one, none = D("1.00"), D(0)
    return ev.Announced(at_ms, pair, "BTC/USDT", "BTC", "USDT", one, D("42000"), D(2), none, none, none)


def paid(number: int, amount: str = "0.12") -> ev.FundingPaid:
    """Return the payment of a settlement."""
    return ev.FundingPaid(number, f"settlement-{number}", D(amount), number)


def numbered(carry_id: str, *events: ev.Event) -> list[Recorded]:
    """Return the events as a journal holds them."""
    return [Recorded(carry_id, version, event) for version, event in enumerate(events, 1)]


class JournalContract:
    """Each journal's test class derives from this one and brings the fixture."""

    @pytest.fixture
    def journal(self) -> Iterator[Journal]:
        raise NotImplementedError

    def test_empty_journal_knows_no_carry(self, journal: Journal) -> None:
        assert list(journal.stream()) == []
        assert list(journal.read("c1")) == []

    def test_appended_events_are_read_back_equal_and_numbered_from_one(self, journal: Journal) -> None:
        journal.append("c1", 0, [announced(), ev.SpotIntended(5, INTENT)])
        journal.append("c1", 2, [ANSWERED])
        assert list(journal.read("c1")) == numbered("c1", announced(), ev.SpotIntended(5, INTENT), ANSWERED)

    def test_stream_gives_carries_in_the_order_they_began_each_by_version(self, journal: Journal) -> None:
        for carry_id in ("z", "a", "m"):
            journal.append(carry_id, 0, [announced()])
        journal.append("z", 1, [paid(1)])
        journal.append("a", 1, [paid(2), paid(3)])
        assert list(journal.stream()) == [
            *numbered("z", announced(), paid(1)),
            *numbered("a", announced(), paid(2), paid(3)),
            *numbered("m", announced()),
        ]

    @pytest.mark.parametrize("after", [0, 1, 3, 4, -1])
    def test_append_after_another_version_is_a_conflict_and_writes_nothing(
        self, journal: Journal, after: int
    ) -> None:
        journal.append("c1", 0, [announced(), paid(1)])
        with pytest.raises(VersionConflict, match="carry c1 is at version 2"):
            journal.append("c1", after, [paid(2)])
        assert list(journal.read("c1")) == numbered("c1", announced(), paid(1))
        journal.append("c1", 2, [paid(2)])
        assert len(journal.read("c1")) == 3

    def test_unknown_carry_is_at_version_zero(self, journal: Journal) -> None:
        with pytest.raises(VersionConflict, match="carry c9 is at version 0"):
            journal.append("c9", 1, [paid(1)])
        assert list(journal.stream()) == []

    def test_the_same_append_delivered_twice_is_refused_as_a_conflict(self, journal: Journal) -> None:
        journal.append("c1", 0, [announced()])
        with pytest.raises(VersionConflict):
            journal.append("c1", 0, [announced()])
        assert list(journal.read("c1")) == numbered("c1", announced())

    def test_conflict_in_one_carry_leaves_the_others_writable(self, journal: Journal) -> None:
        journal.append("c1", 0, [announced()])
        with pytest.raises(VersionConflict):
            journal.append("c1", 5, [paid(1)])
        journal.append("c2", 0, [announced()])
        assert [row.carry_id for row in journal.stream()] == ["c1", "c2"]

    def test_batch_with_one_event_that_cannot_be_written_is_not_written_at_all(
        self, journal: Journal
    ) -> None:
        journal.append("c1", 0, [announced()])
        with pytest.raises(JournalError, match=r"FundingPaid\.amount"):
            journal.append("c1", 1, [paid(1), replace(paid(2), amount=D("NaN")), paid(3)])
        assert list(journal.read("c1")) == numbered("c1", announced())

    def test_appending_nothing_writes_nothing_but_checks_the_version(self, journal: Journal) -> None:
        journal.append("c1", 0, [announced()])
        journal.append("c1", 1, [])
        with pytest.raises(VersionConflict):
            journal.append("c1", 0, [])
        assert list(journal.read("c1")) == numbered("c1", announced())
        journal.append("c1", 1, [paid(1)])

    @pytest.mark.parametrize("carry_id", ["", "a\nb", "a\x00b", "\ud800"])
    def test_carry_id_that_is_not_printable_is_refused(self, journal: Journal, carry_id: str) -> None:
        with pytest.raises(JournalError, match="is not a carry id"):
            journal.append(carry_id, 0, [announced()])
        assert list(journal.stream()) == []

    def test_texts_of_any_script_and_control_characters_come_back_exactly(self, journal: Journal) -> None:
        texts = [
            "資金費率 · financiación",
            "a\x00b\n\t\"'\\",
            "\U0001f4b8\u202e",
            "",
            " ",
            "{}'; DROP TABLE x; --",
        ]
        halts: list[ev.Event] = [ev.Halted(number, text) for number, text in enumerate(texts)]
        journal.append("碳-1", 0, halts)
        assert list(journal.read("碳-1")) == numbered("碳-1", *halts)

    def test_decimals_of_any_size_come_back_to_the_last_digit(self, journal: Journal) -> None:
        amounts = ["1" * 80 + "." + "3" * 80, "1E+5000", "-1E-5000", "0E-18", "-0", "1.10", "100"]
        journal.append("c1", 0, [paid(number, amount) for number, amount in enumerate(amounts)])
        rows = [row.event for row in journal.read("c1")]
        assert [str(event.amount) for event in rows if isinstance(event, ev.FundingPaid)] == amounts

    def test_large_batch_is_written_whole(self, journal: Journal) -> None:
        batch: list[ev.Event] = [announced(), *(paid(number) for number in range(1_500))]
        journal.append("c1", 0, batch)
        assert list(journal.stream()) == numbered("c1", *batch)

    def test_stream_may_be_read_while_something_is_appended(self, journal: Journal) -> None:
        for carry_id in ("c1", "c2"):
            journal.append(carry_id, 0, [announced()])
        rows = iter(journal.stream())
        assert next(iter(rows)).carry_id == "c1"
        journal.append("c1", 1, [paid(1)])
        assert [row.carry_id for row in rows][-1] == "c2"

    def test_threads_may_append_at_the_same_time(self, journal: Journal) -> None:
        def work(carry_id: str) -> None:
            journal.append(carry_id, 0, [announced()])
            for number in range(1, 20):
                journal.append(carry_id, number, [paid(number)])

        threads = [Thread(target=work, args=(carry_id,)) for carry_id in ("c1", "c2", "c3")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [len(journal.read(carry_id)) for carry_id in ("c1", "c2", "c3")] == [20, 20, 20]

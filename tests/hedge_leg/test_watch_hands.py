"""What a loop does not believe, other people's hands, the bound, the journal and the process."""

from decimal import Decimal

import pytest

from hedge_leg.core import events as ev
from hedge_leg.core.reconcile import Kind
from hedge_leg.core.states import State
from hedge_leg.errors import JournalError
from hedge_leg.operations import apply_findings, look
from tests.hedge_leg.desk import ONE, Desk, Trade, active
from tests.hedge_leg.fakes import ZERO, Answer

HALF = Decimal("0.5")


def events(desk: Desk, kind: type[ev.Event]) -> list[ev.Event]:
    """Return the newest carry's facts of one kind."""
    return [row.event for row in desk.journal.read(desk.carry.carry_id) if isinstance(row.event, kind)]


# What is not believed


def test_a_stale_position_read_does_not_trade() -> None:
    desk = Desk()
    active(desk)
    desk.perp.stale = ZERO
    carry = desk.loop(10)
    assert (carry.state, len(desk.spot.sent)) == (State.ACTIVE, 1)
    desk.perp.stale = None
    assert desk.loop(2).state is State.ACTIVE


def test_a_position_that_its_orders_never_explain_halts_after_a_long_time() -> None:
    desk = Desk()
    active(desk)
    desk.perp.stale = ZERO
    carry = desk.loop(60)
    assert (carry.state, len(desk.spot.sent), desk.perp.sent) == (State.HALTED, 1, [])


@pytest.mark.parametrize("stale", [True, False])
def test_reconcile_accepts_missing_spot_only_after_a_second_look(stale: bool) -> None:
    desk = Desk()
    active(desk)
    desk.spot.stale = {"BTC": ZERO}
    found = look(desk.engine, [])
    assert [one.kind for one in found] == [Kind.SPOT_MISSING]
    if stale:
        desk.spot.stale = None
    else:
        desk.spot.cash["BTC"], desk.spot.stale = ZERO, None
    apply_findings(desk.engine, desk.watch, found)
    assert desk.hedged()
    assert len(desk.spot.sent) == (1 if stale else 2)


def test_one_stale_balance_does_not_halt_and_a_lasting_one_does() -> None:
    desk = Desk()
    active(desk)
    desk.loop(13)
    desk.spot.stale = {"BTC": ZERO}
    desk.loop(12)
    desk.spot.stale = None
    assert desk.loop(26).state is State.ACTIVE
    desk.spot.stale = {"BTC": ZERO}
    assert desk.loop(26).state is State.HALTED


def test_failing_reads_trade_nothing_and_are_no_difference() -> None:
    desk = Desk()
    active(desk)
    desk.perp.mute = True
    desk.spot.mute.update({"balances", "book"})
    assert desk.loop(60).state is State.ACTIVE
    assert len(desk.spot.sent) == 1


# Other people's hands


def test_spot_sold_by_hand_halts_and_trades_nothing() -> None:
    desk = Desk()
    active(desk)
    desk.spot.cash["BTC"] = HALF
    carry = desk.loop(30)
    assert (carry.state, len(desk.spot.sent), desk.perp.sent) == (State.HALTED, 1, [])
    assert "0.5 BTC on the spot account, the journal holds 1" in carry.why


def test_coins_that_somebody_adds_are_left_alone() -> None:
    desk = Desk()
    active(desk)
    desk.spot.cash["BTC"] = Decimal(5)
    assert desk.loop(30).state is State.ACTIVE
    assert len(desk.spot.sent) == 1


def test_a_short_that_somebody_else_made_larger_halts() -> None:
    desk = Desk()
    active(desk)
    desk.perp.trade(-HALF)
    carry = desk.loop(4)
    assert (carry.state, desk.perp.sent) == (State.HALTED, [])
    assert "somebody else made the short larger by 0.5" in carry.why


def test_a_deleted_trade_halts_and_both_legs_stay() -> None:
    desk = Desk()
    active(desk)
    desk.trades.clear()
    carry = desk.loop(2)
    assert (carry.state, desk.hedged()) == (State.HALTED, True)
    assert "deleted" in carry.why


def test_a_trade_deleted_while_opening_halts() -> None:
    desk = Desk()
    assert desk.announce().allowed
    desk.spot.mute.add("book")
    desk.trades.append(Trade(1))
    desk.sell(ONE)
    desk.trades.clear()
    assert desk.loop(2).state is State.HALTED


def test_a_trade_that_freqtrade_closed_while_the_position_stands_is_rolled_back() -> None:
    desk = Desk()
    active(desk)
    desk.trades[-1].open = False
    carry = desk.loop(3)
    assert (carry.state, desk.flat(), len(desk.perp.sent)) == (State.IDLE, True, 1)


def test_a_pair_that_stands_unhedged_beyond_its_bound_rings_while_it_does() -> None:
    desk = Desk()
    assert desk.announce().allowed
    desk.spot.mute.add("book")
    desk.trades.append(Trade(1))
    desk.sell(ONE)
    desk.perp.down_until_ms = 2**60
    desk.loop(40)
    assert any("unhedged beyond the bound" in bell for bell in desk.bells)


def test_a_book_that_stays_unreadable_beyond_the_bound_rolls_the_pair_back() -> None:
    desk = Desk()
    assert desk.announce().allowed
    desk.spot.mute.add("book")
    desk.trades.append(Trade(1))
    desk.sell(ONE)
    desk.loop(60)
    assert (desk.carry.state, desk.flat(), len(desk.perp.sent)) == (State.IDLE, True, 1)


# The journal and the process


def test_after_a_journal_failure_nothing_is_traded_before_it_was_read_again() -> None:
    desk = Desk()
    assert desk.announce().allowed
    desk.journal.failing = 1
    desk.trades.append(Trade(1))
    with pytest.raises(JournalError, match="disk full"):
        desk.sell(ONE)
    assert desk.spot.sent == []
    desk.loop(2)
    assert desk.hedged()


def test_a_restart_while_an_order_is_unknown_refuses_entries_until_it_is_known() -> None:
    desk = Desk()
    desk.spot.script.append(Answer.LOST)
    desk.spot.mute.add("find")
    desk.enter()
    desk.restart()
    desk.loop(1)
    assert not desk.engine.recovered
    desk.spot.mute.clear()
    desk.loop(10)
    assert (desk.engine.recovered, desk.hedged(), len(desk.spot.sent)) == (True, True, 1)

"""What every loop takes over: perp orders whose answers were lost, and a perp that leaves by itself."""

from dataclasses import replace
from decimal import Decimal

import pytest

from hedge_leg.core import events as ev
from hedge_leg.core.orders import Side
from hedge_leg.core.states import State
from hedge_leg.gate import request_exit
from tests.hedge_leg.desk import ONE, Desk, Trade, active, as_told
from tests.hedge_leg.fakes import PAIR, ZERO, Answer

HALF = Decimal("0.5")


def events(desk: Desk, kind: type[ev.Event]) -> list[ev.Event]:
    """Return the newest carry's facts of one kind."""
    return [row.event for row in desk.journal.read(desk.carry.carry_id) if isinstance(row.event, kind)]


# Orders whose answers freqtrade lost


def test_a_lost_entry_is_adopted_and_closed_reduce_only() -> None:
    desk = Desk()
    assert desk.announce().allowed
    desk.perp.trade(-ONE)  # freqtrade was told that it failed: no trade in its database
    carry = desk.loop(4)
    assert (carry.state, desk.flat(), desk.spot.sent) == (State.IDLE, True, [])
    assert carry.adopted
    assert [qty for _, qty in desk.perp.sent] == [ONE]
    assert any("freqtrade was told that its entry failed" in bell for bell in desk.bells)


def test_an_entry_that_never_happened_ends_only_on_proof() -> None:
    desk = Desk()
    assert desk.announce().allowed
    desk.perp.mute = True
    assert desk.loop(30).state is State.OPENING
    desk.perp.mute = False
    carry = desk.loop(7)  # the waits have grown meanwhile
    assert carry.state is State.IDLE
    assert carry.closed is not None
    assert carry.closed.reason == "no perp order was placed"


def test_a_position_without_an_order_that_explains_it_halts_an_opening() -> None:
    desk = Desk()
    assert desk.announce().allowed
    desk.perp.short = ONE
    assert desk.loop(30).state is State.HALTED


def test_an_entry_order_that_still_works_on_the_exchange_is_neither_adopted_nor_denied() -> None:
    desk = Desk()
    assert desk.announce().allowed
    order = desk.perp.trade(-ONE)
    desk.perp.orders[0] = replace(order, open=True)
    assert desk.loop(6).state is State.OPENING
    desk.perp.orders[0] = order
    desk.loop(14)
    assert desk.flat()


def test_a_lost_exit_is_found_and_the_carry_ends() -> None:
    desk = Desk()
    active(desk)
    assert request_exit(desk.engine, PAIR, "signal").allowed
    desk.perp.trade(ONE)
    carry = desk.loop(4)
    assert (carry.state, desk.flat()) == (State.IDLE, True)
    assert any("perp orders freqtrade missed" in bell for bell in desk.bells)


def test_a_lost_addition_that_was_asked_for_is_closed_again() -> None:
    desk = Desk()
    carry = active(desk)
    desk.engine.record(carry, ev.ResizeAsked(desk.clock.now_ms(), -HALF))
    desk.perp.trade(-HALF)
    desk.loop(4)
    assert (desk.carry.state, desk.perp.short, desk.hedged()) == (State.ACTIVE, ONE, True)


def test_an_order_of_an_earlier_carry_that_freqtrade_takes_for_its_new_trades_changes_nothing() -> None:
    desk = Desk()
    carry = active(desk)
    desk.engine.record(carry, ev.ResizeAsked(desk.clock.now_ms(), -HALF))
    desk.perp.trade(-HALF)
    desk.loop(4)  # the addition is closed again by an order of ours
    ours = desk.perp.orders[-1]
    assert desk.leave().allowed
    desk.loop(2)
    active(desk)
    desk.order_filled(ours.order_id)  # `handle_onexchange_order` looks ten seconds back
    desk.loop(4)
    assert (desk.carry.state, desk.carry.short_qty, desk.perp.short, desk.hedged()) == (
        State.ACTIVE,
        ONE,
        ONE,
        True,
    )


def test_an_order_of_freqtrade_that_fills_further_while_freqtrade_cannot_see_it_is_hedged() -> None:
    desk = Desk()
    assert desk.announce().allowed
    desk.trades.append(Trade(1, working=True))
    order = desk.perp.trade(-HALF)
    desk.order_filled(order.order_id)
    desk.perp.grow(order, -HALF)
    desk.loop(4)
    assert (desk.carry.state, desk.perp.short, desk.hedged()) == (State.ACTIVE, ONE, True)


def test_a_partial_fill_whose_order_ended_on_the_exchange_is_adopted_once_and_told_again_by_freqtrade() -> (
    None
):
    desk = Desk()
    active(desk)
    desk.perp.trade(HALF)
    desk.loop(4)
    facts = len(events(desk, ev.PerpFilled))
    desk.order_filled(desk.perp.orders[-1].order_id)
    desk.loop(4)
    assert (len(events(desk, ev.PerpFilled)), desk.hedged()) == (facts + 1, True)
    assert desk.carry.short_qty == HALF


def test_an_entry_that_rests_in_the_book_for_minutes_is_waited_for_and_hedged() -> None:
    desk = Desk()
    assert desk.announce().allowed
    desk.trades.append(Trade(1, working=True))
    order = desk.perp.trade(-ONE)
    desk.perp.short = ZERO
    desk.perp.orders[0] = replace(order, open=True, qty=ZERO, value=ZERO)
    assert desk.loop(100).state is State.OPENING
    desk.perp.short, desk.perp.orders[0] = ONE, order
    desk.trades[-1].working = False
    assert desk.order_filled("p1").state is State.ACTIVE


def test_an_exit_that_freqtrade_learns_of_within_the_grace_time_rings_nothing() -> None:
    desk = Desk()
    active(desk)
    assert request_exit(desk.engine, PAIR, "signal").allowed
    order = desk.perp.trade(ONE)
    desk.watch.perp_interval_ms = 0
    desk.loop(4, step_ms=1_000)
    desk.order_filled(order.order_id)
    assert (desk.loop(2).state, desk.flat(), desk.bells) == (State.IDLE, True, [])


def test_orders_that_do_not_add_up_to_the_position_yet_are_not_taken_over() -> None:
    desk = Desk()
    active(desk)
    desk.perp.trade(Decimal("0.4"))
    desk.perp.trade(Decimal("0.6"))
    late = desk.perp.orders.pop()  # the list lags behind the position
    assert desk.loop(6).short_qty == ONE
    assert len(desk.spot.sent) == 1
    desk.perp.orders.append(late)
    assert (desk.loop(3).state, desk.flat()) == (State.IDLE, True)


# The perp leaves by itself


@pytest.mark.parametrize("how", ["liquidation", "auto-deleveraging", "closed by hand"])
def test_a_perp_that_left_by_itself_is_followed_by_all_spot(how: str) -> None:
    desk = Desk()
    active(desk)
    desk.perp.trade(ONE, liquidation=how != "closed by hand")
    carry = desk.loop(3)
    assert (carry.state, desk.flat()) == (State.IDLE, True)
    assert desk.spot.sent[-1].side is Side.SELL


def test_a_liquidation_is_followed_in_the_first_loop_that_sees_it() -> None:
    desk = Desk()
    active(desk)
    desk.perp.trade(ONE, liquidation=True)
    desk.loop(1)
    assert desk.flat()


def test_a_liquidation_that_does_not_explain_the_position_is_not_believed_at_once() -> None:
    desk = Desk()
    active(desk)
    desk.perp.trade(HALF, liquidation=True)
    desk.perp.short = ZERO
    carry = desk.loop(1)
    assert carry.short_qty == ONE
    assert desk.held() >= ONE


def test_a_partial_auto_deleveraging_is_followed_by_as_much_spot() -> None:
    desk = Desk()
    active(desk)
    desk.perp.trade(Decimal("0.3"), liquidation=True)
    assert desk.loop(3).state is State.ACTIVE
    assert (desk.held(), desk.hedged()) == (Decimal("0.7"), True)


def test_a_liquidation_while_opening_sells_what_was_bought() -> None:
    desk = Desk()
    desk.spot.script.extend([Answer.PART, Answer.LOST])
    desk.spot.mute.add("find")
    desk.enter()
    desk.perp.trade(ONE, liquidation=True)
    desk.loop(3)
    desk.spot.mute.clear()
    desk.loop(20)
    assert (desk.carry.state, desk.flat()) == (State.IDLE, True)


def test_a_liquidation_during_an_exit_ends_the_carry() -> None:
    desk = Desk()
    active(desk)
    assert request_exit(desk.engine, PAIR, "signal").allowed
    desk.perp.trade(ONE, liquidation=True)
    assert desk.loop(4).state is State.IDLE
    assert desk.flat()


def test_spot_follows_within_a_loop_when_the_perp_of_a_rollback_leaves() -> None:
    desk = Desk()
    desk.spot.script.extend([Answer.PART, Answer.REFUSE])
    desk.perp_closable = False
    desk.restart()
    desk.engine.recovered = True
    desk.enter()
    desk.loop(1)  # told to wait for freqtrade
    order = desk.perp.trade(ONE)
    trade = desk.trades[-1]
    trade.open = False
    trade.orders[order.order_id] = as_told(order)
    desk.loop(1)
    assert desk.flat()

"""An order of ours that was executed twice is found by the account and by its client id."""

from decimal import Decimal

from hedge_leg.core.orders import Side
from hedge_leg.core.states import State
from tests.hedge_leg.desk import ONE, Desk, active

MINUTES = 14  # loops of five seconds until the spot account was looked at


def repeat(desk: Desk) -> None:
    """Let the network send the last order a second time; the venue finds the first by its id."""
    intent = desk.spot.sent[-1]
    first = desk.spot.orders[intent.client_id]
    desk.spot._execute(intent, intent.qty)
    desk.spot.doubled.append(desk.spot.orders[intent.client_id])
    desk.spot.orders[intent.client_id] = first


def test_a_doubled_purchase_is_taken_over_sold_and_told() -> None:
    desk = Desk()
    active(desk)
    repeat(desk)
    assert desk.held() > 2 * ONE - desk.spot.market.lot * 2
    carry = desk.loop(2 * MINUTES)
    assert (carry.state, desk.hedged()) == (State.ACTIVE, True)
    assert [intent.side for intent in desk.spot.sent] == [Side.BUY, Side.SELL]
    assert sum("filled more than was known" in bell for bell in desk.bells) == 1


def test_coins_that_no_order_of_ours_moved_are_left_alone_and_looked_into_once() -> None:
    desk = Desk()
    active(desk)
    desk.spot.cash["BTC"] += Decimal("0.3")
    desk.loop(2 * MINUTES)
    looks: list[str] = []
    desk.spot.orders_of = lambda *_: looks.append("look") or []  # type: ignore[method-assign,func-returns-value]
    carry = desk.loop(3 * MINUTES)
    assert (carry.state, len(desk.spot.sent), looks) == (State.ACTIVE, 1, [])
    assert carry.spot_qty < ONE + Decimal("0.3")


def test_orders_that_cannot_be_read_are_looked_for_again() -> None:
    desk = Desk()
    active(desk)
    repeat(desk)
    desk.spot.mute.add("orders_of")
    assert desk.loop(2 * MINUTES).state is State.ACTIVE
    assert len(desk.spot.sent) == 1
    desk.spot.mute.clear()
    desk.loop(2 * MINUTES)
    assert desk.hedged()


def test_a_doubled_sale_of_the_end_is_only_told() -> None:
    desk = Desk()
    desk.spot.cash["BTC"] = ONE * 2
    active(desk)
    assert desk.leave().allowed
    repeat(desk)
    carry = desk.loop(2 * MINUTES)
    assert (carry.state, len(desk.spot.sent)) == (State.IDLE, 2)
    assert any("the carry has ended" in bell for bell in desk.bells)

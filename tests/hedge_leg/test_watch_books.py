"""Exact fees and funding: taken over once, for the right carry, also late, and never made up."""

from dataclasses import replace
from decimal import Decimal

import pytest

from hedge_leg.core.accounts import books
from hedge_leg.core.carry import Carry
from hedge_leg.core.ledger import Account
from hedge_leg.core.states import State
from hedge_leg.late_facts import MOST_READS, LateFacts
from hedge_leg.ports import FundingPayment
from tests.hedge_leg.desk import ONE, Desk, Trade, active

PAID, HALF = Decimal("0.25"), Decimal("0.5")
MINUTE = 60_000


def pay(desk: Desk, key: str, after_ms: int = 0, amount: Decimal = PAID) -> None:
    """Let the exchange list a settlement that was paid now or that much later (earlier)."""
    desk.perp.funding.append(FundingPayment(key, amount, desk.clock.now_ms() + after_ms))


def received(desk: Desk) -> list[Decimal]:
    """Return the funding of each carry."""
    return [books(carry).ledger.funding for carry in desk.engine.carries.values()]


def test_the_fee_that_freqtrade_reckons_is_replaced_by_what_was_charged() -> None:
    desk = Desk()
    active(desk)
    charged = desk.perp.orders[0].fee
    carry = desk.engine.carries[desk.carry.carry_id]
    carry.perp["p1"] = replace(carry.perp["p1"], fee=Decimal(9))  # what freqtrade's fee rate made of it
    carry = desk.loop(14)
    assert (carry.perp["p1"].fee, carry.perp["p1"].settled) == (charged, True)
    assert books(carry).ledger.balance(Account.FEES_PERP) == charged


def test_an_order_that_still_works_is_not_settled() -> None:
    desk = Desk()
    active(desk)
    desk.perp.orders[0] = replace(desk.perp.orders[0], open=True)
    assert not desk.loop(14).perp["p1"].settled
    desk.perp.orders[0] = replace(desk.perp.orders[0], open=False)
    assert desk.loop(14).perp["p1"].settled


def test_funding_is_taken_over_once_however_often_it_is_listed() -> None:
    desk = Desk()
    active(desk)
    desk.loop(1)
    pay(desk, "f1")
    pay(desk, "f1")
    desk.loop(40)
    assert received(desk) == [PAID]


def test_of_many_carries_those_that_were_not_read_longest_have_their_turn() -> None:
    desk = Desk()
    active(desk)
    carry, late, read = desk.loop(14), LateFacts(desk.engine), list[str]()  # all is settled

    def note(one: Carry) -> None:
        read.append(one.carry_id)
        late.settle(one)

    many = {f"C{number}": replace(carry, carry_id=f"C{number}") for number in range(2 * MOST_READS + 5)}
    desk.engine.carries = many
    for _ in range(3):
        late.turn(note)
        desk.clock.sleep(60)
    assert len(read) == 3 * MOST_READS
    assert set(read[: 2 * MOST_READS + 5]) == set(many)


def test_a_settlement_between_the_parts_of_the_entry_is_the_carrys() -> None:
    desk = Desk()
    assert desk.announce().allowed
    desk.trades.append(Trade(1, working=True))
    order = desk.perp.begin(-HALF)
    desk.order_filled(order.order_id)
    desk.loop(1)
    pay(desk, "between")
    desk.clock.sleep(2)
    grown = replace(desk.perp.grow(order, -HALF), open=False, filled_ms=desk.clock.now_ms())
    desk.perp.orders[0] = grown
    desk.trades[-1].working = False
    desk.order_filled(grown.order_id)
    desk.loop(40)
    assert received(desk) == [PAID]


def test_settlements_at_other_intervals_than_before_are_all_taken_over() -> None:
    desk = Desk()
    active(desk)
    for number, minutes in enumerate((480, 240, 120, 60)):  # the interval is made shorter while open
        desk.clock.sleep(60 * minutes)
        pay(desk, f"f{number}")
    desk.loop(14)
    assert received(desk) == [4 * PAID]


def test_a_payment_is_received_positive_and_a_negative_one_is_paid() -> None:
    desk = Desk()
    active(desk)
    desk.loop(1)
    pay(desk, "f1", amount=-PAID)
    desk.loop(14)
    assert received(desk) == [-PAID]


def test_a_payment_before_the_first_fill_is_not_the_carrys() -> None:
    desk = Desk()
    pay(desk, "before", -1)
    active(desk)
    desk.loop(14)
    assert received(desk) == [Decimal(0)]


@pytest.mark.parametrize(("after_ms", "counts"), [(31, True), (15_000, True), (15_001, False)])
def test_a_settlement_that_took_its_snapshot_shortly_after_the_stamp_counts_after_the_last_fill(
    after_ms: int, counts: bool
) -> None:
    desk = Desk()
    active(desk)
    desk.loop(14)
    assert desk.leave().allowed
    pay(desk, "f1", after_ms)
    desk.loop(14)
    assert received(desk) == [PAID if counts else Decimal(0)]


def closed(desk: Desk) -> int:
    """Open and close a pair; return a time (ms) at which it was still open."""
    active(desk)
    desk.loop(14)
    assert desk.leave().allowed
    return desk.clock.now_ms() - 1


@pytest.mark.parametrize(("minutes", "funding"), [(15, PAID), (25, Decimal(0))])
def test_funding_that_is_listed_late_reaches_a_closed_carry_within_twenty_minutes(
    minutes: int, funding: Decimal
) -> None:
    desk = Desk()
    paid_ms = closed(desk)
    desk.loop(12 * minutes)
    desk.perp.funding.append(FundingPayment("late", PAID, paid_ms))
    desk.loop(14)
    assert received(desk) == [funding]


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize(("days", "funding"), [(1, PAID), (6, PAID), (8, Decimal(0))])
def test_funding_of_a_carry_that_closed_just_before_the_bot_stood_still_is_taken_over_afterwards(
    days: int, funding: Decimal, killed: bool
) -> None:
    desk = Desk()
    paid_ms = closed(desk)
    desk.perp.funding.append(FundingPayment("missed", PAID, paid_ms))
    desk.clock.sleep(days * 86_400)
    if killed:
        desk.restart()
    desk.loop(14)
    assert received(desk) == [funding]


def test_orders_that_cancelled_each_other_out_unseen_are_in_the_books() -> None:
    desk = Desk()
    active(desk)
    desk.loop(1)
    desk.perp.trade(HALF, liquidation=True)  # auto-deleveraged
    desk.perp.trade(-HALF)  # and an addition whose answer was lost: the position is as before
    carry = desk.loop(140)
    assert (carry.state, carry.short_qty, desk.hedged()) == (State.ACTIVE, ONE, True)
    charged = sum((order.fee for order in desk.perp.orders), Decimal(0))
    assert books(carry).ledger.balance(Account.FEES_PERP) == charged
    assert any("freqtrade missed" in bell for bell in desk.bells)


def test_a_settlement_between_two_carries_is_counted_once() -> None:
    desk = Desk()
    active(desk)
    desk.loop(14)
    assert desk.leave().allowed
    desk.loop(1)
    active(desk)
    pay(desk, "between", 2_000)  # within the snapshot time of the first, after the first fill of the second
    desk.loop(40)
    assert sum(received(desk)) == PAID
    assert len(received(desk)) == 2


def test_nothing_is_lost_or_made_up_while_the_settlements_cannot_be_read() -> None:
    desk = Desk()
    active(desk)
    desk.loop(1)
    pay(desk, "f1")
    desk.perp.mute = True
    desk.loop(40)
    assert received(desk) == [Decimal(0)]
    desk.perp.mute = False
    desk.loop(14)
    assert received(desk) == [PAID]


def test_a_carry_without_a_perp_fill_claims_no_funding() -> None:
    desk = Desk()
    assert desk.announce(ONE).allowed
    pay(desk, "f1")
    desk.loop(20)
    assert received(desk) == [Decimal(0)]

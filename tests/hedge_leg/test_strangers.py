"""Positions of pairs whose carry has ended: a very late entry is closed, anything else is left alone."""

from decimal import Decimal

import pytest

from hedge_leg.core import events as ev
from hedge_leg.core.states import State
from hedge_leg.late_facts import GRACE_MS
from tests.hedge_leg.desk import ONE, Desk, active
from tests.hedge_leg.fakes import ZERO

HALF = Decimal("0.5")

ALARM = "that no carry holds: close it by hand"


def denied() -> Desk:
    """Return a desk whose announced entry was proven not to exist."""
    desk = Desk()
    assert desk.announce().allowed
    carry = desk.loop(7)
    assert carry.closed is not None
    assert carry.closed.reason == "no perp order was placed"
    return desk


@pytest.mark.parametrize("qty", ["1", "0.98"])
@pytest.mark.parametrize("later_s", [0, 30, 600])
def test_an_entry_that_arrives_after_it_was_proven_absent_is_closed_reduce_only(
    qty: str, later_s: int
) -> None:
    desk = denied()
    desk.loop(1, later_s * 1_000)
    desk.perp.trade(-Decimal(qty))
    carry = desk.loop(6)
    assert (carry.state, desk.perp.short, desk.spot.sent) == (State.IDLE, ZERO, [])
    assert [sent for _, sent in desk.perp.sent] == [Decimal(qty)]
    assert [fact.settled for fact in carry.perp.values()] == [True, True]
    assert any("filled after all" in bell for bell in desk.bells)
    assert "cools down" in desk.announce().reason
    assert not any(ALARM in bell for bell in desk.bells)


def test_the_sentinel_closes_it_where_freqtrades_loop_does_not_run() -> None:
    desk = denied()
    desk.perp.trade(-ONE)
    for _ in range(8):
        desk.clock.sleep(5)
        desk.watch.tick_alone()
    assert (desk.carry.state, desk.perp.short) == (State.IDLE, ZERO)


def test_it_is_closed_by_the_next_process() -> None:
    desk = denied()
    desk.perp.trade(-ONE)
    desk.restart()
    assert (desk.loop(6).state, desk.perp.short) == (State.IDLE, ZERO)


@pytest.mark.parametrize(
    "orders",
    [["-0.5"], ["-1.2"], ["0.5"], ["-0.5", "-0.5"], ["-1", "0.3"]],
    ids=["half of it", "more than it", "long", "in two orders", "and another order"],
)
def test_another_position_is_alarmed_once_and_left_alone(orders: list[str]) -> None:
    desk = denied()
    for qty in orders:
        desk.perp.trade(Decimal(qty))
    before = desk.perp.short
    desk.loop(20)
    assert (desk.perp.short, desk.perp.sent, len(desk.engine.carries)) == (before, [], 1)
    assert sum(ALARM in bell for bell in desk.bells) == 1


def test_a_position_after_a_pair_that_was_held_is_nobodys_late_entry() -> None:
    desk = Desk()
    active(desk)
    desk.leave()
    desk.loop(2)
    desk.perp.trade(-ONE)
    desk.loop(20)
    assert (desk.perp.short, desk.perp.sent, len(desk.engine.carries)) == (ONE, [], 1)
    assert sum(ALARM in bell for bell in desk.bells) == 1


def test_an_addition_that_arrives_after_its_carry_ended_is_closed_reduce_only() -> None:
    desk = Desk()
    carry = active(desk)
    desk.engine.record(carry, ev.ResizeAsked(desk.clock.now_ms(), -HALF))
    desk.leave()
    desk.loop(2)
    desk.perp.trade(-HALF)
    late = desk.loop(6)
    assert late.carry_id != carry.carry_id
    assert (late.state, desk.flat(), [sent for _, sent in desk.perp.sent]) == (State.IDLE, True, [HALF])
    assert not any(ALARM in bell for bell in desk.bells)


def test_an_entry_of_the_carry_before_the_last_is_closed_too() -> None:
    desk = denied()
    desk.loop(1, 301_000)
    assert desk.announce(HALF).allowed
    desk.loop(7)
    desk.perp.trade(-ONE)
    desk.loop(6)
    assert (desk.perp.short, [sent for _, sent in desk.perp.sent]) == (ZERO, [ONE])


def test_what_somebody_did_before_the_last_carry_does_not_hide_its_late_entry() -> None:
    desk = denied()
    desk.perp.trade(-HALF)
    desk.perp.trade(HALF)
    desk.loop(1, 301_000)
    assert desk.announce().allowed
    desk.loop(7)
    desk.perp.trade(-ONE)
    desk.loop(6)
    assert (desk.perp.short, [sent for _, sent in desk.perp.sent]) == (ZERO, [ONE])


def test_a_glimpse_of_a_position_closes_nothing() -> None:
    desk = denied()
    desk.perp.stale = ONE
    desk.loop(1)
    desk.perp.stale = None
    desk.loop(20)
    assert (desk.perp.sent, len(desk.engine.carries)) == ([], 1)


def test_a_position_that_comes_much_later_is_not_taken_for_ours_and_alarmed_all_the_same() -> None:
    desk = denied()
    desk.loop(1, GRACE_MS + 60_000)
    desk.perp.trade(-ONE)
    desk.loop(4, 600_000)
    assert (desk.perp.short, desk.perp.sent) == (ONE, [])
    assert sum(ALARM in bell for bell in desk.bells) == 1

"""The guard over fake venues: what it cannot read blocks entries and rings, and nothing is traded on it."""

from decimal import Decimal
from types import SimpleNamespace

import pytest

from hedge_leg.core.events import Halted
from hedge_leg.core.guard.breakers import GuardRow, RowKind
from hedge_leg.core.rebalancing import rebalancing_cost, rebalancing_share
from hedge_leg.errors import JournalError, VenueUnavailable
from tests.hedge_leg.desk import active
from tests.hedge_leg.fakes import PAIR, SYMBOL, Answer
from tests.hedge_leg.guard.rig import HALF, PLAN, Rig


def test_nothing_that_is_in_order_is_refused_or_left() -> None:
    rig = Rig()
    assert rig.guard.entry_refusal(PLAN) == ""
    active(rig.desk)
    assert rig.look() is None
    assert rig.guard.size_limit(PAIR, 1.0) == float("inf")
    assert rig.desk.bells == []


@pytest.mark.parametrize("what", ["spot_px", "wallet"])
def test_an_entry_is_refused_while_something_cannot_be_read(what: str) -> None:
    rig = Rig()
    rig.log.rows.clear()
    rig.guard.memory.breakers.day = None
    setattr(rig, what, None)
    assert rig.guard.entry_refusal(PLAN).startswith("the guard cannot see")


def test_a_liquidation_price_that_stays_unknown_rings_once_and_trades_nothing() -> None:
    rig = Rig({"stale_action": "leave"})
    active(rig.desk)
    rig.liquidation = None
    for _ in range(20):
        assert rig.look() is None
        rig.wait(30)
        rig.desk.engine.perp.short_qty(PAIR)
        rig.desk.engine.spot.balances()
    assert rig.rings(f"stale_data@{PAIR} tripped: the distance to liquidation is not known") == 1
    assert rig.guard.size_limit(PAIR, 1.0) == 1.0, "no growth"
    rig.liquidation = 150.0
    assert rig.look() == "guard_stale_data", "once it can be read again"


def test_a_table_that_fails_blocks_entries_rings_once_and_loses_no_trip() -> None:
    rig = Rig()
    active(rig.desk)
    rig.log.failing = "disk full"
    for _ in range(3):
        assert rig.look(140.0) == "guard_margin_leave", "what is tripped acts all the same"
    assert "disk full" in rig.guard.entry_refusal(PLAN)
    assert rig.rings("its table fails") == 1
    assert rig.rings("margin_leave@") == 1
    rig.log.failing = ""
    rig.look(140.0)
    tripped = [row.breaker for row in rig.log.rows if row.kind is RowKind.TRIPPED]
    assert tripped.count(f"margin_leave@{PAIR}") == 1
    rig.log.failing = "disk full"
    with pytest.raises(JournalError):
        rig.restart()


def test_a_guard_that_fails_itself_rings_once_and_blocks_entries() -> None:
    rig = Rig()
    active(rig.desk)
    trade = SimpleNamespace(pair=PAIR)
    for _ in range(2):
        asked = (trade, rig.rows(), 100.5, 0, lambda rows, now: 0.0)
        assert rig.guard.exit_reason(*asked) is None
    assert rig.rings("the guard failed") == 1
    assert rig.guard.entry_refusal(PLAN).startswith("the guard failed on")
    rig.look()
    assert not rig.guard.entry_refusal(PLAN).startswith("the guard failed")


def test_one_perp_quote_far_from_spot_is_not_believed_and_two_in_a_row_are() -> None:
    rig = Rig({"price_jump_action": "leave", "daily_loss": 1e-4, "daily_loss_action": "leave"})
    active(rig.desk)
    assert rig.look() is None
    assert rig.look(140.0, alone=True) is None, "one bad quote"
    assert rig.look() is None, "nor is the way back a jump"
    assert rig.desk.bells == []
    assert rig.look(140.0, alone=True) is None
    assert rig.look(140.0, alone=True) == "guard_margin_leave"
    assert rig.rings("daily_loss@all") == 1


def test_a_margin_that_spot_confirms_is_believed_at_once() -> None:
    rig = Rig()
    active(rig.desk)
    assert rig.look(140.0) == "guard_margin_leave"


def test_a_shrink_asks_for_half_once_and_a_restart_does_not_halve_again() -> None:
    rig = Rig()
    active(rig.desk)
    rig.look(131.0)
    assert rig.guard.size_limit(PAIR, 1.0) == 0.5
    rig.restart()
    rig.wait(60)
    rig.look(131.0)
    assert rig.guard.size_limit(PAIR, 1.0) == 0.5
    rig.desk.order_filled(rig.desk.perp.trade(HALF).order_id)
    rig.wait(60)
    rig.look(131.0)
    assert rig.guard.size_limit(PAIR, 0.5) == 0.5, "small enough, and not larger"


def test_while_a_venue_fails_nothing_but_a_margin_that_is_seen_asks_for_a_trade() -> None:
    rig = Rig({"daily_loss": 1e-9, "daily_loss_action": "leave"})
    active(rig.desk)
    rig.desk.spot.mute.add("balances")
    with pytest.raises(VenueUnavailable):
        rig.desk.engine.spot.balances()
    rig.look()
    assert rig.rings("daily_loss@all tripped") == 1
    assert rig.look() is None
    assert rig.look(140.0) == "guard_margin_leave"
    rig.desk.spot.mute.clear()
    rig.desk.engine.spot.balances()
    assert rig.look() is not None


def test_a_pair_whose_price_freqtrade_cannot_read_rings_once_blocks_entries_and_is_not_traded_on() -> None:
    rig = Rig({"daily_loss": 0})
    active(rig.desk)
    rig.look()
    for _ in range(16):
        rig.wait(30)
        rig.desk.engine.perp.short_qty(PAIR)
        rig.desk.engine.spot.balances()
        rig.guard.tick()
    assert rig.rings(f"stale_data@{PAIR} tripped: freqtrade has no price of the perp") == 1
    assert rig.guard.size_limit(PAIR, 1.0) == 1.0
    rig.wait(3_601)
    rig.desk.engine.perp.short_qty(PAIR)
    rig.desk.engine.spot.balances()
    assert rig.look() is None
    assert rig.guard.size_limit(PAIR, 1.0) == float("inf"), "it can be read again, and has cooled down"


def test_loops_that_are_far_apart_are_not_taken_for_a_price_that_cannot_be_read() -> None:
    rig = Rig({"daily_loss": 0})
    active(rig.desk)
    for _ in range(10):
        rig.wait(1_800)
        rig.desk.engine.perp.short_qty(PAIR)
        rig.desk.engine.spot.balances()
        rig.guard.tick()
        rig.look()
    assert rig.desk.bells == []


def test_a_halted_carry_short_of_margin_rings_and_is_not_traded() -> None:
    rig = Rig()
    carry = active(rig.desk)
    rig.desk.engine.record(carry, Halted(rig.desk.clock.now_ms(), "for a test"))
    for _ in range(3):
        assert rig.look(140.0) is None
        assert rig.guard.size_limit(PAIR, 1.0) == 1.0
    assert rig.rings("margin_leave@") == 1
    assert rig.rings("the carry is halted, the bot does nothing about it") > 0


def test_freqtrade_asks_for_position_adjustment_only_while_something_is_to_be_shrunk_or_left() -> None:
    rig = Rig({"basis_bps": 50})
    active(rig.desk)
    rig.look(101.0, alone=True)
    assert rig.rings("basis@") == 1
    assert set(rig.adjusting) == {False}
    rig.look(131.0)
    assert rig.adjusting[-1]
    rig.log.append(*(GuardRow(rig.desk.clock.now_ms(), RowKind.RESET, name) for name in
                     (f"margin_shrink@{PAIR}", f"margin_leave@{PAIR}")))  # fmt: skip
    rig.guard.tick()
    assert not rig.adjusting[-1]


def test_the_day_is_compared_with_its_first_look_and_that_survives_a_restart() -> None:
    rig = Rig({"daily_loss": 0.5})
    first = [row for row in rig.log.rows if row.kind is RowKind.DAY]
    rig.restart()
    rig.look()
    assert [row for row in rig.log.rows if row.kind is RowKind.DAY] == first
    rig.wait(86_400)
    rig.guard.tick()
    assert len([row for row in rig.log.rows if row.kind is RowKind.DAY]) == 2


def test_rebalancing_counts_what_keeps_the_size_and_not_entry_or_exit() -> None:
    rig = Rig()
    carry = active(rig.desk)
    assert rebalancing_cost(carry) == 0
    entry_fees = sum((one.fee for one in carry.perp.values()), Decimal(0))
    rig.desk.order_filled(rig.desk.perp.trade(HALF).order_id)
    carry = rig.desk.loop(1)
    perp_fee = rig.desk.perp.orders[-1].fee
    spot_fee = sum(
        (one.fee_value for key, one in carry.fills.items() if key in carry.balancing_fills), Decimal(0)
    )
    assert perp_fee > 0
    assert spot_fee > 0
    assert rebalancing_cost(carry) == perp_fee + spot_fee
    assert rebalancing_cost(carry, rig.desk.clock.now_ms() + 1) == 0
    assert rebalancing_share(rebalancing_cost(carry), Decimal(-1000)) is None
    assert rebalancing_share(rebalancing_cost(carry), perp_fee + spot_fee) == HALF
    before = rebalancing_cost(carry)
    rig.desk.leave()
    carry = rig.desk.loop(4)
    assert carry.closed is not None
    assert rebalancing_cost(carry) == before
    assert entry_fees > 0


def test_own_spot_orders_are_measured_against_the_best_price_before_them() -> None:
    rig = Rig({"slippage_bps": 0.5})
    rig.desk.spot.script.append(Answer.FILL)
    active(rig.desk)
    assert rig.guard.spot.slipped() == [(SYMBOL, Decimal(0))]

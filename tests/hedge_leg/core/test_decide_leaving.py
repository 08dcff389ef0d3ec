"""What is done next while a pair is left: spot first, perp first, excess spot; one test per row and guard."""

from dataclasses import replace
from decimal import Decimal

import pytest

from hedge_leg.core import events as ev
from hedge_leg.core.carry import Carry
from hedge_leg.core.decide import decide
from hedge_leg.core.orders import OrderIntent, Purpose, Side
from hedge_leg.core.plan import ClosePerp, Decision, Place, Policy, ProveNoPerp, Rest, Sight
from tests.hedge_leg.core.facts import (
    EXIT,
    HEDGED,
    ROLLBACK,
    SIGHT,
    bought,
    carry,
    missed,
    sold,
)
from tests.hedge_leg.fakes import RULES, START_MS

POLICY = Policy()
HALTED_MARKET = replace(SIGHT, rules=replace(RULES, active=False))
UNHEDGED_LONG_MS = START_MS + 200_000  # beyond the bound of 120 s x entry notional


def order(one: Carry, sight: Sight = SIGHT, policy: Policy = POLICY) -> OrderIntent:
    """Return the order that is decided."""
    effect = decide(one, sight, policy).effect
    assert isinstance(effect, Place), effect
    return effect.intent


def event(decision: Decision) -> ev.Event:
    """Return the only event of a decision without an effect."""
    assert decision.effect is None
    (only,) = decision.events
    return only


def at(now_ms: int, sight: Sight = SIGHT) -> Sight:
    """Return what is seen at another time."""
    return replace(sight, now_ms=now_ms)


# Exiting: spot first


def test_an_exit_sells_all_spot_at_a_bounded_price() -> None:
    found = order(carry(sold("1"), *bought("1"), HEDGED, EXIT))
    assert (found.side, found.qty, found.limit_px, found.purpose) == (
        *(Side.SELL, Decimal(1), Decimal("99.90"), Purpose.CLOSE),
    )


@pytest.mark.parametrize("held", ["0.6", "1.3"])
def test_an_exit_sells_all_spot_whatever_the_balance_of_the_legs(held: str) -> None:
    assert order(carry(sold("1"), *bought(held), HEDGED, EXIT)).qty == Decimal(held)


def test_an_exit_is_abandoned_after_the_attempts() -> None:
    one = carry(sold("1"), *bought("1"), HEDGED, EXIT, *missed(2), *missed(3))
    assert isinstance(event(decide(one, SIGHT, POLICY)), ev.ExitAbandoned)


def test_an_exit_is_abandoned_on_a_halted_market() -> None:
    one = carry(sold("1"), *bought("1"), HEDGED, EXIT)
    assert isinstance(event(decide(one, HALTED_MARKET, POLICY)), ev.ExitAbandoned)


def test_an_exit_that_could_not_sell_in_time_is_abandoned_before_it_sells() -> None:
    one = carry(sold("1"), *bought("1"), HEDGED, EXIT)
    late = at(EXIT.at_ms + POLICY.close_timeout_ms + 1)
    assert isinstance(event(decide(one, late, POLICY)), ev.ExitAbandoned)


def test_after_the_sale_the_perp_is_waited_for_and_then_spot_is_bought_back() -> None:
    one = carry(sold("1"), *bought("1"), HEDGED, EXIT, *bought("-1", 2))
    until_ms = EXIT.at_ms + POLICY.close_timeout_ms + 1
    assert decide(one, SIGHT, POLICY).effect == Rest(until_ms)
    assert decide(one, at(until_ms - 1), POLICY).effect == Rest(until_ms)
    assert isinstance(event(decide(one, at(until_ms), POLICY)), ev.ExitAbandoned)


def test_spot_is_not_bought_back_while_the_perp_may_have_left_unseen() -> None:
    one = carry(sold("1"), *bought("1"), HEDGED, EXIT, *bought("-1", 2))
    late = replace(at(EXIT.at_ms + 10**6), perp_agreed=False)
    assert decide(one, late, POLICY).effect == Rest()


def test_a_flat_pair_is_not_closed_while_an_entry_of_freqtrade_may_fill() -> None:
    one = carry(sold("0.4"), ROLLBACK, sold("-0.4", "p2"))
    working = replace(SIGHT, perp_working=True)
    assert decide(one, working, POLICY).effect == Rest()
    assert decide(one, at(START_MS + 60_000, working), POLICY).effect == ProveNoPerp()
    assert isinstance(event(decide(one, replace(working, perp_absent=True), POLICY)), ev.Closed)


def test_an_exit_without_legs_is_closed_without_cool_down() -> None:
    one = carry(sold("1"), *bought("1"), HEDGED, EXIT, *bought("-1", 2), sold("-1", "p2"))
    closed = event(decide(one, replace(SIGHT, perp_absent=True), POLICY))
    assert isinstance(closed, ev.Closed)
    assert (closed.reason, closed.cool_down_until_ms) == ("signal", 0)


# Rolling back: perp first


@pytest.mark.parametrize("held", ["0.4", "1"])
def test_a_rollback_waits_for_freqtrade_to_leave_the_perp_and_keeps_its_spot(held: str) -> None:
    one = carry(sold("1"), *bought(held), ROLLBACK)
    assert decide(one, SIGHT, POLICY).effect == Rest(ROLLBACK.at_ms + POLICY.close_timeout_ms + 1)


def test_a_rollback_closes_the_perp_itself_when_freqtrade_is_late() -> None:
    late = at(ROLLBACK.at_ms + POLICY.close_timeout_ms + 1)
    assert decide(carry(sold("1"), ROLLBACK), late, POLICY).effect == ClosePerp(Decimal(1), "test")


def test_a_rollback_closes_the_perp_at_once_when_freqtrade_has_no_trade() -> None:
    sight = replace(SIGHT, host_open=False)
    assert decide(carry(sold("1"), ROLLBACK), sight, POLICY).effect == ClosePerp(Decimal(1), "test")


def test_a_rollback_never_closes_the_perp_where_there_is_no_perp_venue() -> None:
    late = replace(at(ROLLBACK.at_ms + 10**6), host_open=False, perp_closable=False)
    assert decide(carry(sold("1"), ROLLBACK), late, POLICY).effect == Rest()


def test_a_rollback_sells_the_excess_as_soon_as_the_perp_is_smaller() -> None:
    found = order(carry(sold("1"), *bought("1"), ROLLBACK, sold("-0.7", "p2")))
    assert (found.side, found.qty, found.purpose) == (Side.SELL, Decimal("0.7"), Purpose.UNWIND)


def test_a_rollback_without_legs_is_closed_with_the_long_cool_down() -> None:
    gone = carry(sold("1"), ROLLBACK, sold("-1", "p2"))
    closed = event(decide(gone, replace(SIGHT, perp_absent=True), POLICY))
    assert isinstance(closed, ev.Closed)
    assert closed.cool_down_until_ms == SIGHT.now_ms + POLICY.cool_down_ms


def test_a_perp_that_cannot_be_closed_halts_after_the_most_misses() -> None:
    refused = [ev.PerpCloseResolved(START_MS, f"c{n}", "", Decimal(0), "no") for n in range(8)]
    tries = [ev.PerpCloseIntended(START_MS, f"c{n}", Decimal(1), "x") for n in range(8)]
    pairs = [fact for both in zip(tries, refused, strict=True) for fact in both]
    late = at(START_MS + 10**6)
    assert isinstance(event(decide(carry(sold("1"), ROLLBACK, *pairs), late, POLICY)), ev.Halted)
    fewer = carry(sold("1"), ROLLBACK, *pairs[:-2])
    assert isinstance(decide(fewer, late, POLICY).effect, ClosePerp)


# What guards a sale


def test_spot_that_cannot_be_sold_halts_after_the_most_misses() -> None:
    stuck = carry(
        sold("1"), *bought("1"), HEDGED, sold("-1", "p2"), *[m for n in range(8) for m in missed(2 + n)]
    )
    assert isinstance(event(decide(stuck, at(START_MS + 10**6), POLICY)), ev.Halted)


def test_a_sale_that_missed_twice_waits_longer_each_time() -> None:
    facts = (sold("1"), *bought("1"), HEDGED, sold("-1", "p2"), *missed(2), *missed(3))
    assert decide(carry(*facts), at(START_MS + 1), POLICY).effect == Rest(START_MS + 1_000)
    assert decide(carry(*facts, *missed(4)), at(START_MS + 1), POLICY).effect == Rest(START_MS + 2_000)


def test_unsold_spot_on_a_halted_market_waits_within_the_bound_and_halts_beyond_it() -> None:
    gone = carry(sold("1"), *bought("1"), HEDGED, sold("-1", "p2"))
    assert decide(gone, HALTED_MARKET, POLICY).effect == Rest(SIGHT.now_ms + POLICY.poll_ms)
    assert isinstance(event(decide(gone, at(UNHEDGED_LONG_MS, HALTED_MARKET), POLICY)), ev.Halted)


def test_a_long_perp_halts() -> None:
    assert isinstance(event(decide(carry(sold("-1")), SIGHT, POLICY)), ev.Halted)


def test_nothing_is_done_about_a_halted_carry() -> None:
    assert decide(carry(sold("1"), ev.Halted(START_MS, "test")), SIGHT, POLICY) == Decision()

"""What is done next: one test per remedy row and per guard of it."""

from dataclasses import replace
from decimal import Decimal

import pytest

from hedge_leg.core import events as ev
from hedge_leg.core.carry import Carry
from hedge_leg.core.decide import decide
from hedge_leg.core.orders import OrderIntent, Purpose, Side
from hedge_leg.core.plan import Decision, Place, Policy, ProveNoPerp, ReadBook, Rest, Sight
from tests.hedge_leg.core.facts import (
    HEDGED,
    PX,
    SIGHT,
    bought,
    carry,
    fee_in_base,
    fill,
    missed,
    sold,
)
from tests.hedge_leg.core.facts import answered as answer
from tests.hedge_leg.core.facts import intended as intend
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


# Opening


def test_a_perp_without_spot_is_hedged_by_a_bounded_buy_of_the_whole_gap() -> None:
    found = order(carry(sold("1")))
    assert (found.side, found.qty, found.limit_px, found.purpose) == (
        *(Side.BUY, Decimal(1), Decimal("100.11"), Purpose.OPEN),
    )
    assert (found.client_id, found.attempt) == ("hl-X-1", 0)


def test_a_partly_hedged_perp_is_completed() -> None:
    assert order(carry(sold("1"), *bought("0.4"))).qty == Decimal("0.6")


def test_equal_legs_are_marked_hedged() -> None:
    assert isinstance(event(decide(carry(sold("1"), *bought("1")), SIGHT, POLICY)), ev.Hedged)


def test_a_gap_of_one_lot_counts_as_hedged_while_opening_and_two_lots_do_not() -> None:
    assert isinstance(decide(carry(sold("1"), *bought("0.999")), SIGHT, POLICY).events[0], ev.Hedged)
    small = replace(SIGHT, rules=replace(RULES, min_notional=Decimal("0.01")))
    assert order(carry(sold("1"), *bought("0.998")), small).qty == Decimal("0.002")


def test_a_gap_that_the_market_would_not_take_counts_as_hedged() -> None:
    assert isinstance(decide(carry(sold("1"), *bought("0.96")), SIGHT, POLICY).events[0], ev.Hedged)


def test_spot_whose_sale_is_worth_the_minimum_only_at_the_middle_is_not_offered() -> None:
    least = RULES.min_notional / PX  # at the limit price of a sale it is worth less
    over, wide = (
        str((1 + least * times).quantize(Decimal("0.0001"))) for times in map(Decimal, ("1", "1.02"))
    )
    assert decide(carry(sold("1"), *bought(over), HEDGED), SIGHT, POLICY) == Decision()
    assert order(carry(sold("1"), *bought(wide), HEDGED)).side is Side.SELL


def test_too_much_spot_is_sold_while_opening() -> None:
    found = order(carry(sold("1"), *bought("1.2")))
    assert (found.side, found.qty, found.purpose) == (Side.SELL, Decimal("0.2"), Purpose.UNWIND)


def test_before_the_grace_time_no_proof_is_sought_that_the_perp_is_missing() -> None:
    assert decide(carry(), SIGHT, POLICY).effect == Rest(START_MS + POLICY.grace_ms)


def test_after_the_grace_time_the_proof_is_sought() -> None:
    assert decide(carry(), at(START_MS + POLICY.grace_ms), POLICY).effect == ProveNoPerp()


def test_no_proof_is_sought_while_freqtrades_entry_order_is_young_and_nobody_spins() -> None:
    sight = replace(at(START_MS + 11 * POLICY.grace_ms), perp_working=True)
    effect = decide(carry(), sight, POLICY).effect
    assert isinstance(effect, Rest)
    assert effect.until_ms > sight.now_ms


def test_an_entry_that_freqtrade_waits_for_too_long_is_looked_for_on_the_exchange() -> None:
    sight = replace(at(START_MS + 12 * POLICY.grace_ms), perp_working=True)
    assert decide(carry(), sight, POLICY).effect == ProveNoPerp()


def test_a_proven_absence_closes_the_carry_with_the_short_cool_down() -> None:
    sight = replace(SIGHT, perp_absent=True)
    closed = event(decide(carry(), sight, POLICY))
    assert isinstance(closed, ev.Closed)
    assert closed.cool_down_until_ms == SIGHT.now_ms + POLICY.refused_cool_down_ms


# What guards a purchase


def test_the_book_is_read_before_an_order() -> None:
    assert decide(carry(sold("1")), replace(SIGHT, book=None), POLICY).effect == ReadBook()


def test_the_second_attempt_pays_wider() -> None:
    found = order(carry(sold("1"), *missed(1)))
    assert (found.limit_px, found.attempt, found.client_id) == (Decimal("100.31"), 1, "hl-X-2")


def test_after_the_attempts_the_pair_is_rolled_back() -> None:
    assert isinstance(
        event(decide(carry(sold("1"), *missed(1), *missed(2)), SIGHT, POLICY)), ev.RollbackStarted
    )


def test_late_after_a_miss_the_pair_is_rolled_back_and_late_without_a_miss_it_is_bought() -> None:
    late = at(START_MS + POLICY.open_timeout_ms + 1)
    assert isinstance(event(decide(carry(sold("1"), *missed(1)), late, POLICY)), ev.RollbackStarted)
    assert order(carry(sold("1")), late).qty == 1


def test_exactly_at_the_opening_time_out_it_is_still_tried() -> None:
    assert order(carry(sold("1"), *missed(1)), at(START_MS + POLICY.open_timeout_ms)).attempt == 1


def test_a_perp_fill_begins_a_new_gap_with_new_attempts() -> None:
    grown = carry(sold("0.5"), *missed(1), *missed(2), sold("1"))
    assert (order(grown).attempt, order(grown).qty) == (0, Decimal(1))


def test_beyond_the_unhedged_bound_a_miss_rolls_back_at_once() -> None:
    policy = replace(POLICY, open_timeout_ms=10**9)
    one = carry(sold("1"), *missed(1))
    assert isinstance(event(decide(one, at(UNHEDGED_LONG_MS), policy)), ev.RollbackStarted)


def test_a_fee_in_base_is_bought_on_top() -> None:
    assert order(carry(sold("1")), fee_in_base()).qty == Decimal("1.001")


def test_a_halted_market_rolls_an_opening_back() -> None:
    assert isinstance(event(decide(carry(sold("1")), HALTED_MARKET, POLICY)), ev.RollbackStarted)


def test_a_halted_market_is_waited_for_while_the_perp_order_works() -> None:
    sight = replace(HALTED_MARKET, perp_working=True)
    assert decide(carry(sold("1")), sight, POLICY).effect == Rest(SIGHT.now_ms + POLICY.poll_ms)


def test_a_halted_market_beyond_the_bound_rolls_an_active_pair_back() -> None:
    grown = carry(sold("1"), *bought("1"), HEDGED, sold("2"))
    assert isinstance(decide(grown, HALTED_MARKET, POLICY).effect, Rest)
    late = at(START_MS + 400_000, HALTED_MARKET)
    assert isinstance(event(decide(grown, late, POLICY)), ev.RollbackStarted)


def test_a_first_partial_perp_fill_below_the_minimum_waits_while_the_order_works() -> None:
    sight = replace(SIGHT, perp_working=True)
    assert decide(carry(sold("0.01")), sight, POLICY).effect == Rest(SIGHT.now_ms + POLICY.poll_ms)


def test_a_perp_below_the_spot_minimum_is_rolled_back_when_its_order_has_ended() -> None:
    assert isinstance(event(decide(carry(sold("0.01")), SIGHT, POLICY)), ev.RollbackStarted)


def test_a_partial_perp_fill_is_hedged_while_the_order_works() -> None:
    assert order(carry(sold("0.4")), replace(SIGHT, perp_working=True)).qty == Decimal("0.4")


def test_an_order_above_the_largest_is_cut() -> None:
    sight = replace(SIGHT, rules=replace(RULES, max_qty=Decimal("0.4")))
    assert order(carry(sold("1")), sight).qty == Decimal("0.4")


def test_a_cut_leaves_no_crumb_that_the_market_would_not_take() -> None:
    sight = replace(SIGHT, rules=replace(RULES, max_qty=Decimal("0.97")))
    assert order(carry(sold("1")), sight).qty == Decimal("0.5")  # 0.97 would leave 0.03: less than 5 USDT


def test_a_slice_by_notional_is_cut_to_lots() -> None:
    policy = replace(POLICY, max_slice_notional=Decimal(30))
    assert order(carry(sold("1")), policy=policy).qty == Decimal("0.299")


@pytest.mark.parametrize("cap", ["0.5", "3", "6"])
def test_slices_below_the_minimum_notional_are_raised_to_what_the_market_takes(cap: str) -> None:
    policy = replace(POLICY, max_slice_notional=Decimal(cap))
    found = order(carry(sold("1")), policy=policy)
    assert RULES.tradable(found.qty, SIGHT.book.asks[0][0] if SIGHT.book else PX)


# Active


def test_a_hedged_pair_needs_nothing() -> None:
    assert decide(carry(sold("1"), *bought("1"), HEDGED), SIGHT, POLICY) == Decision()


def test_an_active_gap_within_the_threshold_is_left_alone() -> None:
    big = carry(sold("100"), *bought("99.81"), HEDGED)
    assert decide(big, SIGHT, POLICY) == Decision()
    assert order(carry(sold("100"), *bought("99.79"), HEDGED)).qty == Decimal("0.21")


def test_a_larger_short_is_followed_up_and_a_smaller_one_down() -> None:
    up = order(carry(sold("1"), *bought("1"), HEDGED, sold("0.5", "p2")))
    down = order(carry(sold("1"), *bought("1"), HEDGED, sold("-0.5", "p2")))
    assert (up.side, up.qty, up.purpose) == (Side.BUY, Decimal("0.5"), Purpose.REBALANCE)
    assert (down.side, down.qty, down.purpose) == (Side.SELL, Decimal("0.5"), Purpose.UNWIND)


def test_an_active_pair_whose_perp_has_gone_sells_all_spot() -> None:
    found = order(carry(sold("1"), *bought("1"), HEDGED, sold("-1", "p2")))
    assert (found.side, found.qty) == (Side.SELL, Decimal(1))


def test_an_active_pair_without_legs_is_closed() -> None:
    gone = carry(sold("1"), *bought("1"), HEDGED, sold("-1", "p2"), *bought("-1", 2))
    closed = event(decide(gone, replace(SIGHT, perp_absent=True), POLICY))
    assert isinstance(closed, ev.Closed)
    assert closed.cool_down_until_ms == 0


def test_no_pair_ends_before_the_exchange_has_shown_that_there_is_no_other_perp_order() -> None:
    gone = carry(sold("1"), *bought("1"), HEDGED, sold("-1", "p2"), *bought("-1", 2))
    assert decide(gone, SIGHT, POLICY) == Decision(effect=ProveNoPerp())


def test_no_rollback_of_an_entry_without_a_perp_order_ends_before_that_is_proven() -> None:
    given_up = carry(ev.RollbackStarted(START_MS, "unwound by the operator"))
    assert decide(given_up, at(START_MS + POLICY.grace_ms), POLICY) == Decision(effect=ProveNoPerp())


def test_an_opening_that_stood_unhedged_beyond_the_bound_and_lost_its_perp_ends_halted_and_told() -> None:
    gone = carry(sold("1"), sold("-1", "p2", at_ms=UNHEDGED_LONG_MS))
    ended = decide(gone, replace(at(UNHEDGED_LONG_MS), perp_absent=True), POLICY).events
    assert [type(one) for one in ended] == [ev.Halted, ev.Alarmed, ev.Released, ev.Closed]


def test_an_order_is_looked_for_while_the_carry_is_halted() -> None:
    halted = carry(sold("1"), intend(1, "1"), ev.Halted(START_MS, "x"))
    assert isinstance(event(decide(halted, SIGHT, POLICY)), ev.SpotOutcomeUnknown)


def test_a_gap_is_traded_when_the_nearest_lots_are_worth_an_order_and_the_lower_ones_are_not() -> None:
    rules = replace(SIGHT.rules, lot=Decimal("0.1"), min_qty=Decimal("0.1"), min_notional=Decimal("25"))
    one = carry(sold("2"), *bought("2.28"), HEDGED)
    assert order(one, replace(SIGHT, rules=rules)).qty == Decimal("0.3")


def test_a_small_active_gap_is_retried_with_back_off_and_not_rolled_back() -> None:
    one = carry(sold("10"), *bought("9.6"), HEDGED, *missed(2), *missed(3))
    assert decide(one, at(START_MS + 1), POLICY).effect == Rest(START_MS + 1_000)
    assert order(one, at(START_MS + 1_000)).qty == Decimal("0.4")


def test_a_large_active_gap_is_rolled_back_after_the_attempts() -> None:
    one = carry(sold("10"), *bought("9"), HEDGED, *missed(2), *missed(3))
    assert isinstance(event(decide(one, SIGHT, POLICY)), ev.RollbackStarted)


# The bound


def test_a_pair_that_stood_unhedged_too_long_is_halted_alarmed_and_released_once_it_is_whole() -> None:
    late = answer(1, replace(fill("1"), filled_ms=UNHEDGED_LONG_MS))
    one = carry(sold("1"), intend(), late)
    kinds = [type(fact) for fact in decide(one, at(UNHEDGED_LONG_MS), POLICY).events]
    assert kinds == [ev.Hedged, ev.Halted, ev.Alarmed, ev.Released]

"""Every reason for which an entry or an exit is refused, and what lets it pass."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from hedge_leg.core import events as ev
from hedge_leg.core.states import Mode, State
from hedge_leg.gate import EntryPlan, announce, remainder, request_exit
from tests.hedge_leg.desk import ONE, Desk, Trade, active
from tests.hedge_leg.fakes import PAIR, START_MS, SYMBOL, ZERO, Answer

OTHER = EntryPlan("BTC/USDC:USDC", SYMBOL, ONE, Decimal(100), Decimal(2))


def journal_fails(desk: Desk) -> None:
    desk.journal.failing = 1


def leave_dust(desk: Desk) -> None:
    desk.spot.fee_asset = "BTC"
    desk.spot.market = replace(desk.spot.market, fee_rate=Decimal("0.0007"))
    active(desk)
    desk.leave()


def not_reconciled(desk: Desk) -> None:
    desk.engine.recovered = False


def earlier_journal_failure(desk: Desk) -> None:
    desk.engine.broken = "disk full"


def market_halted(desk: Desk) -> None:
    desk.spot.market = replace(desk.spot.market, active=False)


def below_minimum(desk: Desk) -> None:
    desk.spot.market = replace(desk.spot.market, min_notional=Decimal(1_000))


def thin_book(desk: Desk) -> None:
    desk.spot.depth = Decimal("0.5")


def poor(desk: Desk) -> None:
    desk.spot.cash["USDT"] = Decimal("100.30")  # the notional, but not the fee and the wider retry


def book_unreadable(desk: Desk) -> None:
    desk.spot.mute.add("book")


def balances_unreadable(desk: Desk) -> None:
    desk.spot.mute.add("balances")


def perp_unreadable(desk: Desk) -> None:
    desk.perp.mute = True


def foreign_short(desk: Desk) -> None:
    desk.perp.trade(Decimal("-0.3"))


def foreign_long(desk: Desk) -> None:
    desk.perp.trade(Decimal("0.3"))


def living_carry(desk: Desk) -> None:
    active(desk)


def cooling_down(desk: Desk) -> None:
    assert desk.announce().allowed
    desk.loop(3)
    assert desk.carry.closed is not None


def unknown_order(desk: Desk) -> None:
    desk.spot.script.append(Answer.LOST)
    desk.spot.mute.add("find")
    desk.enter()
    assert desk.carry.order is not None


REFUSALS: list[tuple[Callable[[Desk], None], str]] = [
    (journal_fails, "the journal failed: disk full"),
    (earlier_journal_failure, "the journal failed: disk full"),
    (not_reconciled, "not reconciled yet"),
    (market_halted, "is halted"),
    (below_minimum, "is below what the spot market"),
    (thin_book, "does not fill 1 within"),
    (poor, "free, the leg needs"),
    (book_unreadable, "book: no answer"),
    (balances_unreadable, "balances: no answer"),
    (perp_unreadable, "no answer"),
    (foreign_short, "position of -0.3 that nobody journaled"),
    (foreign_long, "position of 0.3 that nobody journaled"),
    (living_carry, "which is ACTIVE"),
    (cooling_down, "cools down for"),
    (unknown_order, "whose fate is not known yet"),
]


@pytest.mark.parametrize(("cause", "reason"), REFUSALS, ids=[cause.__name__ for cause, _ in REFUSALS])
def test_an_entry_is_refused_with_its_reason_and_announces_nothing(
    cause: Callable[[Desk], None], reason: str
) -> None:
    desk = Desk()
    cause(desk)
    rows = len(desk.journal.rows)
    verdict = desk.announce()
    assert not verdict.allowed
    assert reason in verdict.reason
    assert len(desk.journal.rows) == rows


def test_an_entry_is_refused_where_one_balance_does_not_pay_for_both_legs() -> None:
    desk = Desk()
    desk.engine.shared_pot = True
    desk.spot.cash["USDT"] = Decimal(150)  # enough for the spot of 100, not for a margin of 50 and the fees
    verdict = announce(desk.engine, replace(OTHER, pair=PAIR))
    assert not verdict.allowed
    assert "both legs need 15" in verdict.reason
    desk.spot.cash["USDT"] = Decimal(153)
    assert announce(desk.engine, replace(OTHER, pair=PAIR)).allowed


def test_an_empty_book_refuses_an_entry() -> None:
    desk = Desk()
    book = desk.spot.book(SYMBOL)
    desk.spot.book = lambda symbol: replace(book, asks=())  # type: ignore[method-assign]
    assert desk.announce().reason == "the spot book of BTC/USDT is empty"


def test_observer_mode_refuses_what_would_have_been_allowed() -> None:
    desk = Desk()
    verdict = announce(desk.engine, replace(OTHER, pair=PAIR), observe_only=True)
    assert (verdict.allowed, desk.journal.rows) == (False, [])
    assert "observer" in verdict.reason


def test_an_allowed_entry_is_journaled_before_the_answer() -> None:
    desk = Desk()
    verdict = announce(desk.engine, replace(OTHER, pair=PAIR, fixed_cost=Decimal(3)))
    assert verdict.allowed
    assert [type(row.event) for row in desk.journal.read(verdict.reason)] == [ev.Announced, ev.CostCharged]


def test_the_quantity_just_above_the_minimum_passes() -> None:
    assert Desk().announce(Decimal("0.05")).allowed
    assert not Desk().announce(Decimal("0.049")).allowed


def test_a_halted_carry_of_another_pair_with_known_orders_does_not_block() -> None:
    desk = Desk()
    carry = active(desk)
    desk.engine.record(carry, ev.Halted(desk.clock.now_ms(), "test"))
    desk.perp.short = Decimal(0)  # the fake has one position for all pairs
    assert announce(desk.engine, OTHER).allowed


def test_cash_that_an_announced_carry_still_needs_is_not_spent_twice() -> None:
    desk = Desk()
    desk.spot.cash["USDT"] = Decimal(150)
    assert desk.announce().allowed
    verdict = announce(desk.engine, OTHER)
    assert "free, the leg needs" in verdict.reason


def test_a_dust_remainder_is_taken_over_once_and_at_its_cost() -> None:
    desk = Desk()
    leave_dust(desk)
    closed = desk.carry.closed
    assert closed is not None
    dust = (closed.dust_qty, closed.dust_cost)
    assert dust[0] > 0
    assert remainder(desk.engine, "BTC") == dust
    assert desk.announce().allowed
    facts = desk.carry.facts
    assert (facts.inherited_qty, facts.inherited_cost, desk.carry.spot_qty) == (*dust, dust[0])
    assert remainder(desk.engine, "BTC") == (ZERO, ZERO)


def test_dust_that_somebody_swept_away_is_not_counted_on() -> None:
    desk = Desk()
    leave_dust(desk)
    desk.spot.cash["BTC"] = Decimal(0)
    assert desk.announce().allowed
    assert (desk.carry.facts.inherited_qty, desk.carry.facts.base_before) == (ZERO, ZERO)


def rolled_back(desk: Desk) -> None:
    """Open a pair whose spot is refused: the perp is closed again."""
    desk.spot.script.extend([Answer.REFUSE, Answer.REFUSE])
    desk.enter()
    desk.trades[-1].open = False
    desk.loop(40)
    assert desk.carry.closed is not None
    assert desk.carry.rollbacks == 1


def waited_h(desk: Desk) -> float:
    """Return the hours from the end of the last carry until a new one is allowed."""
    assert desk.carry.closed is not None
    ended_ms = desk.carry.closed.at_ms
    while "cools down" in desk.announce().reason:
        desk.loop(1, 300_000)
    return (desk.clock.now_ms() - ended_ms) / 3_600_000


def test_a_pair_that_is_rolled_back_again_and_again_cools_down_longer_each_time_up_to_a_day() -> None:
    desk, hours = Desk(), []
    for _ in range(7):
        rolled_back(desk)
        hours.append(waited_h(desk))
        desk.loop(30)  # what was announced by asking ends: no perp order followed
        assert desk.carry.closed is not None
        desk.loop(30)
    assert hours == pytest.approx([1, 2, 4, 8, 16, 24, 24], abs=0.1)


def test_a_pair_that_was_held_in_order_starts_with_the_short_cool_down_again() -> None:
    desk = Desk()
    rolled_back(desk)
    assert waited_h(desk) == pytest.approx(1, abs=0.1)
    desk.loop(60)
    active(desk)
    desk.leave()
    rolled_back(desk)
    assert waited_h(desk) == pytest.approx(1, abs=0.1)


def test_troubles_that_lie_days_apart_do_not_add_up() -> None:
    desk = Desk()
    rolled_back(desk)
    desk.loop(1, 72 * 3_600_000)
    rolled_back(desk)
    assert waited_h(desk) == pytest.approx(1, abs=0.1)


# Exit


def test_an_exit_without_a_carry_passes() -> None:
    assert request_exit(Desk().engine, PAIR, "signal").reason == "no spot leg is held"


def test_an_exit_sells_spot_before_the_perp_may_leave() -> None:
    desk = Desk()
    active(desk)
    verdict = request_exit(desk.engine, PAIR, "signal")
    assert (verdict.allowed, verdict.reason) == (True, "spot is sold")
    assert (desk.held(), desk.perp.short) == (ZERO, ONE)


def test_an_exit_is_refused_while_the_journal_fails() -> None:
    desk = Desk()
    active(desk)
    desk.journal.failing = 1
    assert "disk full" in request_exit(desk.engine, PAIR, "signal").reason
    assert "disk full" in request_exit(desk.engine, PAIR, "signal").reason  # until it was read again
    assert desk.hedged()


def test_an_exit_is_refused_while_an_orders_fate_is_unknown() -> None:
    desk = Desk()
    desk.spot.script.append(Answer.LOST)
    desk.spot.mute.add("find")
    desk.enter()
    verdict = request_exit(desk.engine, PAIR, "signal")
    assert not verdict.allowed
    assert "has no known outcome yet" in verdict.reason


def test_an_exit_is_refused_when_spot_is_not_sold_and_the_pair_stays_hedged() -> None:
    desk = Desk()
    active(desk)
    desk.spot.script.extend([Answer.REFUSE, Answer.REFUSE])
    verdict = request_exit(desk.engine, PAIR, "signal")
    assert "spot is not sold" in verdict.reason
    assert (verdict.allowed, desk.carry.state, desk.hedged()) == (False, State.ACTIVE, True)
    assert any("exit was refused" in bell for bell in desk.bells)


def test_spot_that_was_partly_sold_is_bought_back_when_the_exit_is_refused() -> None:
    desk = Desk()
    active(desk)
    desk.spot.script.extend([Answer.PART, Answer.REFUSE])
    assert not request_exit(desk.engine, PAIR, "signal").allowed
    assert (desk.carry.state, desk.hedged()) == (State.ACTIVE, True)


def test_an_exit_is_refused_on_a_halted_market() -> None:
    desk = Desk()
    active(desk)
    desk.spot.market = replace(desk.spot.market, active=False)
    assert "is halted" in request_exit(desk.engine, PAIR, "signal").reason
    assert desk.hedged()


def test_an_exit_is_refused_while_the_book_is_unreadable_and_sells_nothing_later() -> None:
    desk = Desk()
    active(desk)
    desk.spot.mute.add("book")
    assert not request_exit(desk.engine, PAIR, "signal").allowed
    desk.clock.sleep(60)
    desk.spot.mute.clear()
    desk.loop(2)
    assert (desk.carry.state, desk.hedged(), len(desk.spot.sent)) == (State.ACTIVE, True, 1)


def test_an_exit_of_a_halted_carry_is_refused() -> None:
    desk = Desk()
    carry = active(desk)
    desk.engine.record(carry, ev.Halted(desk.clock.now_ms(), "test"))
    assert request_exit(desk.engine, PAIR, "signal").reason.startswith("halted: test")


def test_an_exit_while_opening_rolls_back_and_lets_the_perp_leave_first() -> None:
    desk = Desk()
    assert desk.announce().allowed
    desk.spot.mute.add("book")
    desk.trades.append(Trade(1))
    assert desk.sell(ONE).state is State.OPENING
    verdict = request_exit(desk.engine, PAIR, "force")
    assert verdict.allowed
    assert desk.carry.mode is Mode.ROLLING_BACK


def test_an_exit_that_is_asked_twice_passes_twice_and_sells_once() -> None:
    desk = Desk()
    active(desk)
    assert request_exit(desk.engine, PAIR, "signal").allowed
    assert request_exit(desk.engine, PAIR, "signal").allowed
    assert len(desk.spot.sent) == 2


@pytest.mark.parametrize(("open_s", "later_s"), [(60, 0), (60, 25), (10, 25)])
def test_an_exit_whose_spot_is_sold_passes_at_once_whatever_the_time_outs(open_s: int, later_s: int) -> None:
    desk = Desk(policy=replace(Desk().policy, open_timeout_ms=open_s * 1000, close_timeout_ms=30_000))
    active(desk)
    if later_s:  # freqtrade's own perp order failed, and it asks again shortly before the time-out
        assert request_exit(desk.engine, PAIR, "signal").allowed
        desk.clock.sleep(later_s)
    began_ms = desk.clock.now_ms()
    verdict = request_exit(desk.engine, PAIR, "signal")
    assert (verdict.allowed, verdict.reason) == (True, "spot is sold")
    assert desk.clock.now_ms() - began_ms < 1_000
    assert desk.held() == ZERO


def perp_stays(desk: Desk) -> None:
    """Let an exit sell spot, the perp not follow, and the spot be bought back."""
    assert request_exit(desk.engine, PAIR, "signal").allowed
    desk.loop(60, 1_000)
    assert (desk.carry.state, desk.hedged()) == (State.ACTIVE, True)


def test_exits_whose_perp_does_not_follow_are_begun_ever_more_rarely() -> None:
    desk = Desk()
    active(desk)
    perp_stays(desk)
    waited_s = []
    for _ in range(8):
        while not (verdict := request_exit(desk.engine, PAIR, "signal")).allowed:
            assert "was given up" in verdict.reason
            assert desk.hedged(), "nothing is sold while it waits"
            desk.loop(1, 10_000)
        waited_s.append((desk.clock.now_ms() - desk.carry.abandoned_ms) / 1_000)
        perp_stays(desk)
    assert waited_s == pytest.approx([120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600], abs=11)


def test_an_exit_that_sold_nothing_waits_a_minute_each_time() -> None:
    desk = Desk()
    active(desk)
    desk.spot.market = replace(desk.spot.market, active=False)
    for number in range(1, 6):
        assert "is halted" in request_exit(desk.engine, PAIR, "signal").reason
        desk.loop(11)
        assert "was given up" in request_exit(desk.engine, PAIR, "signal").reason
        begun = [row for row in desk.journal.rows if isinstance(row.event, ev.ExitAsked)]
        assert len(begun) == number
        desk.loop(2)
    desk.spot.market = replace(desk.spot.market, active=True)
    assert request_exit(desk.engine, PAIR, "signal").allowed


def test_an_exit_by_hand_does_not_wait() -> None:
    desk = Desk()
    active(desk)
    perp_stays(desk)
    assert not request_exit(desk.engine, PAIR, "signal").allowed
    assert request_exit(desk.engine, PAIR, "force_exit").allowed


def test_an_announcement_has_the_same_id_for_the_same_moment() -> None:
    desk, again = Desk(), Desk()
    assert desk.announce().reason == again.announce().reason
    assert desk.carry.began_ms == START_MS

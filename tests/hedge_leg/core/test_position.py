"""Invariant 5: replaying a journal, or delivering any event twice or out of order, changes nothing."""

from dataclasses import fields, replace
from decimal import Decimal
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from hedge_leg.core import events as ev
from hedge_leg.core.accounts import books, exposure
from hedge_leg.core.carry import Carry
from hedge_leg.core.orders import Sent, Unknown, Working
from hedge_leg.core.position import evolve, replay
from tests.hedge_leg.core.facts import (
    ANNOUNCED,
    HEDGED,
    ROLLBACK,
    answered,
    bought,
    carry,
    fill,
    intended,
    missed,
    sold,
)
from tests.hedge_leg.core.lives import lives
from tests.hedge_leg.fakes import START_MS

UNKNOWN = ev.SpotOutcomeUnknown(START_MS + 1, "hl-X-1", "time-out")
ABSENT = ev.SpotAbsent(START_MS + 2, "hl-X-1")


def truth(one: Carry) -> tuple[object, ...]:
    """Return the quantities, books and exposure that a carry's facts make."""
    ledger = books(one).ledger
    numbers = (ledger.net, ledger.funding, ledger.basis_pnl, ledger.spot_qty, ledger.perp_qty)
    return one.short_qty, one.spot_qty, numbers, exposure(one, START_MS + 10**6, Decimal("0.001"))


@given(lives(), st.randoms(use_true_random=False))
def test_facts_in_any_order_and_any_of_them_twice_make_the_same_quantities_and_books(
    facts: list[ev.Event], chance: Random
) -> None:
    mixed = facts + chance.sample(facts, chance.randint(0, len(facts)))
    chance.shuffle(mixed)
    assert truth(carry(*mixed)) == truth(carry(*facts))


@given(lives())
def test_replaying_at_once_and_evolving_step_by_step_make_the_same_carry(facts: list[ev.Event]) -> None:
    stepped = Carry("X")
    for number, fact in enumerate((ANNOUNCED, *facts), 1):
        stepped = evolve(stepped, fact)
        assert stepped.version == number
    assert stepped == replay("X", (ANNOUNCED, *facts))


@given(lives(), st.integers(0, 100))
def test_no_step_touches_the_carry_before_it(facts: list[ev.Event], cut: int) -> None:
    before, again = carry(*facts[:cut]), carry(*facts[:cut])
    for fact in facts[cut:]:
        evolve(before, fact)
    assert all(getattr(before, one.name) == getattr(again, one.name) for one in fields(Carry))


# Single rules that the property rests on


def test_a_smaller_cumulative_fill_that_comes_late_is_not_counted() -> None:
    assert carry(sold("1"), sold("0.4")).short_qty == 1


def test_a_settled_order_keeps_its_exact_books_whatever_comes_later() -> None:
    exact = ev.PerpSettled(START_MS, "p1", Decimal(-1), Decimal("100.5"), Decimal("0.04"))
    one = carry(sold("1"), exact, sold("1"), replace(exact, fee=Decimal(9)), sold("2"))
    assert (one.perp["p1"].value, one.perp["p1"].fee, one.short_qty) == (
        *(Decimal("100.5"), Decimal("0.04"), Decimal(1)),
    )


def test_freqtrade_claims_an_order_that_the_venue_told_of_first() -> None:
    venue = replace(sold("1"), source=ev.PerpSource.VENUE, trade_id=None)
    one = carry(venue)
    assert (one.adopted, one.trade_id) == (True, None)
    one = carry(venue, sold("1"))
    assert (one.adopted, one.trade_id, one.short_qty) == (False, 1, Decimal(1))
    assert not carry(sold("1"), venue).adopted


def test_an_order_goes_from_sent_to_its_end() -> None:
    assert isinstance(carry(intended()).order, Sent)
    assert isinstance(carry(intended(), UNKNOWN).order, Unknown)
    assert isinstance(carry(intended(), UNKNOWN, answered(1, final=False)).order, Working)
    ended = carry(intended(), UNKNOWN, answered(1, fill("1")))
    assert (ended.order, ended.answered, ended.misses) == (None, {"hl-X-1": "filled"}, 0)


def test_the_first_denial_of_an_order_is_the_one_that_counts() -> None:
    one = carry(intended(), UNKNOWN, ABSENT, replace(ABSENT, at_ms=START_MS + 9_000))
    assert isinstance(one.order, Unknown)
    assert one.order.absent_ms == START_MS + 2


def test_an_order_that_showed_up_again_needs_a_new_denial() -> None:
    found = answered(1, final=False)
    one = carry(intended(), UNKNOWN, ABSENT, found, replace(ABSENT, at_ms=START_MS + 9_000))
    assert isinstance(one.order, Unknown)
    assert one.order.absent_ms == START_MS + 9_000


def test_an_answer_to_an_older_order_adds_its_fills_and_leaves_the_present_one_alone() -> None:
    one = carry(*missed(1), intended(2), answered(1, fill("0.3")))
    assert (one.spot_qty, isinstance(one.order, Sent), one.misses) == (Decimal("0.3"), True, 1)


def test_partly_filled_refused_and_disproved_orders_are_misses_and_a_hedge_forgets_them() -> None:
    refused = ev.SpotRefused(START_MS, "hl-X-2", "-2010", "no")
    disproved = ev.SpotDisproved(START_MS, "hl-X-3", "nothing")
    facts = (intended(), answered(1, fill("0.5")), intended(2), refused, intended(3), disproved)
    assert (carry(*facts).misses, carry(*facts).last_miss_ms) == (3, START_MS)
    assert carry(sold("1"), *facts, HEDGED).misses == 0
    assert carry(sold("1"), *facts, ROLLBACK).misses == 0


def test_lags_are_measured_from_the_fact_of_the_perp_fill() -> None:
    one = carry(sold("1", at_ms=START_MS + 100), intended(at_ms=START_MS + 300), *bought("1")[1:], HEDGED)
    lags = (200, HEDGED.at_ms - START_MS - 100)
    assert (one.first_sent_lag_ms, one.hedged_lag_ms) == lags
    ended = evolve(one, ROLLBACK)
    assert (ended.first_sent_lag_ms, ended.hedged_lag_ms) == lags  # an operator asks after the end, too


def test_a_hand_made_adjustment_counts_once() -> None:
    adjusted = ev.InventoryAdjusted(START_MS, "k", Decimal("-0.2"), Decimal(100), "sold by hand")
    assert carry(sold("1"), *bought("1"), adjusted, adjusted).spot_qty == Decimal("0.8")

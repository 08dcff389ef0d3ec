"""Each witness alone forbids a disproof, and each difference is found and named."""

from collections.abc import Mapping
from decimal import Decimal

import pytest

from hedge_leg.core import events as ev
from hedge_leg.core.carry import Carry
from hedge_leg.core.position import replay
from hedge_leg.core.reconcile import SKEW_MS, Kind, Snapshot, disprove_order, findings, lost_perp_orders
from hedge_leg.ports import PerpOrder, SpotTrade
from tests.hedge_leg.core.facts import ANNOUNCED, HEDGED, answered, bought, carry, fill, intended, sold
from tests.hedge_leg.fakes import PAIR, START_MS

LOT = Decimal("0.001")
LOTS = {PAIR: LOT}
UNKNOWN = ev.SpotOutcomeUnknown(START_MS, "hl-X-2", "time-out")
WAITING = (sold("1"), *bought("0.4"), intended(2, "0.6"), UNKNOWN)


def trade(trade_id: str) -> SpotTrade:
    """Return a trade of the account."""
    return SpotTrade(trade_id, "s9", Decimal("0.1"), Decimal(100), START_MS)


def doubt(
    *,
    open_ids: frozenset[str] = frozenset(),
    trades: tuple[str, ...] = ("t1",),
    there: str = "0.4",
    others: tuple[Carry, ...] = (),
) -> str:
    """Return what speaks against the non-existence of order 2 of a carry that holds 0.4."""
    one = carry(*WAITING)
    balances = {"BTC": (Decimal(there), Decimal(there))}
    return disprove_order(one, [one, *others], open_ids, [trade(key) for key in trades], balances, LOT)


def test_unanimous_denial_is_proof() -> None:
    assert doubt() == ""


def test_an_open_order_of_that_id_forbids_it() -> None:
    assert doubt(open_ids=frozenset({"hl-X-2"})) == "it is among the open orders"
    assert doubt(open_ids=frozenset({"hl-X-3"})) == ""


def test_a_trade_that_no_carry_knows_forbids_it() -> None:
    assert doubt(trades=("t1", "t7")) == "trade t7 belongs to no known order"


def test_a_trade_of_another_carry_does_not() -> None:
    gone = ev.Closed(START_MS, "done", Decimal(0), Decimal(0), 0)
    other = replay("Y", (ANNOUNCED, answered(1, fill("1", "u1")), gone))
    assert doubt(trades=("t1", "u1"), others=(other,)) == ""
    assert doubt(trades=("t1", "u1")) != ""


@pytest.mark.parametrize("there", ["0.401", "0.399", "1", "0"])
def test_a_balance_that_differs_by_a_lot_forbids_it(there: str) -> None:
    assert doubt(there=there) == f"the account holds {there} BTC instead of 0.4"


def test_a_balance_that_differs_by_less_than_half_a_lot_does_not() -> None:
    assert doubt(there="0.4004") == ""


def seen(balances: Mapping[str, str] | None, shorts: Mapping[str, str]) -> Snapshot:
    """Return a snapshot of the venues."""
    coins = None if balances is None else {key: Decimal(value) for key, value in balances.items()}
    return Snapshot(coins, {key: Decimal(value) for key, value in shorts.items()})


def kinds(one: Carry | None, snapshot: Snapshot) -> list[Kind]:
    """Return what is found of a carry."""
    return [found.kind for found in findings([] if one is None else [one], snapshot, LOTS)]


PAIR_HEDGED = carry(sold("1"), *bought("1"), HEDGED)


def test_a_hedged_pair_that_the_venues_show_alike_has_no_finding() -> None:
    assert kinds(PAIR_HEDGED, seen({"BTC": "1"}, {PAIR: "1"})) == []
    assert kinds(PAIR_HEDGED, seen({"BTC": "7"}, {PAIR: "1"})) == []  # other coins are not ours


def test_what_was_not_read_is_no_difference() -> None:
    assert kinds(PAIR_HEDGED, seen(None, {})) == []


def test_every_kind_of_difference_is_named() -> None:
    assert kinds(PAIR_HEDGED, seen({"BTC": "1"}, {PAIR: "0.4"})) == [Kind.PERP_DIFFERS]
    assert kinds(PAIR_HEDGED, seen({"BTC": "0.9"}, {})) == [Kind.SPOT_MISSING]
    assert kinds(PAIR_HEDGED, seen({}, {})) == [Kind.SPOT_MISSING]  # absent from an answer is zero
    assert kinds(carry(*WAITING), seen({"BTC": "0"}, {})) == [Kind.UNRESOLVED]
    assert kinds(carry(sold("1"), HEDGED), seen(None, {})) == [Kind.UNHEDGED]
    assert kinds(carry(ev.Halted(START_MS, "test")), seen(None, {})) == [Kind.HALTED]
    assert kinds(None, seen({}, {PAIR: "0.1"})) == [Kind.FOREIGN_PERP]
    assert kinds(None, seen({}, {PAIR: "0"})) == []


def test_spot_within_a_lot_is_not_missing() -> None:
    assert kinds(PAIR_HEDGED, seen({"BTC": "0.999"}, {})) == []
    assert kinds(PAIR_HEDGED, seen({"BTC": "0.9989"}, {})) == [Kind.SPOT_MISSING]


def perp(qty: str, created_ms: int = START_MS, *, is_open: bool = False) -> PerpOrder:
    """Return an order as the perp venue lists it."""
    amount = Decimal(qty)
    value = abs(amount) * 100
    return PerpOrder("p9", "", amount, value, Decimal(0), created_ms, created_ms, is_open, False, False)


@pytest.mark.parametrize(
    ("order", "lost"),
    [
        (perp("-1"), True),
        (perp("0"), False),
        (perp("0", is_open=True), True),
        (perp("-1", START_MS - SKEW_MS), True),
        (perp("-1", START_MS - SKEW_MS - 1), False),
    ],
    ids=["filled", "empty", "open", "within the clocks' difference", "of before"],
)
def test_a_lost_order_is_one_since_the_announcement_that_filled_or_may(order: PerpOrder, lost: bool) -> None:
    assert bool(lost_perp_orders(carry(), [order], ())) is lost
    assert lost_perp_orders(carry(), [order], {"p9"}) == []

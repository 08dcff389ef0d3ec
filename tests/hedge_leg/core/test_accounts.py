"""Invariants 1, 6 and 8: zero sums, the identity of the net, cash per asset, unhedged notional x seconds."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedge_leg.core import events as ev
from hedge_leg.core.accounts import books, entry_notional, exposure
from hedge_leg.core.carry import Carry
from hedge_leg.core.ledger import Account, Ledger
from hedge_leg.core.orders import Side, SpotFill
from hedge_leg.core.position import replay
from tests.hedge_leg.core.facts import ANNOUNCED, HEDGED, answered, bought, carry, fill, sold
from tests.hedge_leg.core.lives import lives
from tests.hedge_leg.fakes import START_MS

COSTS = (Account.FEES_PERP, Account.FEES_SPOT, Account.BORROW, Account.FIXED)
TINY = Decimal("1e-9")
LOT = Decimal("0.001")


def cash_flow(one: Carry, asset: str) -> Decimal:
    """Return what the spot fills, payments and costs moved of an asset, straight from the facts."""
    moved = Decimal(0)
    for spot in one.fills.values():
        sign = 1 if spot.side is Side.BUY else -1
        moved += {"BTC": sign * spot.qty, "USDT": -sign * spot.qty * spot.px}.get(asset, Decimal(0))
        moved -= spot.fee if spot.fee_asset == asset else 0
    if asset == "USDT":
        moved += sum(paid.amount for paid in one.funding.values())
        moved -= sum(cost.amount for cost in one.costs.values())
    return moved


def perp_cash(one: Carry) -> Decimal:
    """Return the perp's realized P&L less fees at average cost, counted by a loop of its own."""
    held = entry = realized = Decimal(0)
    for order in sorted(one.perp.values(), key=lambda order: (order.filled_ms, order.order_id)):
        realized -= order.fee
        px = order.value / abs(order.qty)
        if held * order.qty >= 0:
            entry += order.value
        else:
            closed = min(abs(order.qty), abs(held))
            average = entry / abs(held)
            realized += closed * (average - px) * (1 if held < 0 else -1)
            entry -= closed * average
            entry += (abs(order.qty) - closed) * px
        held += order.qty
    return realized


@given(lives())
def test_every_entry_sums_to_zero_per_asset_and_so_does_the_whole(facts: list[ev.Event]) -> None:
    ledger = books(carry(*facts)).ledger
    for entry in ledger.entries:
        assert {p.asset: sum(q.amount for q in entry.postings if q.asset == p.asset) for p in entry.postings}
    for asset in ("BTC", "USDT", "BNB"):
        assert sum(ledger.balance(account, asset) for account in Account) == 0


@given(lives())
def test_net_is_basis_pnl_plus_funding_minus_every_cost(facts: list[ev.Event]) -> None:
    one = carry(*facts)
    ledger = books(one).ledger
    assert ledger.net == ledger.basis_pnl + ledger.funding - sum(ledger.balance(cost) for cost in COSTS)
    assert ledger.funding == sum(paid.amount for paid in one.funding.values())


@given(lives())
def test_change_of_cash_per_asset_is_what_the_facts_moved(facts: list[ev.Event]) -> None:
    one = carry(*facts)
    ledger = books(one).ledger
    assert ledger.spot_qty == one.spot_qty == cash_flow(one, "BTC")
    assert ledger.perp_qty == -one.short_qty
    assert ledger.balance(Account.CASH, "BNB") == cash_flow(one, "BNB")
    quote = cash_flow(one, "USDT") + perp_cash(one)
    assert abs(ledger.balance(Account.CASH) - quote) < TINY


@given(lives())
def test_cash_of_a_flat_pair_is_its_net_less_coins_spent_on_fees(facts: list[ev.Event]) -> None:
    one = carry(*facts)
    ledger = books(one).ledger
    held = ledger.balance(Account.SPOT_COST)
    coins = -ledger.balance(Account.COIN_VALUE)
    assert ledger.net == ledger.balance(Account.CASH) + held - coins


# Worked examples


def one_round(buy_fee: tuple[str, str], sell_fee: tuple[str, str]) -> Ledger:
    """Return the books of 1 BTC bought at 100 and sold at 110, with fees (amount, asset)."""
    fills = [
        SpotFill("t1", Side.BUY, Decimal(1), Decimal(100), *paid(buy_fee), START_MS),
        SpotFill("t2", Side.SELL, held(buy_fee), Decimal(110), *paid(sell_fee), START_MS + 1),
    ]
    return books(carry(*(answered(n, one) for n, one in enumerate(fills)))).ledger


def paid(fee: tuple[str, str]) -> tuple[Decimal, str, Decimal]:
    """Return (fee, asset, worth in quote): a BTC is 100, a BNB 600."""
    amount = Decimal(fee[0])
    return amount, fee[1], amount * {"USDT": 1, "BTC": 100, "BNB": 600}[fee[1]]


def held(buy_fee: tuple[str, str]) -> Decimal:
    """Return what arrived of 1 BTC."""
    return 1 - Decimal(buy_fee[0]) if buy_fee[1] == "BTC" else Decimal(1)


@pytest.mark.parametrize(
    ("buy_fee", "sell_fee", "net", "fees"),
    [
        (("0.1", "USDT"), ("0.11", "USDT"), "9.79", "0.21"),
        (("0.001", "BTC"), ("0.11", "USDT"), "9.78", "0.21"),  # 0.999 x 10 - 0.1 - 0.11
        (("0.0002", "BNB"), ("0.0002", "BNB"), "9.76", "0.24"),
        (("0", "USDT"), ("0", "USDT"), "10", "0"),
    ],
    ids=["quote", "base", "third coin", "none"],
)
def test_a_fee_in_any_asset_costs_what_it_was_worth(
    buy_fee: tuple[str, str], sell_fee: tuple[str, str], net: str, fees: str
) -> None:
    ledger = one_round(buy_fee, sell_fee)
    assert (ledger.net, ledger.balance(Account.FEES_SPOT)) == (Decimal(net), Decimal(fees))
    assert (ledger.spot_qty, ledger.balance(Account.SPOT_COST)) == (Decimal(0), Decimal(0))


def test_a_fee_in_a_third_coin_spends_the_coin() -> None:
    ledger = one_round(("0.0002", "BNB"), ("0.0003", "BNB"))
    assert ledger.balance(Account.CASH, "BNB") == Decimal("-0.0005")
    assert ledger.balance(Account.CASH) == Decimal(10)


def test_convergence_and_funding_are_the_result_of_a_round() -> None:
    px = {"in": Decimal(101), "out": Decimal(105)}
    funded = ev.FundingPaid(START_MS, "f", Decimal("0.3"), START_MS + 2)
    sale = answered(9, fill("-1", "t9", at_ms=START_MS + 5, px=Decimal(105)))
    facts = (sold("1", px=px["in"]), *bought("1"), HEDGED, funded, sale)
    one = carry(*facts, sold("-1", "p2", START_MS + 6, px["out"]))
    ledger = books(one).ledger
    assert (ledger.basis_pnl, ledger.funding) == (Decimal(1), Decimal("0.3"))
    assert ledger.net == Decimal("1.2")  # two perp fees of 0.05


def test_dust_leaves_one_carry_and_enters_the_next_at_cost() -> None:
    dust, cost = Decimal("0.0004"), Decimal("0.04")
    rest = answered(1, fill("1.0004")), answered(2, fill("-1", "t2", at_ms=START_MS + 1))
    first = carry(*rest, ev.Closed(START_MS + 2, "done", dust, cost, 0))
    second = replay("Y", (replace_dust(dust, cost), answered(1, fill("0.9996", "u1", at_ms=START_MS + 3))))
    assert books(first).ledger.spot_qty == 0
    assert books(first).ledger.balance(Account.REMAINDER, "BTC") == dust
    assert books(second).ledger.balance(Account.REMAINDER, "BTC") == -dust
    assert books(second).ledger.spot_qty == second.spot_qty == 1
    assert books(second).ledger.balance(Account.SPOT_COST) == Decimal(100)


def replace_dust(qty: Decimal, cost: Decimal) -> ev.Announced:
    """Return an announcement that takes a remainder over."""
    from dataclasses import replace

    return replace(ANNOUNCED, inherited_qty=qty, inherited_cost=cost)


def test_a_perp_that_turns_over_realizes_what_was_closed() -> None:
    one = carry(sold("1", px=Decimal(100)), sold("-3", "p2", START_MS + 1, Decimal(90)))
    ledger = books(one).ledger
    assert (ledger.basis_pnl, ledger.perp_qty) == (Decimal(10), Decimal(2))


def test_the_entry_notional_is_of_entries_only_and_planned_before() -> None:
    assert entry_notional(carry()) == 100
    assert entry_notional(carry(sold("0.4"), sold("-0.4", "p2"))) == 40


# Exposure


def naive(one: Carry, until_ms: int, tolerance_qty: Decimal) -> Decimal:
    """Return the unhedged notional x seconds by looking at every second (stamps are whole seconds)."""
    steps = sorted(
        [(o.filled_ms, -o.qty, o.value / abs(o.qty)) for o in one.perp.values()]
        + [(f.filled_ms, -f.base_change("BTC"), f.px) for f in one.fills.values()],
        key=lambda step: step[0],
    )
    total = Decimal(0)
    for second in range(steps[0][0], until_ms, 1_000):
        past = [step for step in steps if step[0] <= second]
        gap = sum((change for _, change, _ in past), Decimal(0))
        if abs(gap) > tolerance_qty:
            total += abs(gap) * past[-1][2]
    return total


STEPS = st.lists(
    st.tuples(st.booleans(), st.integers(-3, 3).filter(bool), st.integers(0, 60), st.integers(90, 110)),
    min_size=1,
    max_size=8,
)


@given(STEPS, st.sampled_from([Decimal(0), LOT, Decimal(1)]))
def test_exposure_is_the_sum_over_every_second(
    steps: list[tuple[bool, int, int, int]], tolerance_qty: Decimal
) -> None:
    facts: list[ev.Event] = []
    for number, (is_perp, qty, second, px) in enumerate(sorted(steps, key=lambda step: step[2])):
        at_ms = START_MS + 1_000 * second
        if is_perp:
            facts.append(sold(str(qty), f"p{number}", at_ms, Decimal(px)))
        else:
            facts.append(answered(number, fill(str(qty), f"t{number}", at_ms=at_ms, px=Decimal(px))))
    one, until_ms = carry(*facts), START_MS + 70_000
    found = exposure(one, until_ms, tolerance_qty)
    if len({step[2] for step in steps}) == len(steps):  # the price of one instant's last fill is a choice
        assert abs(found.total_usd_s - naive(one, until_ms, tolerance_qty)) < TINY
    assert found.worst_notional * 70 >= found.total_usd_s


def test_exposure_ends_with_the_carry() -> None:
    closed = ev.Closed(START_MS + 10_000, "gone", Decimal(0), Decimal(0), 0)
    one = carry(sold("1"), closed)
    assert exposure(one, START_MS + 10**9, LOT).total_usd_s == 1_000
    assert exposure(carry(sold("1")), START_MS + 20_000, LOT).total_usd_s == 2_000


def test_a_gap_within_the_tolerance_is_no_exposure() -> None:
    one = carry(sold("1"), *bought("0.999"))
    assert exposure(one, START_MS + 10_000, LOT).total_usd_s == 0
    assert exposure(one, START_MS + 10_000, LOT / 2).total_usd_s == 1
    assert exposure(one, START_MS + 10_000, LOT / 2).now_notional == Decimal("0.1")

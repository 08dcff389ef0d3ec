"""Properties of liquidation: money always balances, no pool stays under water, looking changes nothing."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from paper_exchange.brackets import bracket_of
from paper_exchange.clock import MarketClock
from paper_exchange.instruments import Venue
from paper_exchange.liquidation import liquidation_px, pools
from paper_exchange.orders import Side, Status
from paper_exchange.perp_market import PerpMarket
from paper_exchange.perp_wallet import IncomeKind, MarginType, PerpWallet
from paper_exchange.store import CandleStore
from paper_exchange.view import MarketView
from tests.paper_exchange.conftest import NOW, at_ms
from tests.paper_exchange.test_perp_market import MINUTE_MS, NAMES, fills, place

DEPOSIT = Decimal(3_000)
LEVERAGE = {"BTCUSDT": 100, "SOLUSDT": 50}
relaxed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
orders = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from(Side),
    st.none(),
    st.just(0),
    st.integers(5_000, 55_000),  # quote units
    st.booleans(),
)
steps = st.lists(st.one_of(orders, st.integers(1, 1500 * MINUTE_MS)), max_size=10)
BOTH_LOST = [("BTCUSDT", Side.SELL, None, 0, 60_000, False), ("SOLUSDT", Side.SELL, None, 0, 60_000, False)]


def opened(store: CandleStore, now_ms: int = at_ms(NOW)) -> tuple[PerpMarket, MarketClock]:
    """Open a small account with high leverage: BTC on isolated, SOL on cross margin."""
    clock = MarketClock(now_ms, running=False)
    wallet = PerpWallet({"USDT": DEPOSIT}, clock.now_ms())
    for name, leverage in LEVERAGE.items():
        item = store.instrument(Venue.PERP, name)
        assert item is not None
        wallet.set_leverage(item, leverage)
        if name == "BTCUSDT":
            wallet.set_margin_type(item, MarginType.ISOLATED)
    return PerpMarket(MarketView(store, clock), wallet), clock


def run(market: PerpMarket, clock: MarketClock, plan: list[Any]) -> Iterator[None]:
    """Carry out a plan, pausing after each step."""
    for step in plan:
        if isinstance(step, int):
            clock.advance_ms(step)
            market.catch_up()
        else:
            place(market, step)
        yield


def total(market: PerpMarket, *kinds: IncomeKind) -> Decimal:
    return sum((row.amount for row in market.wallet.incomes if row.kind in kinds), Decimal(0))


@relaxed
@given(plan=steps)
@example(plan=[*BOTH_LOST, 4 * 1440 * MINUTE_MS])
def test_money_balances_through_liquidations(sample_store: CandleStore, plan: list[Any]) -> None:
    market, clock = opened(sample_store)
    for _ in run(market, clock, plan):
        wallet, margin = market.wallet, market.margin("USDT")
        cash, qtys = DEPOSIT, dict.fromkeys(NAMES, Decimal(0))
        for fill in fills(market):
            signed_qty = fill.qty if fill.side is Side.BUY else -fill.qty
            cash -= signed_qty * fill.px + fill.fee
            qtys[fill.item.name] += signed_qty
        cash += total(market, IncomeKind.FUNDING_FEE, IncomeKind.INSURANCE_CLEAR)
        for position in wallet.open_positions():
            cash += position.qty * market.mark(position.item)
        assert {p.item.name: p.qty for p in wallet.open_positions()} == {n: q for n, q in qtys.items() if q}
        assert margin.margin_balance == cash
        assert wallet.balance("USDT") == DEPOSIT + total(market, *IncomeKind)
        for name in NAMES:
            item = market.view.store.instrument(Venue.PERP, name)
            assert item is not None
            if not wallet.position(item).qty:
                assert wallet.position(item).isolated_margin == wallet.position(item).entry_notional == 0


@relaxed
@given(plan=steps)
@example(plan=[*BOTH_LOST, 4 * 1440 * MINUTE_MS])
def test_no_pool_is_left_below_its_maintenance_margin(sample_store: CandleStore, plan: list[Any]) -> None:
    market, clock = opened(sample_store)
    list(run(market, clock, [*plan, 1]))
    for pool in pools(market.wallet):
        needed = sum(p.maintenance_margin(market.mark(p.item)) for p in pool.positions)
        worth = pool.cash + sum(p.unrealized_pnl(market.mark(p.item)) for p in pool.positions)
        tick_worth = sum(abs(p.qty) * p.item.filters.tick for p in pool.positions)
        assert worth > needed - tick_worth, "the shown mark is rounded to the tick"
    forced = market.forced.sent
    assert all(order.status is Status.FILLED for order in forced)
    aside = sum(p.isolated_margin for p in market.wallet.open_positions())
    assert market.wallet.balance("USDT") >= aside, "cross positions never eat isolated margins"


@relaxed
@given(plan=steps, pieces=st.integers(2, 9))
@example(plan=[*BOTH_LOST, 4 * 1440 * MINUTE_MS], pieces=7)
def test_looking_more_often_liquidates_the_same(
    sample_store: CandleStore, plan: list[Any], pieces: int
) -> None:
    seldom, often = opened(sample_store), opened(sample_store)
    list(run(*seldom, plan))
    finer: list[Any] = []
    for step in plan:
        finer += [step // pieces] * pieces + [step % pieces] if isinstance(step, int) else [step]
    list(run(*often, finer))
    assert fills(seldom[0]) == fills(often[0])
    assert seldom[0].wallet.incomes == often[0].wallet.incomes


def test_both_pools_are_liquidated_by_the_same_rise(sample_store: CandleStore) -> None:
    market, clock = opened(sample_store)
    list(run(market, clock, [*BOTH_LOST, 4 * 1440 * MINUTE_MS]))
    assert sorted(order.ticket.item.name for order in market.forced.sent) == ["BTCUSDT", "SOLUSDT"]
    assert market.wallet.open_positions() == []


def test_isolated_margin_does_not_answer_for_cross_positions(sample_store: CandleStore) -> None:
    market, clock = opened(sample_store)
    place(market, ("SOLUSDT", Side.SELL, None, 0, 55_000, False))
    [alone] = market.wallet.open_positions()
    free_px = liquidation_px(market.wallet, alone, market.mark)
    place(market, ("BTCUSDT", Side.BUY, None, 0, 90_000, False))
    held = {position.item.name: position for position in market.wallet.open_positions()}
    apart = held["BTCUSDT"].isolated_margin + Decimal("0.0005") * held["BTCUSDT"].entry_notional
    px = liquidation_px(market.wallet, held["SOLUSDT"], market.mark)
    assert free_px is not None
    assert px is not None
    qty = abs(held["SOLUSDT"].qty)
    rate = bracket_of("SOL", qty * px).maintenance_rate
    assert free_px - px == pytest.approx(apart / (qty * (1 + rate)), rel=Decimal("1e-4"))
    assert clock.now_ms() == at_ms(NOW)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("notional", [4_000, 30_000, 60_000])
def test_health_is_zero_at_the_liquidation_price(
    sample_store: CandleStore, side: Side, notional: int
) -> None:
    market, _ = opened(sample_store)
    for name in NAMES:
        place(market, (name, side, None, 0, notional, False))
    for position in market.wallet.open_positions():
        px = liquidation_px(market.wallet, position, market.mark)
        assert px is not None
        assert (px > position.entry_px) == (side is Side.SELL)
        [pool] = [pool for pool in pools(market.wallet) if position in pool.positions]
        health = pool.cash + position.unrealized_pnl(px) - position.maintenance_margin(px)
        assert abs(health) < Decimal("1e-15")


def test_gap_beyond_the_bankruptcy_price_is_paid_by_the_insurance_fund(sample_store: CandleStore) -> None:
    market, clock = opened(sample_store)
    place(market, BOTH_LOST[0])
    [position] = market.wallet.open_positions()
    before = market.wallet.balance("USDT")
    margin, position.isolated_margin = position.isolated_margin, Decimal(-40)  # as after a gap
    clock.advance_ms(1)
    market.catch_up()
    assert not position.qty
    [cleared] = [row.amount for row in market.wallet.incomes if row.kind is IncomeKind.INSURANCE_CLEAR]
    assert cleared > 0
    assert [fill.fee for order in market.forced.sent for fill in order.fills] == [0], "nothing left to pay it"
    assert margin > 0
    assert market.wallet.balance("USDT") == before + 40

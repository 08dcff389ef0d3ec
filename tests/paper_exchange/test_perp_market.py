"""Properties of the USD-M market: wallet and positions reconcile exactly, however often a client looks."""

from collections.abc import Iterator
from contextlib import nullcontext
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paper_exchange.book import Level
from paper_exchange.brackets import bracket_of
from paper_exchange.clock import MarketClock
from paper_exchange.errors import RefusedRequestError
from paper_exchange.instruments import Venue, instrument
from paper_exchange.orders import Fill, OrderType, Side, Status, Ticket, TimeInForce
from paper_exchange.perp_filters import check_counterparty
from paper_exchange.perp_market import PerpMarket
from paper_exchange.perp_position import Position
from paper_exchange.perp_wallet import IncomeKind, MarginType, PerpWallet
from paper_exchange.store import CandleStore
from paper_exchange.view import MarketView
from tests.paper_exchange.conftest import NOW, at_ms

NAMES = ("BTCUSDT", "SOLUSDT")
DEPOSIT = Decimal(50_000)
MINUTE_MS = 60_000
REFUSALS = {-2019, -2022, -2027, -4004, -4164, -5022}
relaxed = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
orders = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from(Side),
    st.sampled_from([None, *TimeInForce]),  # None: a market order
    st.integers(-30, 30),  # limit: bps away from the last price
    st.integers(100, 60_000),  # quote units
    st.booleans(),
)
steps = st.lists(st.one_of(orders, st.integers(1, 900 * MINUTE_MS), st.just("cancel")), max_size=12)


def opened(store: CandleStore) -> tuple[PerpMarket, MarketClock]:
    """Open an account with BTC on isolated and SOL on cross margin."""
    clock = MarketClock(at_ms(NOW), running=False)
    wallet = PerpWallet({"USDT": DEPOSIT}, clock.now_ms())
    btc = store.instrument(Venue.PERP, "BTCUSDT")
    assert btc is not None
    wallet.set_margin_type(btc, MarginType.ISOLATED)
    wallet.set_leverage(btc, 3)
    return PerpMarket(MarketView(store, clock), wallet), clock


def place(market: PerpMarket, step: tuple[str, Side, TimeInForce | None, int, int, bool]) -> None:
    """Place an order near the mark; refusals for size, margin or a missing position are fine."""
    name, side, tif, bps, notional, reduce_only = step
    item = market.view.store.instrument(Venue.PERP, name)
    assert item is not None
    mark_px = market.mark(item)
    limit_px = mark_px * (1 + Decimal(bps) / 10_000)
    limit_px -= limit_px % item.filters.tick
    qty = notional / mark_px
    qty -= qty % item.filters.lot
    kind = OrderType.MARKET if tif is None else OrderType.LIMIT
    px = None if tif is None else limit_px
    try:
        market.place(Ticket(item, side, kind, tif or TimeInForce.GTC, qty, None, px, "", reduce_only))
    except RefusedRequestError as refusal:
        assert refusal.code in REFUSALS, refusal


def run(market: PerpMarket, clock: MarketClock, plan: list[Any]) -> Iterator[None]:
    """Carry out a plan, pausing after each step."""
    for step in plan:
        if isinstance(step, int):
            clock.advance_ms(step)
            market.catch_up()
        elif step == "cancel":
            for order in market.log.open()[:1]:
                market.cancel(order.ticket.item.name, order.order_id, None)
        else:
            place(market, step)
        yield


def fills(market: PerpMarket) -> list[Fill]:
    return [fill for name in NAMES for fill in market.log.fills(name)]


@relaxed
@given(plan=steps)
def test_wallet_and_positions_reconcile_after_every_step(sample_store: CandleStore, plan: list[Any]) -> None:
    market, clock = opened(sample_store)
    for _ in run(market, clock, plan):
        wallet, margin = market.wallet, market.margin("USDT")
        cash, qtys = DEPOSIT, dict.fromkeys(NAMES, Decimal(0))
        for fill in fills(market):
            signed_qty = fill.qty if fill.side is Side.BUY else -fill.qty
            cash -= signed_qty * fill.px + fill.fee
            qtys[fill.item.name] += signed_qty
        cash += sum(row.amount for row in wallet.incomes if row.kind is IncomeKind.FUNDING_FEE)
        worth = cash
        for name in NAMES:
            item = market.view.store.instrument(Venue.PERP, name)
            assert item is not None
            assert wallet.position(item).qty == qtys[name]
            worth += qtys[name] * market.mark(item)
        assert margin.margin_balance == worth
        assert wallet.balance("USDT") == DEPOSIT + sum(row.amount for row in wallet.incomes)
        assert sum(fill.realized_pnl for fill in fills(market)) == sum(
            row.amount for row in wallet.incomes if row.kind is IncomeKind.REALIZED_PNL
        )


@relaxed
@given(plan=steps)
def test_reduce_only_fills_never_grow_a_position(sample_store: CandleStore, plan: list[Any]) -> None:
    market, clock = opened(sample_store)
    list(run(market, clock, plan))
    reducing = {o.order_id for name in NAMES for o in market.log.of(name) if o.ticket.reduce_only}
    qtys = dict.fromkeys(NAMES, Decimal(0))
    for fill in sorted(fills(market), key=lambda found: found.trade_id):
        before = qtys[fill.item.name]
        after = before + (fill.qty if fill.side is Side.BUY else -fill.qty)
        if fill.order_id in reducing:
            assert abs(after) < abs(before)
            assert after * before >= 0
        qtys[fill.item.name] = after
    for order in market.log.open():
        assert not order.ticket.reduce_only or market.wallet.position(order.ticket.item).qty


@relaxed
@given(plan=steps, pieces=st.integers(2, 7))
def test_looking_more_often_changes_nothing(sample_store: CandleStore, plan: list[Any], pieces: int) -> None:
    seldom, often = opened(sample_store), opened(sample_store)
    list(run(*seldom, plan))
    finer: list[Any] = []
    for step in plan:
        finer += [step // pieces] * pieces + [step % pieces] if isinstance(step, int) else [step]
    list(run(*often, finer))
    assert fills(seldom[0]) == fills(often[0])
    assert seldom[0].wallet.incomes == often[0].wallet.incomes


def test_funding_counts_what_was_held_at_the_stamp(sample_store: CandleStore) -> None:
    market, clock = opened(sample_store)
    stamp_ms = at_ms(NOW.replace(hour=16, minute=0, second=0))
    place(market, ("SOLUSDT", Side.SELL, None, 0, 5000, False))
    clock.set_ms(stamp_ms - 1)
    market.catch_up()
    place(market, ("SOLUSDT", Side.BUY, None, 0, 60_000, True))
    clock.set_ms(stamp_ms)
    market.catch_up()
    assert market.log.of("SOLUSDT")[0].status is Status.FILLED
    assert not market.wallet.open_positions()
    assert [row.kind for row in market.wallet.incomes if row.kind is IncomeKind.FUNDING_FEE] == []
    place(market, ("SOLUSDT", Side.SELL, None, 0, 5000, False))
    clock.set_ms(stamp_ms + 8 * 60 * MINUTE_MS)
    market.catch_up()
    [funding] = [row for row in market.wallet.incomes if row.kind is IncomeKind.FUNDING_FEE]
    assert (funding.at_ms, funding.name) == (stamp_ms + 8 * 60 * MINUTE_MS, "SOLUSDT")


def test_position_releases_exactly_what_was_put_in() -> None:
    held = Position(instrument(Venue.PERP, "BTC", "USDT"))
    for qty, px in (("0.003", "100.1"), ("0.004", "101.3")):
        assert held.trade(Decimal(qty), Decimal(px), isolated_leverage=3, at_ms=1) == 0
    assert held.entry_notional == Decimal("0.7055")
    first = held.trade(Decimal("-0.001"), Decimal(110), isolated_leverage=3, at_ms=2)
    assert first == Decimal("0.11") - Decimal("0.10078571")
    last = held.trade(Decimal("-0.008"), Decimal(90), isolated_leverage=3, at_ms=3)
    assert first + last == Decimal("0.11") + Decimal("0.54") - Decimal("0.7055")
    assert (held.qty, held.entry_notional, held.entry_px) == (
        Decimal("-0.002"),
        Decimal("-0.18"),
        Decimal(90),
    )
    assert held.isolated_margin == Decimal("0.06")
    notional = Decimal("0.002") * 95
    assert held.unrealized_pnl(Decimal(95)) == Decimal("-0.01")
    assert held.maintenance_margin(Decimal(95)) == bracket_of("BTC", notional).maintenance_margin(notional)


@pytest.mark.parametrize("side", Side)
def test_cross_position_needs_its_margin_at_the_mark(sample_store: CandleStore, side: Side) -> None:
    market, clock = opened(sample_store)
    place(market, ("SOLUSDT", side, None, 0, 5000, False))
    clock.advance_ms(60 * MINUTE_MS)
    market.catch_up()
    [held] = market.wallet.open_positions()
    mark_px, margin = market.mark(held.item), market.margin("USDT")
    assert margin.position_margin == abs(held.qty) * mark_px / 20
    assert margin.available == margin.margin_balance - margin.position_margin
    assert margin.isolated_margin == 0


@pytest.mark.parametrize(("mark_px", "refused"), [("9.9", False), ("9.4", True), ("10.6", True)])
def test_market_order_is_refused_where_the_best_price_is_far_from_the_mark(
    mark_px: str, refused: bool
) -> None:
    item = instrument(Venue.PERP, "SOL", "USDT")
    wanted = Ticket(item, Side.BUY, OrderType.MARKET, TimeInForce.GTC, Decimal(1), None, None, "")
    levels = [Level(Decimal(10), Decimal(5))]
    with pytest.raises(RefusedRequestError, match="PERCENT_PRICE") if refused else nullcontext():
        check_counterparty(wanted, levels, Decimal(mark_px))

"""Properties of the spot market: money is conserved, and looking more often changes nothing."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paper_exchange.candles import Kind
from paper_exchange.clock import MarketClock
from paper_exchange.errors import RefusedRequestError
from paper_exchange.instruments import Venue
from paper_exchange.matching import crosses, crossing_ms
from paper_exchange.orders import Fill, OrderType, Side, Status, Ticket, TimeInForce
from paper_exchange.spot_market import SpotMarket
from paper_exchange.spot_wallet import SpotWallet
from paper_exchange.store import CandleStore
from paper_exchange.view import MarketView
from tests.paper_exchange.conftest import NOW, at_ms

NAMES = ("BTCUSDT", "SOLUSDT")
DEPOSITS = {"USDT": Decimal(50_000), "BTC": Decimal("0.5"), "SOL": Decimal(100)}
ZERO = Decimal(0)
MINUTE_MS = 60_000
relaxed = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

orders = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from(Side),
    st.sampled_from([OrderType.LIMIT, OrderType.LIMIT, OrderType.MARKET]),
    st.sampled_from(TimeInForce),
    st.integers(-30, 30),  # limit: bps away from the last price
    st.integers(10, 4000),  # quote units
)
steps = st.lists(st.one_of(orders, st.integers(1, 600 * MINUTE_MS), st.just("cancel")), max_size=12)


def opened(store: CandleStore) -> tuple[SpotMarket, SpotWallet, MarketClock]:
    clock, wallet = MarketClock(at_ms(NOW), running=False), SpotWallet(DEPOSITS)
    return SpotMarket(MarketView(store, clock), wallet), wallet, clock


def place(market: SpotMarket, step: tuple[str, Side, OrderType, TimeInForce, int, int]) -> None:
    """Place an order near the last price; being refused for its size or the balance is fine."""
    name, side, order_type, tif, bps, notional = step
    item = market.view.store.instrument(Venue.SPOT, name)
    px = market.view.last_px(Kind.SPOT, name, market.view.now_ms())
    assert item is not None
    assert px is not None
    last_px = Decimal(repr(px))
    limit_px = last_px * (1 + Decimal(bps) / 10_000)
    limit_px -= limit_px % item.filters.tick
    qty = Decimal(notional) / last_px
    qty -= qty % item.filters.lot
    if order_type is OrderType.MARKET:
        ticket = Ticket(item, side, order_type, TimeInForce.GTC, qty, None, None, "")
    else:
        ticket = Ticket(item, side, order_type, tif, qty, None, limit_px, "")
    try:
        market.place(ticket)
    except RefusedRequestError as refusal:
        assert refusal.code in {-1013, -2010}


def run(market: SpotMarket, clock: MarketClock, plan: list[Any]) -> Iterator[None]:
    """Carry out a plan, pausing after each step."""
    for step in plan:
        if isinstance(step, int):
            clock.advance_ms(step)
            market.catch_up()
        elif step == "cancel":
            for order in market.log.open()[:1]:
                market.cancel(order.ticket.item.name, order.order_id, None, "")
        else:
            place(market, step)
        yield


def fills(market: SpotMarket) -> list[Fill]:
    return [fill for name in NAMES for fill in market.log.fills(name)]


def expected_totals(market: SpotMarket) -> dict[str, Decimal]:
    """Work out what each asset must come to from the deposits, the fills and their fees alone."""
    totals = dict(DEPOSITS)
    for fill in fills(market):
        sign = 1 if fill.side is Side.BUY else -1
        totals[fill.item.base] += sign * fill.qty
        totals[fill.item.quote] -= sign * fill.px * fill.qty
        totals[fill.fee_asset] -= fill.fee
    return totals


def expected_locks(market: SpotMarket) -> dict[str, Decimal]:
    locks: dict[str, Decimal] = defaultdict(Decimal)
    for order in market.log.open():
        assert order.ticket.limit_px is not None
        if order.ticket.side is Side.BUY:
            locks[order.ticket.item.quote] += order.remaining_qty * order.ticket.limit_px
        else:
            locks[order.ticket.item.base] += order.remaining_qty
    return locks


@relaxed
@given(plan=steps)
def test_money_is_conserved_by_every_step(sample_store: CandleStore, plan: list[Any]) -> None:
    market, wallet, clock = opened(sample_store)
    for _ in run(market, clock, plan):
        totals, locks = expected_totals(market), expected_locks(market)
        for asset in DEPOSITS:
            balance = wallet.balance(asset)
            assert balance.free + balance.locked == totals[asset]
            assert balance.locked == locks[asset]
            assert balance.free >= 0
    for fill in fills(market):
        received = fill.qty if fill.side is Side.BUY else fill.notional
        assert 0 <= received * Decimal("0.001") - fill.fee < Decimal("1e-8")


@relaxed
@given(plan=steps)
def test_no_execution_is_beyond_its_limit_or_its_quantity(sample_store: CandleStore, plan: list[Any]) -> None:
    market, _, clock = opened(sample_store)
    for _ in run(market, clock, plan):
        for order in (order for name in NAMES for order in market.log.of(name)):
            limit_px = order.ticket.limit_px
            assert order.filled_qty <= order.qty
            assert (order.status is Status.FILLED) == (order.filled_qty == order.qty)
            for fill in order.fills:
                assert order.created_ms <= fill.at_ms <= clock.now_ms()
                if limit_px is not None:
                    assert fill.px == limit_px if fill.maker else crosses(fill.side, limit_px, fill.px)


@relaxed
@given(plan=steps, pieces=st.integers(2, 7))
def test_looking_more_often_changes_nothing(sample_store: CandleStore, plan: list[Any], pieces: int) -> None:
    seldom, often = opened(sample_store), opened(sample_store)
    list(run(seldom[0], seldom[2], plan))
    finer: list[Any] = []
    for step in plan:
        if isinstance(step, int):
            finer += [step // pieces] * pieces + [step % pieces]
        else:
            finer.append(step)
    list(run(often[0], often[2], finer))
    assert fills(seldom[0]) == fills(often[0])
    assert [seldom[1].balance(asset) for asset in DEPOSITS] == [often[1].balance(asset) for asset in DEPOSITS]


@relaxed
@given(
    name=st.sampled_from(NAMES),
    side=st.sampled_from(Side),
    bps=st.integers(-60, 60),
    start_ms=st.integers(0, 60 * MINUTE_MS),
    length_ms=st.integers(1, 90 * MINUTE_MS),
)
def test_crossing_is_when_the_last_price_first_gets_there(
    sample_store: CandleStore, name: str, side: Side, bps: int, start_ms: int, length_ms: int
) -> None:
    view = MarketView(sample_store, MarketClock(at_ms(NOW), running=False))
    item = sample_store.instrument(Venue.SPOT, name)
    assert item is not None
    after_ms = at_ms(NOW) + start_ms
    until_ms = after_ms + length_ms

    def last_px(moment_ms: int) -> Decimal:
        return Decimal(repr(view.last_px(Kind.SPOT, name, moment_ms)))

    trigger_px = last_px(after_ms) * (1 + Decimal(bps) / 10_000)
    found_ms = crossing_ms(view, item, side, trigger_px, after_ms=after_ms, until_ms=until_ms)
    margin = 10 * item.filters.tick  # shown prices are rounded to what was recorded, the path is not
    clearly = trigger_px - margin if side is Side.BUY else trigger_px + margin
    nearly = trigger_px + margin if side is Side.BUY else trigger_px - margin
    for moment_ms in range(after_ms, until_ms if found_ms is None else found_ms, 5_000):
        assert not crosses(side, clearly, last_px(moment_ms))
    if found_ms is not None:
        assert after_ms <= found_ms <= until_ms
        assert crosses(side, nearly, last_px(found_ms))


def test_the_same_moment_never_sells_the_same_depth_twice(sample_store: CandleStore) -> None:
    market, _, clock = opened(sample_store)
    item = sample_store.instrument(Venue.SPOT, "BTCUSDT")
    assert item is not None
    book = market.view.book(item, clock.now_ms(), 50)
    assert book is not None
    step = ("BTCUSDT", Side.BUY, OrderType.MARKET, TimeInForce.GTC, 0, 16_000)
    place(market, step)
    place(market, step)
    taken: dict[Decimal, Decimal] = defaultdict(Decimal)
    for fill in market.log.fills("BTCUSDT"):
        taken[fill.px] += fill.qty
    depth = {level.px: level.qty for level in book.asks}
    assert all(qty <= depth[px] for px, qty in taken.items())
    assert taken[book.asks[0].px] == book.asks[0].qty
    clock.advance_ms(1)
    place(market, step)
    [third] = market.log.of("BTCUSDT")[2].fills
    assert third.px == book.asks[0].px, "a moment later the depth is back"

"""The order book keeps to the filters and never crosses; the clock runs, stands still and jumps as told."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paper_exchange.book import build_book
from paper_exchange.clock import MarketClock
from paper_exchange.funding import funding_rates
from paper_exchange.instruments import Venue, instrument
from paper_exchange.matching import Liquidity
from paper_exchange.orders import Side
from paper_exchange.store import CandleStore
from paper_exchange.view import MarketView
from tests.paper_exchange.conftest import NOW, at_ms

PXS = st.floats(0.02, 200_000, allow_nan=False)
HOURLY_QTYS = st.floats(0, 1e7, allow_nan=False)
COINS = st.sampled_from(["BTC", "ETH", "SOL", "XRP", "PURR"])


@given(COINS, st.sampled_from(Venue), PXS, HOURLY_QTYS, st.integers(1, 50))
def test_book_is_ordered_uncrossed_and_keeps_to_tick_and_lot(
    coin: str, venue: Venue, px: float, hourly_qty: float, levels: int
) -> None:
    filters = instrument(venue, coin, "USDT").filters
    book = build_book(filters, px, hourly_qty, levels)
    bids, asks = [level.px for level in book.bids], [level.px for level in book.asks]
    assert bids == sorted(set(bids), reverse=True)
    assert asks == sorted(set(asks))
    assert bids[0] < asks[0]
    assert len(asks) == levels
    for level in (*book.bids, *book.asks):
        assert level.px > 0
        assert level.px % filters.tick == 0
        assert level.qty % filters.lot == 0
        assert level.qty >= filters.lot


def test_more_volume_makes_a_tighter_and_deeper_book() -> None:
    filters = instrument(Venue.SPOT, "ETH", "USDT").filters
    thin, thick = build_book(filters, 2000.0, 5.0, 10), build_book(filters, 2000.0, 50_000.0, 10)
    assert thick.asks[0].px - thick.bids[0].px < thin.asks[0].px - thin.bids[0].px
    assert sum(level.qty for level in thick.asks) > 1000 * sum(level.qty for level in thin.asks)
    assert thick.asks[-1].qty > thick.asks[0].qty


def test_best_prices_enclose_the_last_price() -> None:
    book = build_book(instrument(Venue.PERP, "BTC", "USDT").filters, 30_000.0, 9_000.0, 1)
    assert book.bids[0].px < Decimal(30_000) < book.asks[0].px
    assert book.asks[0].px - book.bids[0].px < 10


def test_running_clock_follows_real_time_from_where_it_was_set() -> None:
    real = [1_000_000]
    clock = MarketClock(5_000, real_ms=lambda: real[0])
    real[0] += 250
    assert clock.now_ms() == 5_250
    clock.set_ms(9_000)
    real[0] += 1
    assert clock.now_ms() == 9_001


def test_stopped_clock_moves_only_when_driven_and_can_start_again() -> None:
    real = [1_000_000]
    clock = MarketClock(5_000, running=False, real_ms=lambda: real[0])
    real[0] += 250
    assert clock.now_ms() == 5_000
    clock.advance_ms(1_500)
    assert clock.now_ms() == 6_500
    clock.run(True)
    real[0] += 10
    assert clock.now_ms() == 6_510
    clock.run(False)
    real[0] += 10
    assert clock.now_ms() == 6_510


def test_clock_without_a_start_is_real_time() -> None:
    assert MarketClock(real_ms=lambda: 77).now_ms() == 77


@given(st.lists(st.floats(-0.01, 0.01), min_size=2, max_size=96))
def test_funding_stays_within_its_cap_and_near_the_premium(premiums: list[float]) -> None:
    rate = float(funding_rates(np.array([premiums]), 0.003)[0])
    assert -0.003 <= rate <= 0.003
    average = sum(i * p for i, p in enumerate(premiums, 1)) / sum(range(1, len(premiums) + 1))
    if abs(average) < 0.002:
        assert abs(rate - average) <= 0.0005 + 1e-8


def test_small_premiums_pay_the_interest_rate() -> None:
    assert funding_rates(np.array([[0.0003] * 8, [-0.0003] * 8]), 0.003).tolist() == [0.0001, 0.0001]


@pytest.mark.parametrize("share", ["0.01", "0.3", "0.99", "2"])
@pytest.mark.parametrize("side", Side)
def test_short_look_into_the_book_is_deep_enough(sample_store: CandleStore, side: Side, share: str) -> None:
    item = sample_store.instrument(Venue.SPOT, "BTCUSDT")
    assert item is not None
    liquidity = Liquidity(MarketView(sample_store, MarketClock(at_ms(NOW), running=False)))
    everything = liquidity.levels(item, side, at_ms(NOW))
    assert len(everything) == 500
    liquidity.take(item, everything[0])
    left = everything[1:]
    wanted = sum(level.qty for level in left) * Decimal(share)
    seen = liquidity.levels(item, side, at_ms(NOW), wanted)
    assert seen == left[: len(seen)]
    assert sum(level.qty for level in seen) >= wanted or seen == left

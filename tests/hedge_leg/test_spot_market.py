"""Spot candles and prices of the leg's own venue, as signals and open trades are shown them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import pandas as pd
import pytest

from carry.errors import DataError
from hedge_leg.core.market import Book
from hedge_leg.errors import VenueUnavailable
from hedge_leg.live_market import SpotMarket
from tests.hedge_leg.fakes import FakeClock

HOUR_MS = 3_600_000
FIRST = pd.Timestamp("2024-01-01", tz="UTC")
NOW_MS = int(pd.Timestamp("2024-06-01", tz="UTC").timestamp() * 1000)  # long after every candle


@dataclass
class Served:
    """A venue with hourly candles from FIRST on, some of them missing."""

    until: pd.Timestamp
    missing: set[int] = field(default_factory=set)
    down: bool = False
    bid: Decimal = Decimal(100)
    asked: int = 0

    def candles(self, symbol: str, timeframe: str, since_ms: int) -> Sequence[Sequence[float]]:
        """Return at most 1000."""
        self.asked += 1
        if self.down:
            raise VenueUnavailable("no answer")
        start = int(FIRST.timestamp() * 1000)
        hours = range((since_ms - start) // HOUR_MS, int((self.until - FIRST) / pd.Timedelta("1h")) + 1)
        found = [hour for hour in hours if hour not in self.missing][:1000]
        return [[float(start + hour * HOUR_MS), 1.0, 2.0, 0.5, float(hour), 9.0] for hour in found]

    def book(self, symbol: str) -> Book:
        """Return one level each side."""
        if self.down:
            raise VenueUnavailable("no answer")
        return Book(((self.bid, Decimal(1)),), ((self.bid + 1, Decimal(1)),), 0)


def at(hour: int) -> pd.Timestamp:
    """Return the hour's opening."""
    return FIRST + pd.Timedelta(hours=hour)


def test_candles_are_read_in_pages_up_to_the_last_closed_one_and_then_kept() -> None:
    venue, clock = Served(at(1500)), FakeClock(NOW_MS)
    market = SpotMarket(venue, clock, "1h")
    frame = market.candles("BTC/USDT", at(0), at(1499))  # 1500 is not closed yet
    assert frame["close"].tolist() == [float(hour) for hour in range(1500)]
    assert str(frame["date"].dtype).endswith("UTC]")
    read = venue.asked
    assert len(market.candles("BTC/USDT", at(0), at(1499))) == 1500
    assert venue.asked == read
    clock.sleep(3600)
    venue.until = at(1501)
    frame = market.candles("BTC/USDT", at(1), at(1500))
    assert (frame["date"].iloc[0], frame["date"].iloc[-1], len(frame)) == (at(1), at(1500), 1500)
    assert venue.asked == read + 1


def test_a_missing_candle_stays_missing_and_is_asked_for_now_and_then() -> None:
    venue, clock = Served(at(10), missing={4, 10}), FakeClock(NOW_MS)
    market = SpotMarket(venue, clock, "1h")
    assert 4.0 not in market.candles("BTC/USDT", at(0), at(9))["close"].tolist()
    clock.sleep(3600)
    assert market.candles("BTC/USDT", at(0), at(10))["close"].iloc[-1] == 9.0
    read = venue.asked
    market.candles("BTC/USDT", at(0), at(10))
    assert venue.asked == read
    venue.missing = {4}
    clock.sleep(11)
    assert market.candles("BTC/USDT", at(0), at(10))["close"].iloc[-1] == 10.0


def test_a_candle_that_may_be_late_is_waited_for() -> None:
    venue = Served(at(10), missing={9})
    clock = FakeClock(int(at(10).timestamp() * 1000) + 1_000)
    market = SpotMarket(venue, clock, "1h")
    with pytest.raises(DataError, match="not there yet"):
        market.candles("BTC/USDT", at(0), at(9))
    venue.missing = set()
    assert market.candles("BTC/USDT", at(0), at(9))["close"].iloc[-1] == 9.0
    venue.until, venue.missing = at(11), {10}
    clock.sleep(3600 + 61)
    assert market.candles("BTC/USDT", at(0), at(10))["close"].iloc[-1] == 9.0, "an outage"


def test_candles_that_cannot_be_read_are_no_signal() -> None:
    with pytest.raises(DataError, match="cannot be read"):
        SpotMarket(Served(at(10), down=True), FakeClock(NOW_MS), "1h").candles("BTC/USDT", at(0), at(9))


def test_a_price_is_the_bid_kept_for_some_seconds_and_unknown_when_it_cannot_be_read() -> None:
    venue, clock = Served(at(10)), FakeClock(NOW_MS)
    market = SpotMarket(venue, clock, "1h")
    assert market.px("BTC/USDT") == 100
    venue.bid = Decimal(101)
    assert market.px("BTC/USDT") == 100
    clock.sleep(16)
    assert market.px("BTC/USDT") == 101
    clock.sleep(16)
    venue.down = True
    assert market.px("BTC/USDT") is None

"""What the fold asks of a recorded market: spot prices, funding sums, mark highs, the last closed row."""

from decimal import Decimal

import pandas as pd
import pytest

from carry.errors import DataError
from carry.rules import ExitPolicy
from hedge_leg.recorded import RecordedMarket, SignalRows, epoch_ms, record_market
from tests.random_market import START

HOURS = 12
HOUR_MS = 3_600_000
START_MS = int(START.timestamp() * 1000)


def candles(**columns: list[float]) -> pd.DataFrame:
    """Return hourly candles around 100, with the given columns replaced."""
    frame = pd.DataFrame({"date": pd.date_range(START, periods=HOURS, freq="h")})
    for name, value in (("open", 100.0), ("high", 101.0), ("low", 99.0), ("close", 100.5), ("volume", 5.0)):
        frame[name] = columns.get(name, [value] * HOURS)
    return frame


def settlements(*hours: int, late_ms: int = 0) -> pd.DataFrame:
    """Return settlements of 1 % at the given hours, stamped late."""
    stamps = [START + pd.Timedelta(hours=hour, milliseconds=late_ms) for hour in hours]
    return pd.DataFrame({"date": pd.DatetimeIndex(stamps), "funding_rate": 0.01})


def market(
    spot: pd.DataFrame | None = None, mark: pd.DataFrame | None = None, funding: pd.DataFrame | None = None
) -> RecordedMarket:
    """Build a market, calm unless a frame is given."""
    return record_market(
        "BTC/USDT:USDT",
        candles(),
        candles() if spot is None else spot,
        candles() if mark is None else mark,
        settlements(8) if funding is None else funding,
    )


def at(hour: int) -> int:
    """Return an hour of the market in ms."""
    return START_MS + hour * HOUR_MS


def test_a_fill_at_the_open_takes_the_spot_open_of_that_candle() -> None:
    opens = [100.0 + hour for hour in range(HOURS)]
    assert market(candles(open=opens)).spot_px(at(3), Decimal(999), at_open=True) == Decimal(103)


@pytest.mark.parametrize("absent", [True, False])
def test_in_an_outage_the_next_traded_open_counts(absent: bool) -> None:
    opens = [100.0 + hour for hour in range(HOURS)]
    volume = [0.0 if hour in (3, 4) else 5.0 for hour in range(HOURS)]
    spot = candles(open=opens, volume=volume)
    found = market(spot[spot["volume"] > 0] if absent else spot)
    assert not found.traded_at(at(3))
    assert found.traded_at(at(5))
    for at_open in (True, False):
        assert found.spot_px(at(3), Decimal(100), at_open=at_open) == Decimal(105)


def test_after_the_last_trade_its_close_counts() -> None:
    volume = [5.0 if hour < 9 else 0.0 for hour in range(HOURS)]
    assert market(candles(volume=volume)).spot_px(at(10), Decimal(100), at_open=True) == Decimal("100.5")


@pytest.mark.parametrize(("perp_px", "spot_px"), [("100.7", "100.7"), ("150", "101"), ("50", "99")])
def test_a_fill_inside_the_candle_moves_spot_with_the_perp_within_its_range(
    perp_px: str, spot_px: str
) -> None:
    assert market().spot_px(at(3), Decimal(perp_px), at_open=False) == Decimal(spot_px)


def test_spot_that_was_never_traded_has_no_price() -> None:
    with pytest.raises(DataError, match="never traded"):
        market(candles(volume=[0.0] * HOURS)).spot_px(at(3), Decimal(100), at_open=True)


@pytest.mark.parametrize("late_ms", [0, 31, -5])
def test_funding_counts_in_the_half_open_interval_whatever_the_jitter(late_ms: int) -> None:
    found = market(funding=settlements(4, 8, late_ms=late_ms))
    assert found.funding_per_unit(at(3), at(4)) == Decimal(1)
    assert found.funding_per_unit(at(4), at(8)) == Decimal(1)
    assert found.funding_per_unit(at(3), at(8)) == Decimal(2)
    assert found.funding_per_unit(at(8), at(11)) == 0
    assert found.settled_between(at(3), at(4))
    assert not found.settled_between(at(4), at(7))


def test_a_settlement_without_a_mark_is_an_error_not_zero() -> None:
    mark = candles().drop(index=8)
    with pytest.raises(DataError, match="no mark price at the settlement of 2024-01-01 08:00"):
        market(mark=mark)


def test_liquidation_is_judged_by_the_mark_where_it_was_recorded() -> None:
    found = market(mark=candles(high=[120.0] * HOURS).iloc[::4])
    assert found.liquidation_high(at(4), 300.0) == 120.0
    assert found.liquidation_high(at(4) + 45 * 60_000, 300.0) == 120.0
    assert found.liquidation_high(at(5), 300.0) == 300.0
    assert found.liquidation_high(at(4), 110.0) == 110.0
    assert found.liquidation_high(at(-1), 300.0) == 300.0


def test_the_last_closed_row_is_the_candle_before() -> None:
    frame = candles().assign(spot_close=1.0, negative_funding_h=0.0)
    rows = SignalRows(frame, pd.Series(True, index=frame.index), ExitPolicy(), "1h")
    assert rows.last_closed(at(5)) == 4
    assert rows.last_closed(at(5) + 59 * 60_000) == 4
    assert rows.last_closed(at(6)) == 5
    assert list(epoch_ms(frame["date"])[:2]) == [START_MS, START_MS + HOUR_MS]

"""Aggregation, the path inside a candle, and what a store makes of a data folder."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paper_exchange.candles import INTERVALS_MS, Candle, Kind, Series, divides, resample
from paper_exchange.errors import DataError
from paper_exchange.instruments import Venue
from paper_exchange.store import CandleStore
from paper_exchange.view import partial_candle
from tests.paper_exchange.conftest import END, START, at_ms

MINUTE_MS = 60_000
PRICES = st.integers(90_000, 110_000).map(lambda ticks: ticks / 100)


@st.composite
def series_with_gaps(draw: st.DrawFn) -> Series:
    """Draw up to 60 five-minute candles with some missing."""
    steps = sorted(draw(st.sets(st.integers(0, 90), min_size=1, max_size=60)))
    first_ms = draw(st.integers(340_000, 360_000)) * 5 * MINUTE_MS
    rows = []
    for _ in steps:
        opened, closed, up, down = draw(st.tuples(PRICES, PRICES, PRICES, PRICES))
        rows.append([opened, max(opened, closed, up), min(opened, closed, down), closed, 1.0 + up])
    return Series("5m", np.array([first_ms + step * 5 * MINUTE_MS for step in steps]), np.array(rows))


@st.composite
def hour_candles(draw: st.DrawFn) -> Candle:
    opened, closed, up, down = draw(st.tuples(PRICES, PRICES, PRICES, PRICES))
    high, low = max(opened, closed, up), min(opened, closed, down)
    return Candle(0, 60 * MINUTE_MS - 1, opened, high, low, closed, 12.5)


@given(series_with_gaps(), st.sampled_from(["15m", "30m", "1h", "4h", "1d", "1w", "1M"]))
def test_resampling_equals_grouping_by_the_coarse_open_time(series: Series, interval: str) -> None:
    frame = pd.DataFrame(series.ohlcv, columns=["open", "high", "low", "close", "volume"])
    dates = pd.to_datetime(pd.Series(series.open_ms), unit="ms")
    if interval == "1M":
        keys = dates.dt.to_period("M").dt.start_time
    elif interval == "1w":
        keys = dates.dt.to_period("W-SUN").dt.start_time
    else:
        keys = dates.dt.floor(pd.Timedelta(INTERVALS_MS[interval], unit="ms"))
    expected = frame.groupby(keys.to_numpy()).agg(
        {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    )
    coarse = resample(series, interval)
    starts = pd.to_datetime(pd.Series(coarse.open_ms), unit="ms")
    assert starts.tolist() == [pd.Timestamp(key) for key in expected.index]
    np.testing.assert_allclose(coarse.ohlcv, expected.to_numpy(), rtol=1e-12)


@given(hour_candles(), st.integers(0, 60 * MINUTE_MS), st.integers(0, 60 * MINUTE_MS))
def test_a_candle_shows_more_as_time_passes_and_never_more_than_itself(
    candle: Candle, one_ms: int, other_ms: int
) -> None:
    early, late = (partial_candle(candle, moment) for moment in sorted((one_ms, other_ms)))
    assert candle.low_px <= late.low_px <= early.low_px <= early.close_px
    assert candle.high_px >= late.high_px >= early.high_px >= early.close_px
    assert early.volume_qty <= late.volume_qty <= candle.volume_qty
    assert early.open_px == candle.open_px


@given(hour_candles())
def test_a_candle_starts_at_its_open_and_ends_as_recorded(candle: Candle) -> None:
    first = partial_candle(candle, 0)
    assert (first.high_px, first.low_px, first.close_px, first.volume_qty) == (*[candle.open_px] * 3, 0.0)
    assert partial_candle(candle, 60 * MINUTE_MS) == candle


def test_prices_inside_a_candle_keep_to_its_decimals() -> None:
    candle = Candle(0, 60 * MINUTE_MS - 1, 100.1, 107.3, 99.9, 103.7, 1.0)
    shown = [partial_candle(candle, minute * MINUTE_MS).close_px for minute in range(60)]
    assert all(round(px, 1) == px for px in shown)
    assert len(set(shown)) > 30


@pytest.mark.parametrize(
    ("fine", "coarse", "fits"),
    [("5m", "15m", True), ("5m", "1M", True), ("15m", "5m", False), ("3d", "1w", False), ("2h", "3d", True),
     ("1w", "1M", False), ("1h", "1h", True), ("30m", "1h", True)],
)  # fmt: skip
def test_only_whole_candles_are_aggregated(fine: str, coarse: str, fits: bool) -> None:
    assert divides(fine, coarse) is fits


def test_store_lists_what_the_folder_holds(sample_datadir: Path) -> None:
    store = CandleStore.load(sample_datadir)
    for venue in Venue:
        assert {"BTCUSDT", "SOLUSDT"} <= {item.name for item in store.listed(venue)}
        assert store.instrument(venue, "PEPEUSDT") is None
    assert store.finest(Kind.SPOT, "ETHUSDT") is None
    assert store.range_ms() == (at_ms(START), at_ms(END))
    assert store.series(Kind.PERP, "BTCUSDT", "1m") is None
    assert store.series(Kind.MARK, "BTCUSDT", "5m") is None


def test_stored_timeframes_are_served_as_stored_and_others_resampled(sample_datadir: Path) -> None:
    store = CandleStore.load(sample_datadir)
    hours = store.series(Kind.SPOT, "BTCUSDT", "1h")
    quarters = store.series(Kind.SPOT, "BTCUSDT", "4h")
    stored = pd.read_feather(sample_datadir / "BTC_USDT-1h.feather")
    assert hours is not None
    assert quarters is not None
    np.testing.assert_array_equal(hours.ohlcv, stored[["open", "high", "low", "close", "volume"]].to_numpy())
    assert len(quarters) * 4 == len(hours)
    assert quarters.ohlcv[0, 3] == stored["close"].iloc[3]


def test_a_timeframe_can_hide_the_finer_candles(sample_datadir: Path) -> None:
    finest = CandleStore.load(sample_datadir, timeframe="15m").finest(Kind.PERP, "SOLUSDT")
    assert finest is not None
    assert finest.interval == "15m"


def test_a_gap_stays_a_gap(sample_datadir: Path, tmp_path: Path) -> None:
    frame = pd.read_feather(sample_datadir / "BTC_USDT-5m.feather").drop(index=range(30, 60))
    frame.reset_index(drop=True).to_feather(tmp_path / "BTC_USDT-5m.feather")
    store = CandleStore.load(tmp_path)
    hours = store.series(Kind.SPOT, "BTCUSDT", "1h")
    assert hours is not None
    opened = (hours.open_ms[:4] - at_ms(START)) // (60 * MINUTE_MS)
    assert opened.tolist() == [0, 1, 2, 5]
    assert hours.ohlcv[2, 3] == frame["close"].loc[29]


def test_shifted_data_keeps_its_prices_at_later_dates(sample_datadir: Path) -> None:
    week_ms = round(timedelta(days=7).total_seconds() * 1000)
    plain, shifted = CandleStore.load(sample_datadir), CandleStore.load(sample_datadir, shift_ms=week_ms)
    assert shifted.range_ms() == (at_ms(START) + week_ms, at_ms(END) + week_ms)
    settled, moved = plain.settlements("BTCUSDT"), shifted.settlements("BTCUSDT")
    np.testing.assert_array_equal(moved.at_ms - settled.at_ms, week_ms)
    np.testing.assert_array_equal(moved.rates, settled.rates)


def test_hyperliquid_like_usdc_folder_is_served(tmp_path: Path) -> None:
    (tmp_path / "futures").mkdir()
    dates = pd.Series(pd.date_range(datetime(2025, 1, 1, tzinfo=UTC), periods=3, freq="h"))
    frame = pd.DataFrame({"date": dates.astype("datetime64[ms, UTC]")})
    for column in ("open", "high", "low", "close", "volume"):
        frame[column] = 24.5
    frame.to_feather(tmp_path / "HYPE_USDC-1h.feather")
    frame.to_feather(tmp_path / "futures" / "HYPE_USDC_USDC-1h-futures.feather")
    store = CandleStore.load(tmp_path)
    for venue in Venue:
        listed = store.instrument(venue, "HYPEUSDC")
        assert listed is not None
        assert (listed.base, listed.quote) == ("HYPE", "USDC")
    assert len(store.settlements("HYPEUSDC").rates) == 0


@pytest.mark.parametrize("content", [b"junk", b""])
def test_damaged_file_is_named_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "BTC_USDT-1h.feather").write_bytes(content)
    with pytest.raises(DataError, match=r"BTC_USDT-1h\.feather is not a usable feather file") as caught:
        CandleStore.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_file_without_a_column_is_refused(tmp_path: Path) -> None:
    dates = pd.Series(pd.date_range(START, periods=2, freq="h"))
    pd.DataFrame({"date": dates, "open": [1.0, 2.0]}).to_feather(tmp_path / "BTC_USDT-1h.feather")
    with pytest.raises(DataError, match=r"BTC_USDT-1h\.feather"):
        CandleStore.load(tmp_path)


def test_folder_without_candles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no candle files"):
        CandleStore.load(tmp_path)
    with pytest.raises(DataError, match="is not a folder"):
        CandleStore.load(tmp_path / "absent")

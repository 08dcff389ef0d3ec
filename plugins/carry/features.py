"""Funding and spread features: one row per perp candle, each row computed from what its close knows.

Row t belongs to the candle opened at `date`; it is decided at the close, `date + timeframe`, and filled
at the next open. So row t may use candles with date <= its own, and settlements whose stamp (rounded to
the minute) is strictly before its close. Sources: REFERENCES sections 1, 2 and 3.

Settlement values are computed once per settlement and joined by `searchsorted`; there is no loop over
rows. Windows are summed from their own elements only (`carry.moments`): nothing is ever subtracted that
has left the window, so no result depends on the history before it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from carry.costs import BPS
from carry.errors import DataError, UsageError
from carry.market import settle_stamps, timeframe_delta
from carry.moments import Floats, Ints, window_moments

Bools = npt.NDArray[np.bool_]
Column = Floats | Ints | Bools

FEATURE_COLUMNS = (
    "spot_close",
    "spread_bps",
    "spot_traded",
    "spread_zscore_72h",
    "funding_bps",
    "funding_age_h",
    "funding_interval_h",
    "daily_funding_bps",
    "positive_streak",
    "funding_mean_24h_bps",
    "positive_funding_regime",
    "negative_funding_h",
    "hours_to_settlement",
    "funding_abs_mean_360_bps",
    "funding_abs_std_360_bps",
    "funding_mean_360_bps",
    "funding_std_360_bps",
)
HOUR_NS = 3_600_000_000_000
INTERVALS_H = (1, 2, 4, 8)
DEFAULT_INTERVAL_H = 8
ZSCORE_HOURS = 72
ZSCORE_MIN_VALID_TENTHS = 9  # of ten bars of the window, how many must be valid
STD_FLOOR = 1e-6  # of max(1 bps, |mean|): below it a spread counts as constant
REGIME_HOURS = 24
MOMENT_SETTLEMENTS = 360
MIN_SETTLEMENTS = 90


def carry_features(
    perp: pd.DataFrame, spot: pd.DataFrame, funding: pd.DataFrame, timeframe: str
) -> pd.DataFrame:
    """Compute the carry features of each perp candle.

    `perp`, `spot`: candle frames (date aware UTC = open time, close, volume); `funding`: date,
    funding_rate (fraction per interval), one row per settlement, stamps as recorded. Result: RangeIndex
    in perp's order, columns `FEATURE_COLUMNS`; float64 unless stated, *_bps in 1e-4, *_h in hours:

    spot_close, spread_bps    quote; (perp/spot - 1) in bps. NaN: spot candle absent or of volume 0
                              (spread also: perp volume 0), never filled
    spot_traded               bool: the spot candle exists, with volume and a price
    spread_zscore_72h         (spread - mean)/std (ddof 0) of the 72 h up to and including t. NaN: data
                              began less than 72 h ago, spread NaN, under 90 % of the bars valid, std 0
    funding_bps               last settled rate, carried forward. NaN: none, or older than two intervals
    funding_age_h             from the last settlement to the close, > 0. NaN: none settled
    funding_interval_h        stamp - previous stamp if 1, 2, 4 or 8. NaN: first one, or one is missing
    daily_funding_bps         funding_bps x 24 / funding_interval_h
    positive_streak           int64: positive settlements in a row up to the last one; a missing one
                              starts the count anew; 0 where funding_bps is NaN
    funding_mean_24h_bps      mean of the settlements stamped in [close - 24 h, close). NaN: none
    positive_funding_regime   bool: that mean > 0
    negative_funding_h        from the first settlement <= 0 of the current run (a missing one ends a
                              run) to the close; 0 while positive. NaN: funding_bps is NaN
    hours_to_settlement       to the next settlement at or after the close, last stamp + k intervals;
                              0.0 when the close is one. NaN: interval unknown
    funding_[abs_]mean_360_bps, funding_[abs_]std_360_bps  mean and population std of the last 360
                              [absolute] rates. NaN: fewer than 90 settled

    Where a settlement after a missing one has no interval of its own, its age is judged by the last
    known interval, else by 8 h. Raises UsageError for a timeframe that does not divide 72 h, DataError
    for frames without ascending aware dates on the timeframe's grid.
    """
    step = int(timeframe_delta(timeframe) / pd.Timedelta(1, unit="ns"))
    if (ZSCORE_HOURS * HOUR_NS) % step:
        raise UsageError(f"timeframe {timeframe} does not divide {ZSCORE_HOURS} h: give 5m, 15m, 1h or 4h")
    opened = ascending_ns(perp["date"], "perp candles")
    if (opened % step).any():
        raise DataError(f"perp candles: dates are not multiples of {timeframe}: give the timeframe they have")
    columns = _spread_columns(perp, spot, opened, step)
    columns |= _funding_columns(settlements(funding), opened + step)
    return pd.DataFrame({name: columns[name] for name in FEATURE_COLUMNS})


def _spread_columns(perp: pd.DataFrame, spot: pd.DataFrame, opened: Ints, step: int) -> dict[str, Column]:
    """Return the columns that compare the two markets' closes; `opened` and `step` in ns."""
    spot_opened = ascending_ns(spot["date"], "spot candles")
    at = np.minimum(np.searchsorted(spot_opened, opened), max(len(spot_opened) - 1, 0))
    close, traded = np.full(len(opened), np.nan), np.zeros(len(opened), dtype=np.bool_)
    if len(spot_opened):
        candles = traded_close(spot)[at]
        traded = (spot_opened[at] == opened) & ~np.isnan(candles)
        close = np.where(traded, candles, np.nan)
    spread = (traded_close(perp) / close - 1.0) / BPS
    return {
        "spot_close": close,
        "spread_bps": spread,
        "spot_traded": traded,
        "spread_zscore_72h": _zscore(spread, opened, step),
    }


def _zscore(spread: Floats, opened: Ints, step: int) -> Floats:
    """Return the z-score of `spread` (n,) in its trailing 72 h; `opened` may have gaps."""
    score = np.full(len(spread), np.nan)
    if not len(spread):
        return score
    bars = ZSCORE_HOURS * HOUR_NS // step
    bar = opened // step
    place = bar - bar[0]
    grid = np.full(int(place[-1]) + 1, np.nan)
    grid[place] = spread
    count, mean, std = (moment[place] for moment in window_moments(grid, bars, int(bar[0])))
    enough = (place >= bars - 1) & (count * 10 >= bars * ZSCORE_MIN_VALID_TENTHS) & ~np.isnan(spread)
    with np.errstate(invalid="ignore"):
        moving = enough & (std > STD_FLOOR * np.maximum(1.0, np.abs(mean)))
    score[moving] = (spread[moving] - mean[moving]) / std[moving]
    return score


@dataclass(frozen=True, slots=True)
class Settlements:
    """What is known at each settlement: arrays (m,), ascending, one entry per settlement with a rate."""

    stamp: Ints  # ns since 1970, rounded to the minute
    rate_bps: Floats
    interval_h: Floats  # NaN: first, or a settlement is missing before it
    judged_ns: Ints  # interval by which its age is judged
    positive_streak: Ints
    negative_since: Ints  # ns: first settlement of the current run of rates <= 0; its own if positive


def settlements(funding: pd.DataFrame) -> Settlements:
    """Return the settlement arrays; a settlement without a rate is missing, of duplicates the last counts."""
    rates = funding["funding_rate"].to_numpy(dtype=np.float64)
    known = np.isfinite(rates)
    stamp = _ns(settle_stamps(funding["date"]), "funding")[known]
    order = np.argsort(stamp, kind="stable")
    stamp, rate_bps = stamp[order], rates[known][order] / BPS
    if len(stamp) > 1:
        last = np.append(stamp[1:] != stamp[:-1], True)
        stamp, rate_bps = stamp[last], rate_bps[last]
    hours = np.round(np.diff(stamp) / HOUR_NS)
    interval = np.full(len(stamp), np.nan)
    interval[1:] = np.where(np.isin(hours, INTERVALS_H), hours, np.nan)
    place = np.arange(len(stamp))
    named = np.maximum.accumulate(np.where(np.isnan(interval), -1, place))
    judged = np.where(named >= 0, interval[named], DEFAULT_INTERVAL_H)
    positive = rate_bps > 0.0
    new_run = np.isnan(interval)
    new_run[1:] |= positive[1:] != positive[:-1]
    run_start = np.maximum.accumulate(np.where(new_run, place, 0))
    return Settlements(
        stamp=stamp,
        rate_bps=rate_bps,
        interval_h=interval,
        judged_ns=(judged * HOUR_NS).astype(np.int64),
        positive_streak=np.where(positive, place - run_start + 1, 0),
        negative_since=np.where(positive, stamp, stamp[run_start]),
    )


def _funding_columns(known: Settlements, closed: Ints) -> dict[str, Column]:
    """Return the columns that tell of funding; `closed` (n,): close of each row in ns."""
    if not len(known.stamp):
        return _without_funding(len(closed))
    after = np.searchsorted(known.stamp, closed, side="left")
    some, last = after > 0, np.maximum(after - 1, 0)
    age = closed - known.stamp[last]
    fresh = some & (age <= 2 * known.judged_ns[last])
    interval = np.where(some, known.interval_h[last], np.nan)
    bps = np.where(fresh, known.rate_bps[last], np.nan)
    settled_until = np.searchsorted(known.stamp, closed - REGIME_HOURS * HOUR_NS, side="left")
    mean_24h = _slice_means(known.rate_bps, settled_until, after)
    age_h = np.where(some, age / HOUR_NS, np.nan)
    positive = known.positive_streak[last] > 0
    negative_h = np.where(positive, 0.0, (closed - known.negative_since[last]) / HOUR_NS)
    columns: dict[str, Column] = {
        "funding_bps": bps,
        "funding_age_h": age_h,
        "funding_interval_h": interval,
        "daily_funding_bps": bps * 24.0 / interval,
        "positive_streak": np.where(fresh, known.positive_streak[last], 0),
        "funding_mean_24h_bps": mean_24h,
        "positive_funding_regime": mean_24h > 0.0,
        "negative_funding_h": np.where(fresh, negative_h, np.nan),
        "hours_to_settlement": np.where(np.isnan(interval), np.nan, -age % known.judged_ns[last] / HOUR_NS),
    }
    for prefix, rates in (("funding_", known.rate_bps), ("funding_abs_", np.abs(known.rate_bps))):
        count, mean, std = window_moments(rates, MOMENT_SETTLEMENTS)
        told = some & (count[last] >= MIN_SETTLEMENTS)
        columns[f"{prefix}mean_360_bps"] = np.where(told, mean[last], np.nan)
        columns[f"{prefix}std_360_bps"] = np.where(told, std[last], np.nan)
    return columns


def _without_funding(rows: int) -> dict[str, Column]:
    """Return the funding columns of a pair that never settled: NaN, streak 0, regime False."""
    columns: dict[str, Column] = {
        name: np.full(rows, np.nan) for name in FEATURE_COLUMNS[FEATURE_COLUMNS.index("funding_bps") :]
    }
    columns["positive_streak"] = np.zeros(rows, dtype=np.int64)
    columns["positive_funding_regime"] = np.zeros(rows, dtype=np.bool_)
    return columns


def _slice_means(values: Floats, start: npt.NDArray[np.intp], stop: npt.NDArray[np.intp]) -> Floats:
    """Return the mean of values[start:stop] for each pair of bounds (n,); NaN where it is empty."""
    bounds = np.column_stack((start, stop)).ravel()
    # the appended 0 lets a bound stand behind the last value; every second sum lies between two slices
    sums = np.add.reduceat(np.append(values, 0.0), bounds)[::2]
    count = stop - start
    return np.where(count > 0, sums / np.maximum(count, 1), np.nan)


def traded_close(candles: pd.DataFrame) -> Floats:
    """Return the closes (n,), NaN where the candle has no volume or no price."""
    close = candles["close"].to_numpy(dtype=np.float64)
    volume = candles["volume"].to_numpy(dtype=np.float64)
    return np.where((volume > 0.0) & (close > 0.0) & np.isfinite(close), close, np.nan)


def _ns(dates: "pd.Series[pd.Timestamp]", series: str) -> Ints:
    """Return dates as ns since 1970; DataError when they are not aware UTC datetimes."""
    if str(getattr(dates.dtype, "tz", None)) != "UTC":
        raise DataError(f"{series}: the date column is not in UTC: read it with carry.market.read_candles")
    return np.asarray(dates.dt.as_unit("ns").astype("int64"), dtype=np.int64)


def ascending_ns(dates: "pd.Series[pd.Timestamp]", series: str) -> Ints:
    """Return dates as ns since 1970; DataError unless they strictly ascend."""
    stamps = _ns(dates, series)
    if len(stamps) > 1 and not (np.diff(stamps) > 0).all():
        raise DataError(f"{series}: dates do not ascend: sort them and drop duplicates first")
    return stamps

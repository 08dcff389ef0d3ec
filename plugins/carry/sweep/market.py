"""The market of one run as arrays: everything that does not depend on a parameter.

All pairs share one grid of candle opens. Shape (pairs, candles); a pair has data in its rows
`first`..`last`, elsewhere values are NaN or False and the kernel never looks. Row g is known when it opens;
decisions at row g use signals of row g - 1.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from carry.errors import DataError
from carry.market import MARK_TIMEFRAME, settle_stamps, timeframe_delta
from carry.sweep.history import PairWindow

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_HOUR_MS = 3_600_000


class MarketArrays(NamedTuple):
    """What the kernel reads. Prices in quote per base unit; times in ms since the epoch."""

    at_ms: Ints  # (candles,) opens
    first: Ints  # (pairs,) first row with data; trading starts one row later
    last: Ints  # (pairs,) last row with data
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    liquidation_high: Floats  # min(perp high, mark high): what can liquidate a short in the candle
    tick_digits: Ints  # decimals of prices in the month, -1: none seen
    spot_close: Floats  # NaN: not traded
    spot_now: Bools  # spot trades in the candle that opens now
    spot_px: Floats  # spot open, else the next traded open, else the last traded close
    spot_low: Floats  # of the candle that opens now; NaN: not traded
    spot_high: Floats
    perp_px: Floats  # recorded perp open, for scaling a liquidation to spot
    funding_sum: Floats  # sum of rate x mark over the settlements up to and including the open
    funding_close: Floats  # the same up to and including the close
    settlements: Ints  # their number up to and including the open
    negative_funding_h: Floats


def epoch_ms(dates: "pd.Series[pd.Timestamp]") -> Ints:
    """Return aware UTC dates as int64 milliseconds since the epoch."""
    return np.asarray(dates.dt.as_unit("ms").astype("int64"), dtype=np.int64)


def market_arrays(
    windows: Sequence[PairWindow], frames: Sequence[pd.DataFrame], timeframe: str
) -> MarketArrays:
    """Lay the pairs' windows and feature frames (same rows as the candles) on one grid of opens."""
    step = int(timeframe_delta(timeframe) / pd.Timedelta(milliseconds=1))
    starts = [epoch_ms(one.candles["date"].iloc[one.startup : one.startup + 1])[0] for one in windows]
    ends = [epoch_ms(one.candles["date"].iloc[-1:])[0] for one in windows]
    grid = np.arange(min(starts), max(ends) + step, step, dtype=np.int64)
    parts = [
        _pair_columns(one, frame, step, len(grid), int((start - grid[0]) // step))
        for one, frame, start in zip(windows, frames, starts, strict=True)
    ]
    columns = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    first = (np.array(starts) - grid[0]) // step
    last = (np.array(ends) - grid[0]) // step
    return MarketArrays(at_ms=grid, first=first, last=last, **columns)


def on_grid(values: npt.NDArray[np.generic], startup: int, size: int, first: int) -> npt.NDArray[np.generic]:
    """Place a pair's column, without its startup rows, on the common grid; the rest NaN, 0 or False."""
    kept = values[startup:]
    laid = np.zeros(size, dtype=kept.dtype)
    if kept.dtype == np.float64:
        laid[:] = np.nan
    laid[first : first + len(kept)] = kept
    return laid


def _pair_columns(
    one: PairWindow, frame: pd.DataFrame, step: int, size: int, first: int
) -> dict[str, npt.NDArray[np.generic]]:
    at_ms = epoch_ms(one.candles["date"])
    prices = {name: one.candles[name].to_numpy(dtype=float) for name in ("open", "high", "low", "close")}
    outside = (prices["open"] < prices["low"]) | (prices["open"] > prices["high"])
    if outside.any():
        when = one.candles["date"].iloc[int(np.flatnonzero(outside)[0])]
        raise DataError(f"{one.pair}: the perp's open of {when:%Y-%m-%d %H:%M} lies outside its candle")
    columns: dict[str, npt.NDArray[np.generic]] = dict(prices)
    columns |= _spot_columns(one, at_ms) | _funding_columns(one, at_ms, step)
    columns["tick_digits"] = _tick_digits(one.candles)
    columns["liquidation_high"] = _liquidation_high(one, at_ms, prices["high"])
    columns["spot_close"] = frame["spot_close"].to_numpy(dtype=float)
    columns["negative_funding_h"] = frame["negative_funding_h"].to_numpy(dtype=float)
    return {name: on_grid(values, one.startup, size, first) for name, values in columns.items()}


def _spot_columns(one: PairWindow, at_ms: Ints) -> dict[str, npt.NDArray[np.generic]]:
    spot = one.market.spot
    traded = spot.loc[spot["volume"] > 0]
    if traded.empty:
        raise DataError(f"{one.pair}: spot was never traded in the recorded range")
    tape_ms = epoch_ms(traded["date"])
    opened, high, low, close = (
        traded[name].to_numpy(dtype=float) for name in ("open", "high", "low", "close")
    )
    row = np.searchsorted(tape_ms, at_ms)
    there = np.minimum(row, len(tape_ms) - 1)
    now = tape_ms[there] == at_ms
    perp_ms = epoch_ms(one.market.perp["date"])
    perp_row = np.minimum(np.searchsorted(perp_ms, at_ms), len(perp_ms) - 1)
    return {
        "spot_now": now,
        "spot_px": np.where(row < len(tape_ms), opened[there], close[-1]),
        "spot_low": np.where(now, low[there], np.nan),
        "spot_high": np.where(now, high[there], np.nan),
        "perp_px": one.market.perp["open"].to_numpy(dtype=float)[perp_row],
    }


def _funding_columns(one: PairWindow, at_ms: Ints, step: int) -> dict[str, npt.NDArray[np.generic]]:
    """Return prefix sums of rate x mark open; DataError where a settlement has no mark.

    Settlements before the first mark candle are left out: nothing can be held then.
    """
    mark, funding = one.market.mark, one.market.funding
    stamps, rates = epoch_ms(settle_stamps(funding["date"])), funding["funding_rate"].to_numpy(dtype=float)
    mark_ms, mark_open = epoch_ms(mark["date"]), mark["open"].to_numpy(dtype=float)
    within = (stamps >= mark_ms[0]) & (stamps <= mark_ms[-1]) if len(mark_ms) else stamps < 0
    stamps, rates = stamps[within], rates[within]
    rows = np.searchsorted(mark_ms, stamps)
    absent = stamps[mark_ms[rows] != stamps]
    if len(absent):
        when = pd.Timestamp(int(absent[0]), unit="ms", tz="UTC")
        raise DataError(
            f"{one.pair}: no mark price at the settlement of {when:%Y-%m-%d %H:%M}: download mark"
        )
    total = np.concatenate(([0.0], np.cumsum(rates * mark_open[rows])))
    count = np.searchsorted(stamps, at_ms, side="right")
    return {
        "funding_sum": total[count],
        "funding_close": total[np.searchsorted(stamps, at_ms + step, side="right")],
        "settlements": count.astype(np.int64),
    }


def _liquidation_high(one: PairWindow, at_ms: Ints, high: Floats) -> Floats:
    """Return the perp's high, or the mark's where it was recorded and is lower."""
    mark_ms = epoch_ms(one.market.mark["date"])
    if len(mark_ms) == 0:
        return high
    mark_step = int(timeframe_delta(MARK_TIMEFRAME) / pd.Timedelta(milliseconds=1))
    row = np.searchsorted(mark_ms, at_ms, side="right") - 1
    known = (row >= 0) & (at_ms - mark_ms[np.maximum(row, 0)] < mark_step)
    mark_high = one.market.mark["high"].to_numpy(dtype=float)[np.maximum(row, 0)]
    lowest: Floats = np.where(known, np.minimum(high, mark_high), high)
    return lowest


def _tick_digits(candles: pd.DataFrame) -> Ints:
    """Return the decimals that freqtrade takes for the price step: the most seen in the row's month.

    Months without decimals take those of the last month that had some; -1 before any had.
    Source: freqtrade 2026.9, data/btanalysis/historic_precision.py.
    """
    digits = np.zeros(len(candles), dtype=np.int64)
    for name in ("open", "high", "low", "close"):
        np.maximum(digits, _decimals(candles[name].to_numpy(dtype=float)), out=digits)
    months = candles["date"].dt.year * 12 + candles["date"].dt.month
    most = pd.Series(digits).groupby(months.to_numpy()).max()
    seen = most.where(most > 0).ffill().fillna(-1).astype(np.int64)
    return np.asarray(seen.loc[months.to_numpy()], dtype=np.int64)


def _decimals(prices: Floats) -> Ints:
    """Return how many decimals each price has, at 14 significant digits."""
    result = np.zeros(prices.shape, dtype=np.int64)
    for k in range(1, 13):
        shorter = np.abs(np.round(prices, k - 1) - prices) > np.abs(prices) * 5e-14
        if not shorter.any():
            break
        result[shorter] = k
    return result

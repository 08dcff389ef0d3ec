"""The market of one run as arrays: everything that does not depend on a parameter.

All pairs share one grid of candle opens. Shape (pairs, candles); a pair has data in its rows
`first`..`last`, elsewhere values are NaN or False and the kernel never looks. Row g is known when it opens;
decisions at row g use signals of row g - 1.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from carry.errors import DataError
from carry.market import MARK_TIMEFRAME, settle_stamps, timeframe_delta
from carry.sweep.history import PairWindow

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Columns = dict[int, npt.NDArray[np.generic]]
DAY_MS = 86_400_000


# What is compared at every candle, side by side in memory: known at the open, then known at the close.
H_OPEN = 0
H_HIGH = 1  # of the perp
H_SETTLED = 2  # number of settlements up to and including the open
H_FLIPPED = 3  # hours since funding turned negative, by the candle before; NaN: not known
H_CLOSE = 4
H_SPOT = 5  # spot close, NaN: not traded
H_FUNDING = 6  # sum of rate x mark over the settlements up to and including the close
H_WIDTH = 8
# What is read when something is traded.
C_LOW = 0
C_HIGH = 1
C_DIGITS = 2  # decimals of prices in the month, -1: none seen
C_SPOT_NOW = 3  # 1: spot trades in the candle that opens now
C_SPOT_PX = 4  # spot open, else the next traded open, else the last traded close
C_SPOT_LOW = 5  # of the candle that opens now; NaN: not traded
C_SPOT_HIGH = 6
C_PERP_PX = 7  # recorded perp open, for scaling a liquidation to spot
C_FUNDING_SUM = 8  # sum of rate x mark over the settlements up to and including the open
C_MARK_HIGH = 9  # min(perp high, mark high): what can liquidate a short in the candle
C_WIDTH = 10


class MarketArrays(NamedTuple):
    """What the kernel reads. Prices in quote per base unit; times in ms since the epoch."""

    at_ms: Ints  # (candles,) opens
    day: Ints  # (candles,) UTC day of the close, counted from the first; midnight belongs to the day it ends
    first: Ints  # (pairs,) first row with data; trading starts one row later
    last: Ints  # (pairs,) last row with data
    leaving: Ints  # (pairs,) the order in which freqtrade closes what is left at the end: as they came in
    hot: Floats  # (candles, pairs, columns H_*)
    cold: Floats  # (candles, pairs, columns C_*)


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
    hot = np.full((len(grid), len(windows), H_WIDTH), np.nan)
    cold = np.full((len(grid), len(windows), C_WIDTH), np.nan)
    for k, (one, frame) in enumerate(zip(windows, frames, strict=True)):
        row = int((starts[k] - grid[0]) // step)
        for table, columns in zip((hot, cold), _pair_columns(one, frame, step), strict=True):
            for place, values in columns.items():
                kept = values[one.startup :]
                table[row : row + len(kept), k, place] = kept
    first = (np.array(starts) - grid[0]) // step
    last = (np.array(ends) - grid[0]) // step
    day = (grid + step - 1) // DAY_MS
    return MarketArrays(grid, day - day[0], first, last, np.argsort(first, kind="stable"), hot, cold)


def on_grid(values: npt.NDArray[Any], startup: int, size: int, first: int) -> npt.NDArray[Any]:
    """Place a pair's signal, without its startup rows, on the common grid; False or 0 elsewhere."""
    kept = values[startup:]
    laid = np.zeros(size, dtype=values.dtype)
    laid[first : first + len(kept)] = kept
    return laid


def _pair_columns(one: PairWindow, frame: pd.DataFrame, step: int) -> tuple[Columns, Columns]:
    """Return the pair's hot and cold columns over all rows of its candles."""
    at_ms = epoch_ms(one.candles["date"])
    prices = {name: one.candles[name].to_numpy(dtype=float) for name in ("open", "high", "low", "close")}
    outside = (prices["open"] < prices["low"]) | (prices["open"] > prices["high"])
    if outside.any():
        when = one.candles["date"].iloc[int(np.flatnonzero(outside)[0])]
        raise DataError(f"{one.pair}: the perp's open of {when:%Y-%m-%d %H:%M} lies outside its candle")
    stamps, total = _funding(one)
    settled = np.searchsorted(stamps, at_ms, side="right")
    hot: Columns = {
        H_OPEN: prices["open"],
        H_HIGH: prices["high"],
        H_SETTLED: settled,
        H_FLIPPED: frame["negative_funding_h"].shift(1).to_numpy(dtype=float),
        H_CLOSE: prices["close"],
        H_SPOT: frame["spot_close"].to_numpy(dtype=float),
        H_FUNDING: total[np.searchsorted(stamps, at_ms + step, side="right")],
    }
    cold: Columns = {C_LOW: prices["low"], C_HIGH: prices["high"], C_DIGITS: _tick_digits(one.candles)}
    cold |= {C_FUNDING_SUM: total[settled], C_MARK_HIGH: _liquidation_high(one, at_ms, prices["high"])}
    return hot, cold | _spot_columns(one, at_ms)


def _spot_columns(one: PairWindow, at_ms: Ints) -> Columns:
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
        C_SPOT_NOW: now,
        C_SPOT_PX: np.where(row < len(tape_ms), opened[there], close[-1]),
        C_SPOT_LOW: np.where(now, low[there], np.nan),
        C_SPOT_HIGH: np.where(now, high[there], np.nan),
        C_PERP_PX: one.market.perp["open"].to_numpy(dtype=float)[perp_row],
    }


def _funding(one: PairWindow) -> tuple[Ints, Floats]:
    """Return (stamps, sums of rate x mark open over the first 0, 1, ... settlements).

    Settlements before the first mark candle are left out: nothing can be held then. DataError where a later
    one has no mark.
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
    return stamps, np.concatenate(([0.0], np.cumsum(rates * mark_open[rows])))


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

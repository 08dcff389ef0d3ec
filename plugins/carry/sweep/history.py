"""Recorded markets in memory, cut as freqtrade's backtest cuts them.

`load_history` reads each pair's files once; `window` then gives what `freqtrade backtesting --timerange R`
would see: candles from `startup` before the start up to and *including* the end, gaps filled with flat rows
of volume 0, everything later left out. freqtrade drops the first `startup` rows that it has loaded, whenever
they begin; so does a window. Source: freqtrade 2026.9, data/history and data/converter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from carry.coverage import require_coverage
from carry.errors import DataError, UsageError
from carry.market import Market, load_market, timeframe_delta
from carry.timerange import Timerange

STARTUP_CANDLES = 300


@dataclass(frozen=True, slots=True)
class History:
    """All that is recorded of some pairs, in the order in which freqtrade walks through them."""

    datadir: Path
    timeframe: str
    markets: Mapping[str, Market]

    @property
    def pairs(self) -> tuple[str, ...]:
        """Return the pairs in freqtrade's order."""
        return tuple(self.markets)


@dataclass(frozen=True, slots=True)
class PairWindow:
    """One pair in one run. `candles`: filled perp candles, `startup` of them before the first that counts.

    `market` holds the raw frames, cut after the run's last candle.
    """

    pair: str
    candles: pd.DataFrame
    startup: int
    market: Market


def load_history(datadir: Path, pairs: Sequence[str], timeframe: str) -> History:
    """Read the pairs' candles, marks and settlements; DataError names the first file that is not usable."""
    if not pairs:
        raise UsageError("no pair to sweep: give --pairs or a pair_whitelist")
    timeframe_delta(timeframe)
    return History(datadir, timeframe, {pair: load_market(datadir, pair, timeframe) for pair in pairs})


def window(history: History, timerange: Timerange, startup: int = STARTUP_CANDLES) -> list[PairWindow]:
    """Cut every pair as freqtrade does; pairs without a candle after their startup are left out.

    Raises DataError where no pair is left, or where the data do not cover what is left.
    """
    cut = [_cut(history, pair, timerange, startup) for pair in history.pairs]
    windows = [one for one in cut if one is not None]
    if not windows:
        raise DataError(
            f"no candle is left in {timerange} after {startup} candles of startup: give a longer --timerange"
        )
    return windows


def _cut(history: History, pair: str, timerange: Timerange, startup: int) -> PairWindow | None:
    step = timeframe_delta(history.timeframe)
    market = history.markets[pair]
    dates = market.perp["date"]
    keep = pd.Series(True, index=dates.index)
    if timerange.start is not None:
        keep &= dates >= timerange.start - startup * step
    if timerange.end is not None:
        keep &= dates <= timerange.end
    candles = _filled(market.perp.loc[keep], step)
    if len(candles) <= startup:
        return None
    end = candles["date"].iloc[-1]
    require_coverage(history.datadir, pair, history.timeframe, candles["date"].iloc[0], end)
    spot, mark, funding, perp = (
        frame.loc[frame["date"] < end + step].reset_index(drop=True)
        for frame in (market.spot, market.mark, market.funding, market.perp)
    )
    return PairWindow(pair, candles, startup, Market(pair, history.timeframe, perp, spot, mark, funding))


def _filled(candles: pd.DataFrame, step: pd.Timedelta) -> pd.DataFrame:
    """Fill missing candles with flat ones at the last close, volume 0."""
    if candles.empty:
        return candles.reset_index(drop=True)
    grid = pd.date_range(candles["date"].iloc[0], candles["date"].iloc[-1], freq=step, name="date")
    filled = candles.set_index("date").reindex(grid)
    filled["close"] = filled["close"].ffill()
    for name in ("open", "high", "low"):
        filled[name] = filled[name].fillna(filled["close"])
    filled["volume"] = filled["volume"].fillna(0.0)
    return filled.reset_index()

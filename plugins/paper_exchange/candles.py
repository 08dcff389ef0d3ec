"""Candle series in memory: columns of one symbol at one timeframe, cut and aggregated without gaps filled in.

A series is as recorded: a candle that the exchange did not have is absent. Aggregation groups by the coarser
candle's open time, so a coarse candle over a gap holds what there was.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Millis = NDArray[np.int64]

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
# Every interval of Binance's klines; a month has no fixed length, its value here is only used for order.
INTERVALS_MS = {
    "1s": 1_000,
    **{f"{count}m": count * MINUTE_MS for count in (1, 3, 5, 15, 30)},
    **{f"{count}h": count * HOUR_MS for count in (1, 2, 4, 6, 8, 12)},
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
    "1w": 7 * DAY_MS,
    "1M": 30 * DAY_MS,
}
_MONDAY_MS = 4 * DAY_MS  # the epoch was a Thursday; weekly candles open on Mondays


class Kind(StrEnum):
    """What a series records."""

    SPOT = "spot"
    PERP = "perp"
    MARK = "mark"


@dataclass(frozen=True, slots=True)
class Candle:
    """One candle; prices in quote, volume in base units; `close_ms` is its last millisecond."""

    open_ms: int
    close_ms: int
    open_px: float
    high_px: float
    low_px: float
    close_px: float
    volume_qty: float


@dataclass(frozen=True, slots=True)
class Series:
    """Ascending candles of one timeframe.

    `open_ms`: shape (n,). `ohlcv`: shape (n, 5), float64: open, high, low, close, volume.
    """

    interval: str
    open_ms: Millis
    ohlcv: Floats

    def __len__(self) -> int:
        """Return the number of candles."""
        return len(self.open_ms)

    @property
    def end_ms(self) -> int:
        """Return when the last candle closes (exclusive)."""
        return bucket_end_ms(int(self.open_ms[-1]), self.interval)

    def candle(self, index: int) -> Candle:
        """Return one candle by position."""
        open_ms = int(self.open_ms[index])
        prices = (float(value) for value in self.ohlcv[index])
        return Candle(open_ms, bucket_end_ms(open_ms, self.interval) - 1, *prices)

    def close_ms(self, index: int) -> int:
        """Return a candle's last millisecond by position."""
        return bucket_end_ms(int(self.open_ms[index]), self.interval) - 1

    def position(self, moment_ms: int) -> int:
        """Return the position of the last candle opened at or before the moment; -1 before the first."""
        return int(np.searchsorted(self.open_ms, moment_ms, side="right")) - 1

    def between(self, start_ms: int, end_ms: int) -> "Series":
        """Return the candles opened in [start_ms, end_ms)."""
        low, high = np.searchsorted(self.open_ms, [start_ms, end_ms], side="left")
        return self.rows(int(low), int(high))

    def rows(self, low: int, high: int) -> "Series":
        """Return the candles at positions [low, high)."""
        return Series(self.interval, self.open_ms[low:high], self.ohlcv[low:high])

    def appended(self, candle: Candle) -> "Series":
        """Return the series with one more candle at its end."""
        row = [candle.open_px, candle.high_px, candle.low_px, candle.close_px, candle.volume_qty]
        opens = np.append(self.open_ms, np.int64(candle.open_ms))
        return Series(self.interval, opens, np.vstack([self.ohlcv, np.array([row])]))


def bucket_starts_ms(open_ms: Millis, interval: str) -> Millis:
    """Return the open time of the candle of `interval` that each moment falls in, shape as given."""
    if interval == "1M":
        months = open_ms.astype("datetime64[ms]").astype("datetime64[M]")
        return months.astype("datetime64[ms]").astype(np.int64)
    length = INTERVALS_MS[interval]
    origin = _MONDAY_MS if interval == "1w" else 0
    return np.asarray((open_ms - origin) // length * length + origin, dtype=np.int64)


def bucket_start_ms(moment_ms: int, interval: str) -> int:
    """Return the open time of the candle of `interval` that a moment falls in."""
    return int(bucket_starts_ms(np.array([moment_ms], dtype=np.int64), interval)[0])


def bucket_end_ms(open_ms: int, interval: str) -> int:
    """Return when the candle opened at `open_ms` ends (exclusive)."""
    if interval == "1M":
        return bucket_start_ms(open_ms + 32 * DAY_MS, "1M")
    return open_ms + INTERVALS_MS[interval]


def resample(series: Series, interval: str) -> Series:
    """Aggregate into a coarser interval (a multiple of the series' own); gaps stay gaps."""
    starts = bucket_starts_ms(series.open_ms, interval)
    heads = np.flatnonzero(np.diff(starts, prepend=starts[0] - 1))
    tails = np.append(heads[1:], len(starts)) - 1
    columns = series.ohlcv
    ohlcv = np.column_stack(
        [
            columns[heads, 0],
            np.maximum.reduceat(columns[:, 1], heads),
            np.minimum.reduceat(columns[:, 2], heads),
            columns[tails, 3],
            np.add.reduceat(columns[:, 4], heads),
        ]
    )
    return Series(interval, starts[heads], ohlcv)


def divides(fine: str, coarse: str) -> bool:
    """Return whether whole candles of `fine` make up each candle of `coarse`."""
    if fine == coarse:
        return True
    if fine in {"1M", "1w", "3d"}:
        return False
    length = DAY_MS if coarse == "1M" else INTERVALS_MS[coarse]
    return length % INTERVALS_MS[fine] == 0 and INTERVALS_MS[fine] < INTERVALS_MS[coarse]

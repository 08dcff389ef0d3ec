"""The market as it looks at one moment: nothing that happens after "now" can be seen through it.

Inside the finest stored candle the price moves on a fixed path: open, the extreme against the candle's
direction, the other extreme, close, in equal thirds of its time. The forming candle of any interval is what
that path has shown so far; closed candles are the recorded ones.
"""

from dataclasses import dataclass

import numpy as np

from paper_exchange.book import Book, build_book
from paper_exchange.candles import (
    DAY_MS,
    HOUR_MS,
    Candle,
    Kind,
    Series,
    bucket_end_ms,
    bucket_start_ms,
)
from paper_exchange.clock import Clock, ShownClock
from paper_exchange.halts import Halts
from paper_exchange.instruments import Instrument, Venue
from paper_exchange.store import CandleStore, Settlements

MARK_VALID_MS = 8 * HOUR_MS
_QTY_DECIMALS = 8
_KIND_OF = {Venue.SPOT: Kind.SPOT, Venue.PERP: Kind.PERP}


@dataclass(frozen=True, slots=True)
class DayStatistics:
    """The 24 hours before now. Prices in quote, `volume_qty` in base, `volume_notional` in quote units."""

    open_px: float
    high_px: float
    low_px: float
    last_px: float
    volume_qty: float
    volume_notional: float
    open_ms: int
    close_ms: int
    candles: int


class MarketView:
    """Read prices from a store as of a clock."""

    def __init__(self, store: CandleStore, clock: Clock) -> None:
        """Bind the candles to the clock that decides how much of them has happened."""
        self.store = store
        self.clock = clock
        self.shown = ShownClock(clock)
        self.halts = Halts()
        self._mark_ratios: dict[tuple[str, int], float] = {}  # candles are read-only, so these never change

    def now_ms(self) -> int:
        """Return the exchange's time."""
        return self.clock.now_ms()

    def last_px(self, kind: Kind, name: str, now_ms: int) -> float | None:
        """Return the last price at `now_ms`; None before the first candle."""
        series = self.store.finest(kind, name)
        position = -1 if series is None else series.position(now_ms)
        if series is None or position < 0:
            return None
        candle = series.candle(position)
        return candle.close_px if candle.close_ms < now_ms else partial_candle(candle, now_ms).close_px

    def candles(
        self,
        kind: Kind,
        name: str,
        interval: str,
        now_ms: int,
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int | None = None,
    ) -> Series | None:
        """Return the closed candles of an interval and the forming one; None when the folder has none.

        Only candles opened in [start_ms, end_ms] count; of those the first `limit` when a start is given,
        the last `limit` otherwise. Nothing opened after `now_ms` is returned, whatever is asked for.
        """
        series = self.store.series(kind, name, interval)
        if series is None:
            return None
        until_ms = now_ms if end_ms is None else min(end_ms, now_ms)
        forming_ms = bucket_start_ms(now_ms, interval)
        forming = None
        if max(start_ms or 0, 0) <= forming_ms <= until_ms:
            forming = self._forming(kind, name, series, forming_ms, now_ms)
        past = series.between(start_ms or 0, min(forming_ms, until_ms + 1))
        if limit is not None and start_ms is not None:
            past = past.rows(0, limit)
            forming = forming if len(past) < limit else None
        elif limit is not None:
            keep = limit - (forming is not None)
            past = past.rows(max(len(past) - keep, 0), len(past))
        return past if forming is None else past.appended(forming)

    def mark_px(self, name: str, now_ms: int) -> float | None:
        """Return the mark price: the last price times mark/last at the last closed mark candle.

        Mark candles are hourly while last prices move by minutes; the ratio carries the mark in between.
        Without a mark candle of the last 8 hours the last price stands in; None before the first candle.
        """
        last = self.last_px(Kind.PERP, name, now_ms)
        return None if last is None else last * self.mark_ratio(name, now_ms)

    def mark_ratio(self, name: str, now_ms: int) -> float:
        """Return mark / last at the last mark candle that closed before now; 1 when that is too long ago."""
        mark = self.store.finest(Kind.MARK, name)
        position = -1 if mark is None else mark.position(now_ms)
        while mark is not None and position >= 0 and mark.close_ms(position) >= now_ms:
            position -= 1
        if mark is None or position < 0 or now_ms - mark.close_ms(position) > MARK_VALID_MS:
            return 1.0
        key = (name, position)
        if key not in self._mark_ratios:
            at_close = self.last_px(Kind.PERP, name, mark.close_ms(position) + 1)
            close_px = float(mark.ohlcv[position, 3])
            self._mark_ratios[key] = 1.0 if at_close is None else close_px / at_close
        return self._mark_ratios[key]

    def index_px(self, name: str, now_ms: int) -> float | None:
        """Return the index price: the spot price, or the mark price where the folder has no spot candles."""
        spot = self.last_px(Kind.SPOT, name, now_ms)
        return spot if spot is not None else self.mark_px(name, now_ms)

    def settlements(self, name: str, now_ms: int) -> Settlements:
        """Return the settlements that have happened."""
        known = self.store.settlements(name)
        count = int(np.searchsorted(known.at_ms, now_ms, side="right"))
        return Settlements(known.at_ms[:count], known.rates[:count])

    def day(self, item: Instrument, now_ms: int) -> DayStatistics | None:
        """Return the statistics of the last 24 hours, or None when nothing was traded before now."""
        kind = _KIND_OF[item.venue]
        last = self.last_px(kind, item.name, now_ms)
        series = self.store.finest(kind, item.name)
        if last is None or series is None:
            return None
        since_ms = now_ms - DAY_MS
        visible = self.candles(kind, item.name, series.interval, now_ms, start_ms=since_ms)
        rows = np.empty((0, 5)) if visible is None else visible.ohlcv
        if not len(rows):
            return DayStatistics(last, last, last, last, 0.0, 0.0, since_ms, now_ms, 0)
        return DayStatistics(
            open_px=float(rows[0, 0]),
            high_px=float(rows[:, 1].max()),
            low_px=float(rows[:, 2].min()),
            last_px=last,
            volume_qty=float(rows[:, 4].sum()),
            volume_notional=float((rows[:, 4] * rows[:, :4].mean(axis=1)).sum()),
            open_ms=since_ms,
            close_ms=now_ms,
            candles=len(rows),
        )

    def book(self, item: Instrument, now_ms: int, levels: int) -> Book | None:
        """Return the order book around the last price; its size follows the volume of the last 24 hours."""
        day = self.day(item, now_ms)
        if day is None:
            return None
        return build_book(item.filters, day.last_px, day.volume_qty / 24.0, levels)

    def _forming(self, kind: Kind, name: str, series: Series, forming_ms: int, now_ms: int) -> Candle | None:
        """Build the candle that is open at `now_ms` from finer candles, or from its own partial path."""
        finest = self.store.finest(kind, name)
        if finest is None or not len(parts := finest.between(forming_ms, now_ms + 1)):
            own = series.between(forming_ms, now_ms + 1)
            return partial_candle(own.candle(0), now_ms) if len(own) else None
        seen = [parts.candle(index) for index in range(len(parts) - 1)]
        seen.append(partial_candle(parts.candle(len(parts) - 1), now_ms))
        return Candle(
            open_ms=forming_ms,
            close_ms=bucket_end_ms(forming_ms, series.interval) - 1,
            open_px=seen[0].open_px,
            high_px=max(part.high_px for part in seen),
            low_px=min(part.low_px for part in seen),
            close_px=seen[-1].close_px,
            volume_qty=sum(part.volume_qty for part in seen),
        )


def partial_candle(candle: Candle, now_ms: int) -> Candle:
    """Return what a candle shows at `now_ms` (>= its open): itself once it has closed."""
    length = candle.close_ms + 1 - candle.open_ms
    share = (now_ms - candle.open_ms) / length
    if share >= 1.0:
        return candle
    rising = candle.close_px >= candle.open_px
    turns = (candle.low_px, candle.high_px) if rising else (candle.high_px, candle.low_px)
    path = [candle.open_px, *turns, candle.close_px]
    px = round(float(np.interp(share, [0.0, 1 / 3, 2 / 3, 1.0], path)), max(map(_decimals, path)))
    shown = [*path[: int(share * 3) + 1], px]
    return Candle(
        open_ms=candle.open_ms,
        close_ms=candle.close_ms,
        open_px=candle.open_px,
        high_px=max(shown),
        low_px=min(shown),
        close_px=px,
        volume_qty=round(candle.volume_qty * share, _QTY_DECIMALS),
    )


def _decimals(px: float) -> int:
    """Return how many decimals a recorded price is written with: prices in between keep to the same tick."""
    return len(f"{px:.8f}".rstrip("0").partition(".")[2])

"""What a trading freqtrade knows of a pair's market, as the features want it: nothing filled, nothing stale.

Perp candles and funding come from freqtrade's data provider, spot from the leg's own venue; a missing spot
candle is absent or has volume 0, as on disk. Anything that is not covered raises DataError: then there is no
signal, in either direction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

import numpy as np
import pandas as pd

from carry.errors import DataError
from carry.features import carry_features
from carry.market import CANDLE_COLUMNS, FUNDING_COLUMNS, settle_stamps, timeframe_delta
from hedge_leg.core.amounts import exact
from hedge_leg.errors import HedgeError
from hedge_leg.ports import Book, Clock
from hedge_leg.recorded import Stamps, epoch_ms

_LATE_MS = 60_000  # a spot candle that is not there for so long after its end is missing, not late
_RETRY_MS = 10_000  # a missing candle is not asked for more often
_PX_AGE_MS = 15_000  # how old a price may be that open trades are shown at
_FRESH_FUNDING_H = 9  # a venue settles every 8 hours at the most


class SpotPrices(Protocol):
    """Where spot candles and books come from: the spot leg's own venue."""

    def candles(self, symbol: str, timeframe: str, since_ms: int) -> Sequence[Sequence[float]]:
        """Return candles [open time ms, open, high, low, close, volume] from then on, oldest first."""
        ...

    def book(self, symbol: str) -> Book:
        """Return the present book."""
        ...


@dataclass(slots=True)
class SpotMarket:
    """Spot candles and prices of the spot leg's own venue.

    Not freqtrade's: on Binance ccxt answers a request for BTC/USDT with the perp's candles as soon as it
    trades futures (`binance.market`, "legacy symbols"), and every spread would be zero.
    """

    prices: SpotPrices
    clock: Clock
    timeframe: str
    _kept: dict[str, pd.DataFrame] = field(default_factory=dict)
    _asked_ms: dict[str, int] = field(default_factory=dict)
    _px: dict[str, tuple[int, Decimal]] = field(default_factory=dict)

    def candles(self, symbol: str, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
        """Return the candles that opened in [first, last], what is missing missing.

        DataError when they cannot be read, or the last one may only be late: freqtrade looks at a candle
        once, and must not decide on it before both legs' are there.
        """
        kept = self._kept.get(symbol, pd.DataFrame())
        reaches = not kept.empty and kept["date"].iloc[0] <= first
        if not reaches or kept["date"].iloc[-1] < last:
            kept = self._read(symbol, kept if reaches else pd.DataFrame(), first, last)
            if not self._missing(last) and (kept.empty or kept["date"].iloc[-1] < last):
                raise DataError(f"{symbol}: the spot candle of {last} is not there yet")
        return kept[kept["date"].between(first, last)].reset_index(drop=True)

    def _missing(self, last: pd.Timestamp) -> bool:
        """Return whether a candle that is not there will not come any more."""
        ended_ms = (last + timeframe_delta(self.timeframe)).timestamp() * 1000
        return bool(self.clock.now_ms() - ended_ms >= _LATE_MS)

    def _read(self, symbol: str, kept: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
        """Read on from what is kept until `last` is there; what is kept starts at or before `first`."""
        now_ms = self.clock.now_ms()
        recently = now_ms - self._asked_ms.get(symbol, 0) < _RETRY_MS
        if not kept.empty and recently and self._missing(last):
            return kept
        self._asked_ms[symbol] = now_ms
        step = timeframe_delta(self.timeframe)
        since = first if kept.empty else kept["date"].iloc[-1] + step
        parts = [kept] if not kept.empty else []
        try:
            while since <= last:
                part = _frame(self.prices.candles(symbol, self.timeframe, int(since.timestamp() * 1000)))
                part = part[part["date"].between(since, last)]
                if part.empty:
                    break
                parts.append(part)
                since = part["date"].iloc[-1] + step
        except HedgeError as error:
            raise DataError(f"{symbol}: no signal, spot candles cannot be read: {error}") from error
        found = pd.concat(parts, ignore_index=True) if parts else _frame([])
        self._kept[symbol] = found[found["date"] >= first - step].reset_index(drop=True)
        return self._kept[symbol]

    def px(self, symbol: str) -> Decimal | None:
        """Return what spot can be sold at now (best bid), at most some seconds old; None when not known."""
        now_ms = self.clock.now_ms()
        read_ms, px = self._px.get(symbol, (0, None))
        if px is None or now_ms - read_ms >= _PX_AGE_MS:
            try:
                bids = self.prices.book(symbol).bids
            except HedgeError:
                return None
            if not bids:
                return None
            px = bids[0][0]
            self._px[symbol] = (now_ms, px)
        return px


def _frame(rows: Sequence[Sequence[float]]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=list(CANDLE_COLUMNS))
    frame["date"] = pd.to_datetime(frame["date"], unit="ms", utc=True)
    return frame


def live_features(
    pair: str, perp: pd.DataFrame, spot: pd.DataFrame, funding: pd.DataFrame, timeframe: str
) -> pd.DataFrame:
    """Return the columns of `carry.features` for each perp candle.

    `perp`, `spot`: closed candles as freqtrade serves them; `funding`: date, funding_rate. DataError when
    spot or funding is empty, or does not reach the last perp candle.
    """
    if spot.empty or funding.empty:
        missing = "spot candles" if spot.empty else "funding"
        raise DataError(f"{pair}: the exchange gave no {missing}: no signal until it does")
    last = perp["date"].iloc[-1] + timeframe_delta(timeframe)
    if last - funding["date"].iloc[-1] > pd.Timedelta(hours=_FRESH_FUNDING_H):
        raise DataError(f"{pair}: the last settlement known is of {funding['date'].iloc[-1]}: no signal")
    traded = spot.loc[spot["volume"] > 0, list(CANDLE_COLUMNS)].reset_index(drop=True)
    rates = funding.loc[funding["date"] < last, list(FUNDING_COLUMNS)].reset_index(drop=True)
    features: pd.DataFrame = carry_features(perp.loc[:, list(CANDLE_COLUMNS)], traded, rates, timeframe)
    return features


def settled_stamps(funding: pd.DataFrame) -> Stamps:
    """Return the settlements' stamps in ms, rounded to the minute, ascending."""
    return np.sort(epoch_ms(settle_stamps(funding["date"])))


def settlements(
    rates: pd.DataFrame, marks: pd.DataFrame, since_ms: int
) -> list[tuple[int, Decimal, Decimal]]:
    """Return (stamp ms, rate, mark open) of the settlements from `since_ms` on that have a mark candle."""
    stamps = epoch_ms(settle_stamps(rates["date"]))
    mark_at = dict(zip(epoch_ms(marks["date"]).tolist(), marks["open"].tolist(), strict=True))
    return [
        (stamp, exact(rate), exact(mark_at[stamp]))
        for stamp, rate in zip(stamps.tolist(), rates["funding_rate"].tolist(), strict=True)
        if stamp >= since_ms and stamp in mark_at
    ]

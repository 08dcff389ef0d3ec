"""The candle store: one data folder in freqtrade's layout, read once and checked at the start.

    DATADIR/BTC_USDT-1h.feather                            spot candles
    DATADIR/futures/BTC_USDT_USDT-1h-futures.feather       perp candles
    DATADIR/futures/BTC_USDT_USDT-1h-mark.feather          mark price candles
    DATADIR/futures/BTC_USDT_USDT-1h-funding_rate.feather  settlements: date, funding_rate

The ten coins whose filters are known are always listed against USDT: freqtrade needs their metadata to
backtest data that lie in another folder. Files add symbols. A timeframe that is not stored is aggregated
from the coarsest stored one that divides it; a timeframe finer than all stored ones has no candles.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from paper_exchange.candles import INTERVALS_MS, Floats, Kind, Millis, Series, divides, resample
from paper_exchange.errors import DataError
from paper_exchange.instruments import Instrument, Venue, instrument, known_coins

_SPOT_FILE = re.compile(r"(?P<base>[^_]+)_(?P<quote>[^_]+)-(?P<tf>\w+)")
_PERP_FILE = re.compile(r"(?P<base>[^_]+)_(?P<quote>[^_]+)_(?P=quote)-(?P<tf>\w+)-(?P<kind>\w+)")
_KINDS = {"futures": Kind.PERP, "mark": Kind.MARK}
_CANDLE_COLUMNS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class Settlements:
    """Funding of one perp. `at_ms`: shape (n,), ascending, as recorded (some ms after the hour).

    `rates`: shape (n,), fraction per interval, positive = longs pay shorts.
    """

    at_ms: Millis
    rates: Floats


_NO_SETTLEMENTS = Settlements(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float64))


@dataclass(slots=True)
class CandleStore:
    """All series of a data folder. Keys are symbol names ("BTCUSDT"); read-only after `load`."""

    instruments: dict[tuple[Venue, str], Instrument] = field(default_factory=dict)
    settlements_by_name: dict[str, Settlements] = field(default_factory=dict)
    _stored: dict[tuple[Kind, str], dict[str, Series]] = field(default_factory=dict)
    _resampled: dict[tuple[Kind, str, str], Series | None] = field(default_factory=dict)

    @classmethod
    def load(cls, datadir: Path, *, timeframe: str | None = None, shift_ms: int = 0) -> "CandleStore":
        """Read every candle and funding file of the folder.

        `timeframe`: ignore candles finer than this one. `shift_ms` is added to every date, so that recorded
        data can be replayed as if it happened now; use a multiple of 8 h to keep settlements in place.
        DataError, in one line, when the folder or its candles are missing or a file is unreadable.
        """
        if not datadir.is_dir():
            raise DataError(f"{datadir} is not a folder: give --data DIR with freqtrade's files, or --sample")
        store = cls()
        least_ms = INTERVALS_MS[timeframe] if timeframe is not None else 0
        for path in sorted(datadir.glob("*.feather")):
            if match := _SPOT_FILE.fullmatch(path.stem):
                store._add_candles(path, match, Kind.SPOT, least_ms, shift_ms)
        for path in sorted((datadir / "futures").glob("*.feather")):
            if not (match := _PERP_FILE.fullmatch(path.stem)):
                continue
            if match["kind"] in _KINDS:
                store._add_candles(path, match, _KINDS[match["kind"]], least_ms, shift_ms)
            elif match["kind"] == "funding_rate":
                store._add_settlements(path, match["base"] + match["quote"], shift_ms)
        if not store.instruments:
            raise DataError(
                f"{datadir} holds no candle files such as BTC_USDT-1h.feather: give --data or --sample"
            )
        for venue in Venue:
            for base in known_coins(venue):
                store.instruments.setdefault((venue, f"{base}USDT"), instrument(venue, base, "USDT"))
        return store

    def instrument(self, venue: Venue, name: str) -> Instrument | None:
        """Return the instrument of a symbol, or None when it is not listed."""
        return self.instruments.get((venue, name))

    def listed(self, venue: Venue) -> list[Instrument]:
        """Return the instruments of a market, by name."""
        return [item for (where, _), item in sorted(self.instruments.items()) if where is venue]

    def settlements(self, name: str) -> Settlements:
        """Return a perp's settlements; empty when the data folder has none."""
        return self.settlements_by_name.get(name, _NO_SETTLEMENTS)

    def finest(self, kind: Kind, name: str) -> Series | None:
        """Return the stored series with the shortest candles, or None."""
        stored = self._stored.get((kind, name))
        return None if not stored else stored[min(stored, key=INTERVALS_MS.__getitem__)]

    def series(self, kind: Kind, name: str, interval: str) -> Series | None:
        """Return the candles of an interval, stored or aggregated; None when none can be had."""
        stored = self._stored.get((kind, name), {})
        if interval in stored:
            return stored[interval]
        key = (kind, name, interval)
        if key not in self._resampled:
            usable = [fine for fine in stored if divides(fine, interval)]
            source = max(usable, key=INTERVALS_MS.__getitem__, default=None)
            self._resampled[key] = None if source is None else resample(stored[source], interval)
        return self._resampled[key]

    def range_ms(self) -> tuple[int, int]:
        """Return when the traded candles start and when the last of them ends (exclusive)."""
        traded = [
            series
            for (kind, _), stored in self._stored.items()
            for series in stored.values()
            if kind is not Kind.MARK
        ]
        return min(int(s.open_ms[0]) for s in traded), max(s.end_ms for s in traded)

    def _add_candles(
        self, path: Path, match: "re.Match[str]", kind: Kind, least_ms: int, shift_ms: int
    ) -> None:
        """Add one candle file; files of unknown or too fine timeframes and empty files are passed over."""
        timeframe = match["tf"]
        if INTERVALS_MS.get(timeframe, -1) < least_ms:
            return
        at_ms, ohlcv = _read(path, _CANDLE_COLUMNS)
        if not len(at_ms):
            return
        name = match["base"] + match["quote"]
        self._stored.setdefault((kind, name), {})[timeframe] = Series(timeframe, at_ms + shift_ms, ohlcv)
        if kind is not Kind.MARK:
            venue = Venue.SPOT if kind is Kind.SPOT else Venue.PERP
            self.instruments[venue, name] = instrument(venue, match["base"], match["quote"])

    def _add_settlements(self, path: Path, name: str, shift_ms: int) -> None:
        at_ms, rates = _read(path, ("funding_rate",))
        self.settlements_by_name[name] = Settlements(at_ms + shift_ms, rates[:, 0])


def _read(path: Path, columns: tuple[str, ...]) -> tuple[Millis, Floats]:
    """Return (dates in ms, columns); ascending and unique; DataError for a file that cannot be used."""
    try:
        frame = pd.read_feather(path, columns=["date", *columns])
        dates = pd.DatetimeIndex(pd.to_datetime(frame["date"], utc=True)).tz_localize(None)
        at_ms = dates.to_numpy().astype("datetime64[ms]").astype(np.int64)
        values = frame[list(columns)].to_numpy(dtype=np.float64)
    except Exception as error:  # pyarrow raises many kinds for a damaged file
        raise DataError(
            f"{path} is not a usable feather file of freqtrade ({type(error).__name__}): download it again"
        ) from error
    order = np.argsort(at_ms, kind="stable")
    kept = order[np.flatnonzero(np.diff(at_ms[order], append=np.iinfo(np.int64).max))]
    return at_ms[kept], values[kept]

"""Recorded markets on disk, in freqtrade's layout, read as they are: nothing filled, nothing guessed.

    DATADIR/BTC_USDT-1h.feather                          spot candles
    DATADIR/futures/BTC_USDT_USDT-1h-futures.feather     perp candles
    DATADIR/futures/BTC_USDT_USDT-1h-mark.feather        mark price candles
    DATADIR/futures/BTC_USDT_USDT-1h-funding_rate.feather  one row per settlement: date, funding_rate
    DATADIR/futures/BTC_USDT_USDT-1h-open_interest.feather  optional: date, open_interest_amount

freqtrade's own loader fills missing candles with flat rows of volume 0. This one does not: a missing
candle is absent, and a spot candle of volume 0 counts as "not traded".
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from carry.errors import DataError, UsageError

FUNDING_TIMEFRAME = "1h"
MARK_TIMEFRAME = "1h"
OPEN_INTEREST_TIMEFRAME = "1h"
CANDLE_COLUMNS = ("date", "open", "high", "low", "close", "volume")
FUNDING_COLUMNS = ("date", "funding_rate")
OPEN_INTEREST_COLUMNS = ("date", "open_interest_amount")
_KINDS = ("spot", "futures", "mark", "funding_rate", "open_interest")


def timeframe_delta(timeframe: str) -> pd.Timedelta:
    """Return the length of a timeframe such as "5m", "1h" or "1d"; UsageError for anything else."""
    minutes = {"m": 1, "h": 60, "d": 1440}.get(timeframe[-1:])
    if minutes is None or not timeframe[:-1].isdigit() or int(timeframe[:-1]) == 0:
        raise UsageError(f"timeframe {timeframe!r} is not known: give one such as 5m, 15m, 1h")
    return pd.Timedelta(minutes=int(timeframe[:-1]) * minutes)


def spot_symbol(pair: str) -> str:
    """Return the spot market that hedges a perp: "BTC/USDT:USDT" -> "BTC/USDT"."""
    return pair.split(":", maxsplit=1)[0]


def candle_path(datadir: Path, pair: str, timeframe: str, kind: str) -> Path:
    """Return the file of one candle series.

    `pair` is the perp's ("BTC/USDT:USDT"); `kind` is spot, futures, mark or funding_rate.
    """
    if kind not in _KINDS:
        raise UsageError(f"candle kind {kind!r} is not known: give one of {', '.join(_KINDS)}")
    if kind == "spot":
        return datadir / f"{_file_name(spot_symbol(pair))}-{timeframe}.feather"
    return datadir / "futures" / f"{_file_name(pair)}-{timeframe}-{kind}.feather"


def _file_name(pair: str) -> str:
    return pair.replace("/", "_").replace(":", "_").replace(" ", "_").replace(".", "_")


def read_candles(path: Path, columns: tuple[str, ...] = CANDLE_COLUMNS) -> pd.DataFrame:
    """Read one feather file: `columns` in that order, `date` aware UTC (ns), ascending, unique.

    Raises DataError, in one line, when the file is absent, unreadable or lacks a column.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing: download it with `carry download` or give another --datadir")
    try:
        frame = pd.read_feather(path)
    except Exception as error:  # pyarrow raises many kinds for a damaged file
        raise DataError(
            f"{path} is not a readable feather file ({type(error).__name__}): delete it and download it again"
        ) from error
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        raise DataError(f"{path} lacks column {absent[0]}: it is not a {columns[-1]} file of freqtrade")
    frame = frame.loc[:, list(columns)]
    try:
        frame["date"] = pd.to_datetime(frame["date"], utc=True).astype("datetime64[ns, UTC]")
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} has dates that cannot be read: delete it and download it again") from error
    if not frame["date"].is_monotonic_increasing or not frame["date"].is_unique:
        frame = frame.drop_duplicates("date", keep="last").sort_values("date")
    return frame.reset_index(drop=True)


def read_funding(datadir: Path, pair: str) -> pd.DataFrame:
    """Read the settlements of a perp: columns date (as recorded, jitter and all), funding_rate.

    `funding_rate` is a fraction per interval, positive = longs pay shorts.
    """
    return read_candles(candle_path(datadir, pair, FUNDING_TIMEFRAME, "funding_rate"), FUNDING_COLUMNS)


def settle_stamps(dates: "pd.Series[pd.Timestamp]") -> "pd.Series[pd.Timestamp]":
    """Round recorded settlement stamps to the full minute: exchanges stamp them 0-31 ms late."""
    return dates.dt.round("min")


@dataclass(frozen=True, slots=True)
class Market:
    """One pair's recorded market. Frames as `read_candles` returns them; `mark` and `funding` at 1h."""

    pair: str
    timeframe: str
    perp: pd.DataFrame
    spot: pd.DataFrame
    mark: pd.DataFrame
    funding: pd.DataFrame


def load_market(datadir: Path, pair: str, timeframe: str) -> Market:
    """Load the four series of a pair; DataError names the first file that is absent or damaged."""
    return Market(
        pair=pair,
        timeframe=timeframe,
        perp=read_candles(candle_path(datadir, pair, timeframe, "futures")),
        spot=read_candles(candle_path(datadir, pair, timeframe, "spot")),
        mark=read_candles(candle_path(datadir, pair, MARK_TIMEFRAME, "mark")),
        funding=read_funding(datadir, pair),
    )

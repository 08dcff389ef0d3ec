"""Small random markets in freqtrade's layout: outages, jittered stamps, interval changes, ugly prices."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

PAIR = "BTC/USDT:USDT"
START = pd.Timestamp("2024-01-01", tz="UTC")


@dataclass(frozen=True, slots=True)
class RandomMarket:
    """The frames that were written, for naive recomputation."""

    perp: pd.DataFrame
    spot: pd.DataFrame
    mark: pd.DataFrame
    funding: pd.DataFrame


def rows(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    """Return a frame's rows as dictionaries, for recomputation in plain Python."""
    return frame.to_dict("records")


def epoch_ms(when: Any) -> int:
    """Return a timestamp in milliseconds since the epoch."""
    return int(when.timestamp() * 1000 + 0.5)


def _candles(dates: pd.DatetimeIndex, close: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    opened = np.concatenate(([close[0]], close[:-1])) * (1 + rng.normal(0, 1e-4, len(close)))
    wick = np.abs(rng.normal(0, 2e-3, (2, len(close))))
    frame = pd.DataFrame({"date": dates, "open": opened.round(2)})
    frame["high"] = (np.maximum(opened, close) * (1 + wick[0])).round(2)
    frame["low"] = (np.minimum(opened, close) * (1 - wick[1])).round(2)
    frame["close"] = close.round(2)
    frame["high"] = frame[["open", "high", "low", "close"]].max(axis=1)
    frame["low"] = frame[["open", "high", "low", "close"]].min(axis=1)
    frame["volume"] = 1000.0
    return frame


def random_market(seed: int, *, hours: int = 240, outages: bool = True, drift: float = 0.0) -> RandomMarket:
    """Make one pair's frames; funding every 8 h, from the middle on every 4 h, stamped up to 31 ms late."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range(START, periods=hours, freq="h")
    spot_px = 20_000 * np.exp(np.cumsum(rng.normal(drift, 0.006, hours)))
    spot = _candles(dates, spot_px, rng)
    perp = _candles(dates, spot_px * (1 + rng.normal(2e-4, 1e-3, hours)), rng)
    mark = _candles(dates, spot_px * (1 + rng.normal(0, 2e-4, hours)), rng).assign(volume=0.0)
    if outages:
        first = int(rng.integers(120, hours - 20))
        spot = spot.drop(index=range(first, first + 2)).reset_index(drop=True)
        spot.loc[int(rng.integers(100, len(spot) - 10)), "volume"] = 0.0
    middle = dates[hours // 2].floor("8h")
    stamps = [when for when in dates if when.hour % (8 if when <= middle else 4) == 0]
    late = pd.to_timedelta(rng.integers(0, 32, len(stamps)), unit="ms")
    funding = pd.DataFrame({"date": pd.DatetimeIndex(stamps) + late})
    funding["funding_rate"] = rng.normal(1e-4, 3e-4, len(stamps)).round(8)
    return RandomMarket(perp, spot, mark, funding)


def write_market(datadir: Path, market: RandomMarket, pair: str = PAIR, timeframe: str = "1h") -> None:
    """Write the frames where freqtrade looks for them."""
    name = pair.replace("/", "_").replace(":", "_")
    futures = datadir / "futures"
    futures.mkdir(parents=True, exist_ok=True)
    spot_name = pair.split(":", maxsplit=1)[0].replace("/", "_")
    market.spot.to_feather(datadir / f"{spot_name}-{timeframe}.feather")
    market.perp.to_feather(futures / f"{name}-{timeframe}-futures.feather")
    market.mark.to_feather(futures / f"{name}-1h-mark.feather")
    market.funding.to_feather(futures / f"{name}-1h-funding_rate.feather")

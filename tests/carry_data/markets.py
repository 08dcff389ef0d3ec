"""Small synthetic markets for the data tests: whole ones, and ones with every kind of hole."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from carry.market import candle_path, timeframe_delta

PAIR = "BTC/USDT:USDT"
START = pd.Timestamp("2024-03-01", tz="UTC")


@dataclass(frozen=True)
class Frames:
    """The four series of one pair."""

    perp: pd.DataFrame
    spot: pd.DataFrame
    mark: pd.DataFrame
    funding: pd.DataFrame
    timeframe: str = "1h"

    def write(self, datadir: Path) -> Path:
        """Write the market in freqtrade's layout and return the folder."""
        (datadir / "futures").mkdir(parents=True, exist_ok=True)
        for kind, frame in (("futures", self.perp), ("spot", self.spot)):
            frame.to_feather(candle_path(datadir, PAIR, self.timeframe, kind))
        self.mark.to_feather(candle_path(datadir, PAIR, "1h", "mark"))
        self.funding.to_feather(candle_path(datadir, PAIR, "1h", "funding_rate"))
        return datadir


def candles(dates: pd.DatetimeIndex, close: np.ndarray) -> pd.DataFrame:
    """Return candles around `close`."""
    columns = {"date": dates, "open": close, "high": close * 1.001, "low": close * 0.999, "close": close}
    return pd.DataFrame(columns | {"volume": 5.0})


def market(hours: int = 240, timeframe: str = "1h", interval_h: int = 8) -> Frames:
    """Return a market without a defect."""
    dates = pd.date_range(START, START + pd.Timedelta(hours, unit="h"), freq=timeframe_delta(timeframe))[:-1]
    price = 100.0 + np.sin(np.arange(len(dates)) / 7.0)
    hourly = pd.date_range(START, periods=hours, freq="h")
    settled = hourly[::interval_h]
    rates = 1e-4 * np.cos(np.arange(len(settled)))
    return Frames(
        perp=candles(dates, price * (1 + 5e-4 * np.cos(np.arange(len(dates)) / 3.0))),
        spot=candles(dates, price),
        mark=candles(hourly, np.full(hours, 100.0)),
        funding=pd.DataFrame({"date": settled, "funding_rate": rates}),
        timeframe=timeframe,
    )


def holed_market(seed: int, timeframe: str, intervals: list[tuple[int, int]], holes: float) -> Frames:
    """Return a random market: `intervals` = (hours, settlements) in a row, a share `holes` of all missing.

    Spot candles are absent or without volume, alone and in outages; perp candles too; settlements are
    absent or without rate; stamps lie -5 to 31 ms off.
    """
    rng = np.random.default_rng(seed)
    steps = np.concatenate([np.full(count, hours) for hours, count in intervals])
    settled = START + pd.to_timedelta(np.concatenate(([0], np.cumsum(steps)))[:-1], unit="h")
    whole = market(int(steps.sum()), timeframe)
    rows = len(whole.perp)
    rates = np.where(rng.random(len(settled)) < 0.1, 0.0, rng.normal(5e-5, 1e-4, len(settled)))
    rates[rng.random(len(settled)) < holes / 2] = np.nan
    jitter = rng.choice([-5, 0, 0, 0, 1, 17, 31], len(settled))
    funding = pd.DataFrame({"date": settled + pd.to_timedelta(jitter, unit="ms"), "funding_rate": rates})
    spread = rng.normal(3.0, 4.0, rows) * 1e-4
    price = 100.0 * np.exp(np.cumsum(rng.normal(0, 3e-3, rows)))
    perp = whole.perp.assign(close=price * (1 + spread))
    spot = whole.spot.assign(close=price)
    perp.loc[rng.random(rows) < holes / 2, "volume"] = 0.0
    spot.loc[rng.random(rows) < holes / 2, "volume"] = 0.0
    begin = int(rng.integers(0, rows))
    outage = (np.arange(rows) >= begin) & (np.arange(rows) < begin + rows * holes / 2)
    return replace(
        whole,
        perp=_keep(perp, rng.random(rows) >= holes / 2),
        spot=_keep(spot, (rng.random(rows) >= holes / 2) & ~outage),
        funding=_keep(funding, rng.random(len(funding)) >= holes),
    )


def _keep(frame: pd.DataFrame, kept: np.ndarray) -> pd.DataFrame:
    return frame.loc[kept].reset_index(drop=True)

"""From a simulated path to candles and settlements in freqtrade's columns.

A candle opens at the previous close plus at most a tick or so of gap, as recorded ones do. High and low are
the extremes of the Brownian bridge between open and close, drawn exactly: for a bridge from a to b with
variance v and U uniform, max = (a + b + sqrt((b - a)^2 - 2 v ln U)) / 2 (Karatzas & Shreve, section 2.8),
and the minimum mirrored. Coarser timeframes are aggregated from the 5-minute candles only, so all of them
agree exactly.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from paper_exchange.funding import SETTLEMENT_HOURS, funding_rates
from paper_exchange.sample_model import (
    BPS,
    BURN_IN_STEPS,
    STEP_MINUTES,
    STEPS_PER_HOUR,
    CoinModel,
    CoinPath,
    Floats,
    ornstein_uhlenbeck,
)

CANDLE_COLUMNS = ("date", "open", "high", "low", "close", "volume")
_MARK_TICK = 1e-6
_QTY_DECIMALS = 3
# Recorded 5-minute ranges are about 0.85 of what Brownian motion of the same close-to-close variance has.
_RANGE_SHARE = 0.85
_GAP_BPS = 0.15


@dataclass(frozen=True, slots=True)
class CoinMarket:
    """One coin's sample market. `spot`, `perp`, `mark`: 5-minute candles; `funding`: date, funding_rate."""

    spot: pd.DataFrame
    perp: pd.DataFrame
    mark: pd.DataFrame
    funding: pd.DataFrame


def build_market(model: CoinModel, path: CoinPath, start: datetime, rng: np.random.Generator) -> CoinMarket:
    """Turn a path that starts `BURN_IN_STEPS` before `start` into the coin's candles and settlements."""
    uniform = rng.random((2, len(path.vol) - BURN_IN_STEPS))
    volumes = _volumes(path, rng)
    mark_px = path.spot_px * (1.0 + path.premium_bps * BPS)
    spot_volumes = _round_qty(model.spot_hourly_qty * volumes)
    perp_volumes = _round_qty(model.perp_hourly_qty * volumes)
    spread = _Spread(start, path.vol, uniform)
    return CoinMarket(
        spot=spread.candles(_with_gaps(path.spot_px, rng), path.spot_px, model.spot_tick, spot_volumes),
        perp=spread.candles(_with_gaps(path.perp_px, rng), path.perp_px, model.perp_tick, perp_volumes),
        mark=spread.candles(mark_px, mark_px, _MARK_TICK, np.zeros_like(volumes)),
        funding=_settlements(model, path, start),
    )


def resample_candles(candles: pd.DataFrame, factor: int) -> pd.DataFrame:
    """Aggregate each `factor` consecutive candles into one; the frame's length must be a multiple of it."""
    columns = {name: candles[name].to_numpy().reshape(-1, factor) for name in CANDLE_COLUMNS[1:]}
    return pd.DataFrame(
        {
            "date": candles["date"].iloc[::factor].reset_index(drop=True),
            "open": columns["open"][:, 0],
            "high": columns["high"].max(axis=1),
            "low": columns["low"].min(axis=1),
            "close": columns["close"][:, -1],
            "volume": np.round(columns["volume"].sum(axis=1), _QTY_DECIMALS),
        }
    )


def round_to_tick(px: Floats, tick: float) -> Floats:
    """Round prices to multiples of `tick` (at least one tick), without binary dust in the decimals."""
    decimals = max(0, round(-np.log10(tick)))
    return np.asarray(np.round(np.maximum(np.round(px / tick), 1.0) * tick, decimals), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Spread:
    """What the candles of one coin share: dates, volatility and the draws of high and low.

    Spot, perp and mark use the same draws, so that their extremes move together as in one market.
    """

    start: datetime
    vol: Floats
    uniform: NDArray[np.float64]  # shape (2, steps): for the highs, for the lows

    def candles(self, opens_px: Floats, closes_px: Floats, tick: float, volumes: Floats) -> pd.DataFrame:
        """Return 5-minute candles; a step opens at the previous step's `opens_px` and ends at `closes_px`."""
        opens, closes = opens_px[BURN_IN_STEPS - 1 : -1], closes_px[BURN_IN_STEPS:]
        log_open, log_close = np.log(opens), np.log(closes)
        variance = (_RANGE_SHARE * self.vol[BURN_IN_STEPS:]) ** 2
        reach = np.sqrt((log_close - log_open) ** 2 - 2.0 * variance * np.log1p(-self.uniform))
        middle = (log_open + log_close) / 2.0
        return pd.DataFrame(
            {
                "date": _dates(self.start, len(closes), f"{STEP_MINUTES}min"),
                "open": round_to_tick(opens, tick),
                "high": round_to_tick(np.exp(middle + reach[0] / 2.0), tick),
                "low": round_to_tick(np.exp(middle - reach[1] / 2.0), tick),
                "close": round_to_tick(closes, tick),
                "volume": volumes,
            }
        )


def _with_gaps(px: Floats, rng: np.random.Generator) -> Floats:
    return px * (1.0 + _GAP_BPS * BPS * rng.standard_normal(len(px)))


def _volumes(path: CoinPath, rng: np.random.Generator) -> Floats:
    """Return traded volume per step as a share of the coin's median hour: more when volatile or moving."""
    steps = len(path.vol) - BURN_IN_STEPS
    vol = path.vol[BURN_IN_STEPS:]
    moves = np.abs(np.diff(np.log(path.spot_px[BURN_IN_STEPS - 1 :]))) / vol
    activity = ornstein_uhlenbeck(rng.standard_normal(steps), 6.0, 0.6) + 0.4 * rng.standard_normal(steps)
    log_level = 0.9 * np.log(vol / np.median(vol)) + activity
    return np.asarray(np.exp(log_level) * (0.5 + moves) / (1.3 * STEPS_PER_HOUR), dtype=np.float64)


def _round_qty(qty: Floats) -> Floats:
    least = 10.0**-_QTY_DECIMALS
    return np.asarray(np.round(np.maximum(qty, least), _QTY_DECIMALS), dtype=np.float64)


def _settlements(model: CoinModel, path: CoinPath, start: datetime) -> pd.DataFrame:
    """Return the settlements at 00/08/16 UTC from `start` on; the first uses the burn-in's premiums."""
    steps = len(path.vol) - BURN_IN_STEPS
    window = SETTLEMENT_HOURS * STEPS_PER_HOUR
    first = -(start.hour % -SETTLEMENT_HOURS) * STEPS_PER_HOUR
    ends = np.arange(first, steps, window)
    samples = BURN_IN_STEPS + ends[:, None] + np.arange(-window, 0)[None, :]
    first_at = start + timedelta(minutes=first * STEP_MINUTES)
    return pd.DataFrame(
        {
            "date": _dates(first_at, len(ends), f"{SETTLEMENT_HOURS}h"),
            "funding_rate": funding_rates(path.premium_bps[samples] * BPS, model.cap_rate),
        }
    )


def _dates(start: datetime, count: int, step: str) -> "pd.Series[pd.Timestamp]":
    dates = pd.Series(pd.date_range(start, periods=count, freq=step, tz="UTC"))
    return dates.astype("datetime64[ms, UTC]")

"""The regime definition that is traded: every value of a settlement is known when it settles.

What differs from the published one (REFERENCES 2, traps a, b, c, d and h): kappa is of the trailing 30 days
and fitted with an intercept, the basis window ends at the settlement, windows are spans of time and not
counts of rows, and the basis "at" a settlement is the close of the candle that has closed by then.

    window of settlement s     what is in it
    (s - 720 h, s]             hourly closes of the basis: kappa, Var(b), T, beta
    (s - 720 h, s]             settlements of the entropy rate
    (s - 1440 h, s]            settlements of je_health
    [s - 2880 h, s)            earlier betas (z-score) and earlier values (percentiles)

So a value depends on the 1440 h of market before it, and a regime on the last `HISTORY_H` hours. Rates are
taken per 8 hours (F x 8 / interval), so that W and dF compare across a change of the funding interval. A
missing hour or settlement is left out; a window with too little in it gives NaN. Everything but je_health is
linear in rows: window moments on an hourly grid, cut at absolute places, and rolling order statistics.
"""

from typing import Final

import numpy as np
import pandas as pd

from carry.errors import UsageError
from carry.features import HOUR_NS, Settlements, ascending_ns, settlements, traded_close
from carry.market import timeframe_delta
from carry.moments import Floats, Ints, window_moments
from carry.regime import (
    CYCLE_COLUMNS,
    CYCLE_H,
    FAIR_ENTROPY,
    LOW_ENTROPY,
    POOR_JE,
    Texts,
    classify,
    decay_rate,
    je_deviation,
    lagged_moments,
)

RELAXATION_H, ENTROPY_H, JE_H, PERCENTILE_H = 720, 720, 1440, 2880
HISTORY_H: Final = max(RELAXATION_H, ENTROPY_H, JE_H) + PERCENTILE_H  # of market that decide a regime
ENOUGH: Final = 0.9  # of a window's hours, or of its settlements if they were 8 h apart
MIN_VALUES: Final = 90  # earlier betas, entropies and je_health values, before they rank a new one
BASIS_AGE_H: Final = 8  # how old the basis at a settlement may be
PERCENTILE_COLUMNS = ("entropy_p10", "entropy_p40", "je_p90")
CAUSAL_COLUMNS = (*CYCLE_COLUMNS, *PERCENTILE_COLUMNS)


def causal_cycles(
    perp: pd.DataFrame, spot: pd.DataFrame, funding: pd.DataFrame, timeframe: str
) -> pd.DataFrame:
    """Compute what is known at each settlement: columns `CAUSAL_COLUMNS`, one row per settlement.

    Frames as `carry.market` reads them, gaps and all. `start_time` is the settlement (stamp rounded to the
    minute). Basis in percent; `basis_start` at the settlement; `basis_mean`, `basis_end` of the cycle that
    has just ended there, so basis_end is basis_start. `funding_rate` as settled, `work` = -F8 b,
    `delta_free_energy` = -F8^2 / (2 kappa) with F8 the rate per 8 h; `relaxation_ratio` = (1 / kappa) / 8 h;
    raw_kappa per hour; `entropy_p10`, `entropy_p40`, `je_p90` the percentiles of earlier values that the
    regime was judged by. NaN (regime "") where a window holds too little. Row i changes with nothing that
    happens after its start_time. UsageError for a timeframe that does not divide 4 h, DataError for unsorted
    frames.
    """
    step = int(timeframe_delta(timeframe) / pd.Timedelta(1, unit="ns"))
    if (4 * HOUR_NS) % step:
        raise UsageError(f"timeframe {timeframe} does not divide 4 h: give 5m, 15m, 1h or 4h")
    known = settlements(funding)
    basis = _BasisGrid(perp, spot, step)
    values = _known_at(known, basis)
    columns = {
        "cycle_index": np.arange(len(known.stamp)),
        "start_time": pd.to_datetime(known.stamp, utc=True),
    }
    return pd.DataFrame(columns | values).loc[:, list(CAUSAL_COLUMNS)]


class _BasisGrid:
    """The basis (percent) on a grid of closes, every hour (or every candle, if those are longer).

    `place` of a time = time // step; `values[place - first]` is the basis of the candle that closed then,
    NaN where either leg was not traded.
    """

    def __init__(self, perp: pd.DataFrame, spot: pd.DataFrame, step: int) -> None:
        self.step = max(step, HOUR_NS)
        perp_closed = ascending_ns(perp["date"], "perp candles") + step
        spot_closed = ascending_ns(spot["date"], "spot candles") + step
        on_grid = perp_closed % self.step == 0
        perp_closed, perp_px = perp_closed[on_grid], traded_close(perp)[on_grid]
        self.first = int(perp_closed[0]) // self.step if len(perp_closed) else 0
        length = int(perp_closed[-1]) // self.step - self.first + 1 if len(perp_closed) else 0
        self.values = np.full(length, np.nan)
        if length and len(spot_closed):
            at = np.minimum(np.searchsorted(spot_closed, perp_closed), len(spot_closed) - 1)
            spot_px = np.where(spot_closed[at] == perp_closed, traded_close(spot)[at], np.nan)
            self.values[perp_closed // self.step - self.first] = (perp_px - spot_px) / spot_px * 100.0

    @property
    def step_h(self) -> float:
        """Return the grid's step in hours."""
        return self.step / HOUR_NS

    def at(self, column: Floats, stamps: Ints) -> Floats:
        """Return `column` (one value per place) at the last place closed by each stamp; NaN outside."""
        place = stamps // self.step - self.first
        inside = (place >= 0) & (place < len(column))
        found = np.full(len(stamps), np.nan)
        found[inside] = column[place[inside]]
        return found

    def last_known(self) -> Floats:
        """Return the last basis at each place, carried forward over at most 8 hours."""
        ahead = int(BASIS_AGE_H / self.step_h) - 1
        filled = pd.Series(self.values)
        return (filled.ffill(limit=ahead) if ahead else filled).to_numpy(dtype=np.float64)


def _known_at(known: Settlements, basis: _BasisGrid) -> dict[str, Floats | Texts]:
    """Return the columns (n,) that are computed, by name."""
    stamp, rate = known.stamp, known.rate_bps * 1e-4
    kappa, beta = _relaxation(basis, stamp)
    gain = 0.5 / kappa
    b_now = basis.at(basis.last_known(), stamp)
    rate_8h = rate * CYCLE_H / (known.judged_ns / HOUR_NS)
    work, square = -rate_8h * b_now, rate_8h**2
    mean_square = _mean_in_time(stamp, np.where(np.isnan(work), np.nan, square), ENTROPY_H)
    entropy = beta * (_mean_in_time(stamp, work, ENTROPY_H) + gain * mean_square)
    je_health = _je_health(stamp, beta, gain, work, square)
    ratio = 1.0 / kappa / CYCLE_H
    zscore = _zscore_of_earlier(stamp, beta)
    low, fair = (_percentile(stamp, entropy, share) for share in (LOW_ENTROPY, FAIR_ENTROPY))
    high = _percentile(stamp, je_health, POOR_JE)
    return {
        "funding_rate": rate,
        "basis_start": b_now,
        "basis_end": b_now,
        "basis_mean": _basis_means(basis, known),
        "work": work,
        "delta_free_energy": -square * gain,
        "relaxation_ratio": ratio,
        "temperature_zscore": zscore,
        "entropy_rate": entropy,
        "je_health": je_health,
        "raw_beta": beta,
        "raw_kappa": kappa,
        "regime": classify(ratio, zscore, entropy, je_health, low, fair, high),
        "entropy_p10": low,
        "entropy_p40": fair,
        "je_p90": high,
    }


def _relaxation(basis: _BasisGrid, stamp: Ints) -> tuple[Floats, Floats]:
    """Return kappa per hour and beta = 1 / (kappa Var) at each settlement."""
    width = int(RELAXATION_H / basis.step_h)
    count, _, phi, _ = lagged_moments(basis.values, width, basis.first)
    _, _, std = window_moments(basis.values, width, basis.first)
    enough = (count >= ENOUGH * (width - 1)) & (std > 0.0)
    kappa = np.where(enough, decay_rate(phi, basis.step_h), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        beta = np.where(enough, 1.0 / (kappa * std**2), np.nan)
    return basis.at(kappa, stamp), basis.at(beta, stamp)


def _in_time(stamp: Ints, values: Floats, width_h: int) -> tuple[Ints, Floats, Floats]:
    """Return `window_moments` of values by settlement on an hourly grid that ends at the last stamp.

    The grid has one more place than hours, so that entry `stamp // hour - first` is the hour *before* the
    settlement's and the next one is its own; of two settlements in an hour the last counts.
    """
    first = int(stamp[0]) // HOUR_NS - 1
    grid = np.full(int(stamp[-1]) // HOUR_NS - first + 1, np.nan)
    grid[stamp // HOUR_NS - first] = values
    return window_moments(grid, width_h, first)


def _mean_in_time(stamp: Ints, values: Floats, width_h: int) -> Floats:
    """Return the mean of the values settled in (s - width_h, s]; NaN where they are too few."""
    if not len(stamp):
        return values
    count, mean, _ = _in_time(stamp, values, width_h)
    place = stamp // HOUR_NS - int(stamp[0]) // HOUR_NS + 1
    return np.where(count[place] >= ENOUGH * width_h / CYCLE_H, mean[place], np.nan)


def _zscore_of_earlier(stamp: Ints, beta: Floats) -> Floats:
    """Return the z-score of each beta in those of [s - 2880 h, s); NaN where they are too few or constant."""
    if not len(stamp):
        return beta
    count, mean, std = _in_time(stamp, beta, PERCENTILE_H)
    before = stamp // HOUR_NS - int(stamp[0]) // HOUR_NS
    told = (count[before] >= MIN_VALUES) & (std[before] > 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(told, (beta - mean[before]) / std[before], np.nan)


def _je_health(stamp: Ints, beta: Floats, gain: Floats, work: Floats, square: Floats) -> Floats:
    """Return je_health over the settlements in (s - 1440 h, s]; NaN where they are too few."""
    told = ~np.isnan(work)
    at = stamp[told]
    start = np.searchsorted(at, stamp - JE_H * HOUR_NS, side="right")
    stop = np.searchsorted(at, stamp, side="right")
    enough = (stop - start >= ENOUGH * JE_H / CYCLE_H) & ~np.isnan(beta)
    health = np.full(len(stamp), np.nan)
    health[enough] = je_deviation(
        beta[enough], gain[enough], work[told], square[told], start[enough], stop[enough]
    )
    return health


def _percentile(stamp: Ints, values: Floats, share: float) -> Floats:
    """Return the percentile (linear) of the values of [s - 2880 h, s); NaN where they are too few."""
    series = pd.Series(values, index=pd.to_datetime(stamp, utc=True))
    rolling = series.rolling(pd.Timedelta(hours=PERCENTILE_H), closed="left", min_periods=MIN_VALUES)
    return rolling.quantile(share).to_numpy(dtype=np.float64)


def _basis_means(basis: _BasisGrid, known: Settlements) -> Floats:
    """Return the mean basis between the settlement before and each one; NaN for the first."""
    means = np.full(len(known.stamp), np.nan)
    if len(means) < 2 or not len(basis.values):
        return means
    told = ~np.isnan(basis.values)
    ended = np.clip(known.stamp // basis.step - basis.first + 1, 0, len(basis.values))
    sums = np.add.reduceat(np.append(np.where(told, basis.values, 0.0), 0.0), ended)
    counts = np.add.reduceat(np.append(told.astype(np.float64), 0.0), ended)
    # reduceat gives one element, not none, for an empty slice
    filled = (np.diff(ended) > 0) & (counts[:-1] > 0)
    means[1:][filled] = sums[:-1][filled] / counts[:-1][filled]
    return means

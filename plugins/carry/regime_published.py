"""The published regime definition, exactly, for study: it looks ahead and must not be traded.

Source: REFERENCES section 2 (paper DOI 10.5281/zenodo.19046564), "exactly as published". Of its traps these
are kept on purpose: kappa in dF is the whole sample's, the basis window of cycle i ends eight hours after
its settlement, windows count 8 rows per cycle, the AR(1) has no intercept, and the basis "at" a settlement is
the close of the candle that opens there. Linear time; no loop over rows.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from carry.errors import DataError
from carry.features import HOUR_NS, ascending_ns, settlements
from carry.moments import Floats, Ints, window_moments
from carry.regime import (
    CYCLE_COLUMNS,
    CYCLE_H,
    EXPONENT_LIMIT,
    FAIR_ENTROPY,
    LOW_ENTROPY,
    POOR_JE,
    Texts,
    classify,
    decay_rate,
    je_deviation,
    lagged_moments,
)

FIRST_CYCLE = 360
ROWS_PER_CYCLE, WINDOW_ROWS = 8, 720
ENTROPY_CYCLES, JE_CYCLES, HISTORY_CYCLES = 90, 180, 360
ENTROPY_LIMIT = 1e4
FEW_BETAS, FEW_VALUES = 10, 11
NO_LOW, NO_FAIR, NO_HIGH = -1e10, 0.0, 1e10  # percentiles of too short a history


@dataclass(frozen=True, slots=True)
class Published:
    """The cycles (columns `CYCLE_COLUMNS`, one row per settlement but the last) and whole-sample figures."""

    cycles: pd.DataFrame
    kappa_per_hour: float
    beta: float
    je_mean_exp: float

    @property
    def tau_relax_h(self) -> float:
        """Return the relaxation time 1 / kappa in hours."""
        return 1.0 / self.kappa_per_hour


def published_cycles(perp: pd.DataFrame, spot: pd.DataFrame, funding: pd.DataFrame) -> Published:
    """Compute the published signals of each cycle from hourly candles and settlements.

    Frames as `carry.market` reads them. Basis columns in percent, rates as fractions per interval,
    raw_kappa per hour; signals are NaN and the regime "" before cycle 360. Raises DataError where there are
    fewer than 361 settlements, or no candle of both legs at or before the first.
    """
    both = perp.loc[:, ["date", "close"]].merge(spot.loc[:, ["date", "close"]], on="date")
    opened = ascending_ns(both["date"], "candles")
    known = settlements(funding)
    stamp, rate = known.stamp, known.rate_bps * 1e-4
    if len(stamp) <= FIRST_CYCLE:
        raise DataError(
            f"{len(stamp)} settlements are too few: the published signals begin after {FIRST_CYCLE}, "
            "give a longer --timerange"
        )
    if not len(opened) or opened[0] > stamp[0]:
        raise DataError("no candle of both legs before the first settlement: give a later --timerange")
    if (opened % HOUR_NS).any():
        raise DataError("the published definition is of hourly candles: give --timeframe 1h")
    spot_px = both["close_y"].to_numpy(dtype=np.float64)
    basis = (both["close_x"].to_numpy(dtype=np.float64) - spot_px) / spot_px * 100.0
    kappa, variance = _whole_sample(basis)
    at = basis[np.searchsorted(opened, stamp, side="right") - 1]
    work, square = -rate[:-1] * at[:-1], rate[:-1] ** 2
    cycles = pd.DataFrame(index=pd.RangeIndex(len(work)), columns=list(CYCLE_COLUMNS))
    cycles["cycle_index"] = np.arange(len(work))
    cycles["start_time"] = pd.to_datetime(stamp[:-1], utc=True)
    cycles["funding_rate"], cycles["basis_start"], cycles["basis_end"] = rate[:-1], at[:-1], at[1:]
    cycles["basis_mean"] = _means_between(basis, np.searchsorted(opened, stamp))
    cycles["work"], cycles["delta_free_energy"] = work, -square / (2.0 * kappa)
    for name, values in _signals(basis, work, square, kappa).items():
        cycles[name] = values
    beta = 1.0 / (kappa * variance)
    exponent = -beta * (work + square / (2.0 * kappa))
    je_mean = float(np.exp(np.clip(exponent, -EXPONENT_LIMIT, EXPONENT_LIMIT)).mean())
    return Published(cycles, kappa, beta, je_mean)


def _whole_sample(basis: Floats) -> tuple[float, float]:
    """Return kappa per hour (rows counted as hours) and the population variance of all rows."""
    phi = float(basis[1:] @ basis[:-1]) / float(basis[:-1] @ basis[:-1])
    return float(decay_rate(np.array([phi]), 1.0)[0]), float(basis.var())


def _means_between(values: Floats, bounds: Ints) -> Floats:
    """Return the mean of values[bounds[i]:bounds[i+1]] (n-1,); NaN where that is empty."""
    count = np.diff(bounds)
    sums = np.add.reduceat(np.append(values, 0.0), bounds)[:-1]
    return np.where(count > 0, sums / np.maximum(count, 1), np.nan)


def _signals(basis: Floats, work: Floats, square: Floats, kappa: float) -> dict[str, Floats | Texts]:
    """Return the signal columns (n,) of the cycles; NaN (regime "") before cycle 360."""
    cycle = np.arange(len(work))
    # the last cycles of a sample that lacks rows share its last window
    last_row = np.minimum(ROWS_PER_CYCLE * (cycle + 1), len(basis)) - 1
    raw_kappa, beta = _relaxation(basis, last_row)
    early = cycle < FIRST_CYCLE
    raw_kappa[early], beta[early] = np.nan, np.nan
    ratio = 1.0 / raw_kappa / CYCLE_H
    terms = work + square / (2.0 * kappa)
    entropy = _entropy(beta, terms)
    gain = np.full(len(work), 1.0 / (2.0 * kappa))
    start = np.maximum(cycle - JE_CYCLES, 0)
    je_health = je_deviation(beta, gain, work, square, start, cycle)
    zscore = _zscore_of_earlier(beta)
    low, fair = (_percentile(entropy, share) for share in (LOW_ENTROPY, FAIR_ENTROPY))
    high = _percentile(je_health, POOR_JE)
    for values, constant in ((low, NO_LOW), (fair, NO_FAIR), (high, NO_HIGH)):
        values[np.isnan(values)] = constant
    return {
        "relaxation_ratio": ratio,
        "temperature_zscore": zscore,
        "entropy_rate": entropy,
        "je_health": je_health,
        "raw_beta": beta,
        "raw_kappa": raw_kappa,
        "regime": classify(ratio, zscore, entropy, je_health, low, fair, high),
    }


def _relaxation(basis: Floats, last_row: Ints) -> tuple[Floats, Floats]:
    """Return kappa per hour and beta = 1 / (kappa Var) of the 720 rows up to each `last_row`."""
    _, raw_phi, _, _ = lagged_moments(basis, WINDOW_ROWS)
    _, _, std = window_moments(basis, WINDOW_ROWS)
    raw_kappa = decay_rate(raw_phi[last_row], 1.0)
    return raw_kappa, 1.0 / (raw_kappa * std[last_row] ** 2)


def _entropy(beta: Floats, terms: Floats) -> Floats:
    """Return the mean of beta x (W - dF), clipped to +-1e4, over the 90 cycles before each one."""
    entropy = np.full(len(terms), np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(terms, ENTROPY_CYCLES)[:-1]
    scaled = beta[ENTROPY_CYCLES:, None] * windows
    entropy[ENTROPY_CYCLES:] = np.clip(scaled, -ENTROPY_LIMIT, ENTROPY_LIMIT).mean(axis=1)
    return entropy


def _zscore_of_earlier(beta: Floats) -> Floats:
    """Return the z-score of each beta in up to 359 earlier ones; 0 while there are fewer than 10."""
    count, mean, std = window_moments(np.concatenate(([np.nan], beta[:-1])), HISTORY_CYCLES - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        zscore = np.where((count >= FEW_BETAS) & (std > 0.0), (beta - mean) / std, 0.0)
    return np.where(np.isnan(beta), np.nan, zscore)


def _percentile(values: Floats, share: float) -> Floats:
    """Return the percentile of up to 360 earlier values; NaN where there are 10 or fewer."""
    rolling = pd.Series(values).shift(1).rolling(HISTORY_CYCLES, min_periods=FEW_VALUES)
    return rolling.quantile(share).to_numpy(dtype=np.float64, copy=True)

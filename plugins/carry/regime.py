"""Regimes of a carry: what both definitions of REFERENCES section 2 share.

The basis b (percent) is read as an Ornstein-Uhlenbeck process. Its relaxation rate kappa (per hour) and its
temperature T = kappa Var(b) say whether the basis comes back within a funding cycle; work W = -F b and free
energy dF = -F^2 / (2 kappa) of the settlements say how funding is dissipated. `carry.regime_published` is
the paper's definition, look-ahead and all, for study; `carry.regime_causal` is the one that is traded.
"""

from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from carry.moments import Floats, Ints, window_moments

CYCLE_H: Final = 8.0  # the published cycle; relaxation is measured in it whatever the venue's interval
PHI_FLOOR: Final = 1e-6  # phi is clipped to (floor, 1 - floor)
EXPONENT_LIMIT: Final = 500.0
SLOW_RATIO, FAST_RATIO = 1.4, 1.05
COLD_ZSCORE: Final = -0.5
LOW_ENTROPY, FAIR_ENTROPY, POOR_JE = 0.10, 0.40, 0.90  # percentiles
CHUNK: Final = 2_000_000  # elements of a two-dimensional window that are held at a time

CYCLE_COLUMNS = (
    "cycle_index",
    "start_time",
    "funding_rate",
    "basis_start",
    "basis_end",
    "basis_mean",
    "work",
    "delta_free_energy",
    "relaxation_ratio",
    "temperature_zscore",
    "entropy_rate",
    "je_health",
    "raw_beta",
    "raw_kappa",
    "regime",
)

Texts = npt.NDArray[np.str_]


class Regime(StrEnum):
    """How the basis behaves, best first."""

    EQUILIBRIUM = "EQUILIBRIUM"
    WARM = "WARM"
    NESS = "NESS"


EXPOSURE: Final[dict[Regime, float]] = {Regime.EQUILIBRIUM: 1.0, Regime.WARM: 0.6, Regime.NESS: 0.25}


def classify(
    ratio: Floats, zscore: Floats, entropy: Floats, je_health: Floats, p10: Floats, p40: Floats, p90: Floats
) -> Texts:
    """Return the regime of each cycle, arrays (n,); "" where an input is NaN.

    `p10`, `p40` are percentiles of earlier entropies, `p90` of earlier je_health.
    """
    # a comparison with NaN is False, so an unknown row would read as WARM if it were not taken out
    known = ~np.isnan(np.column_stack((ratio, zscore, entropy, je_health, p10, p40, p90))).any(axis=1)
    ness = (ratio > SLOW_RATIO) | (entropy < p10) | (je_health > p90)
    equilibrium = (ratio < FAST_RATIO) & (zscore > COLD_ZSCORE) & (entropy > p40)
    named = np.where(ness, Regime.NESS, np.where(equilibrium, Regime.EQUILIBRIUM, Regime.WARM))
    return np.where(known, named, "")


def exposure_of(regimes: Texts) -> Floats:
    """Return the share of the full stake of each regime: 1.0, 0.6, 0.25; NaN where it is unknown."""
    exposure = np.full(len(regimes), np.nan)
    for regime, share in EXPOSURE.items():
        exposure[regimes == regime] = share
    return exposure


def decay_rate(phi: Floats, step_h: float) -> Floats:
    """Return kappa (per hour) of an AR(1) coefficient per `step_h` hours."""
    return -np.log(np.clip(phi, PHI_FLOOR, 1.0 - PHI_FLOOR)) / step_h


def lagged_moments(values: Floats, width: int, offset: int = 0) -> tuple[Ints, Floats, Floats, Floats]:
    """Return pairs, raw phi, centred phi and their common count's std of each trailing window.

    `values` (n,), NaN = missing. The pairs (v[t-1], v[t]) of entry i lie inside values[i-width+1 .. i] and
    have both ends; arrays (n,): their count, sum(xy)/sum(xx), the slope of the least squares line with an
    intercept, and the population std of x. Cross moments come from those of the difference,
    2 E[xy] = E[xx] + E[yy] - E[(x-y)^2], which loses nothing where x and y are close. Linear time.
    """
    before = np.concatenate(([np.nan], values[:-1]))
    both = ~np.isnan(before) & ~np.isnan(values)
    x, y = np.where(both, before, np.nan), np.where(both, values, np.nan)
    # a window of `width` values has one pair less
    moments = [window_moments(each, width - 1, offset) for each in (x, y, x - y)]
    (count, mean_x, std_x), (_, mean_y, std_y), (_, mean_d, std_d) = moments
    var_x, var_y, var_d = std_x**2, std_y**2, std_d**2
    with np.errstate(divide="ignore", invalid="ignore"):
        square_x, square_y = var_x + mean_x**2, var_y + mean_y**2
        raw = 0.5 * (square_x + square_y - var_d - mean_d**2) / square_x
        centred = 0.5 * (var_x + var_y - var_d) / var_x
    return count, raw, centred, std_x


def je_deviation(beta: Floats, gain: Floats, work: Floats, square: Floats, start: Ints, stop: Ints) -> Floats:
    """Return |mean(exp(-beta (W - dF))) - 1| over cycles start..stop-1 of each row; NaN if there are none.

    `beta`, `gain`, `start`, `stop` (n,); `work`, `square` (m,) of the cycles, square = F^2, and
    dF = -gain F^2. The exponent is clipped to +-500. The exponential ties each row's beta to each of its
    cycles, so no running sum exists: rows are taken in chunks, n x (longest window) operations.
    """
    deviation = np.full(len(beta), np.nan)
    longest = int((stop - start).max()) if len(start) else 0
    if longest == 0:
        return deviation
    ahead = np.arange(longest)
    rows = max(CHUNK // longest, 1)
    for first in range(0, len(beta), rows):
        part = slice(first, first + rows)
        cycle = start[part, None] + ahead
        inside = cycle < stop[part, None]
        cycle = np.minimum(cycle, len(work) - 1)
        exponent = -beta[part, None] * (work[cycle] + gain[part, None] * square[cycle])
        terms = np.where(inside, np.expm1(np.clip(exponent, -EXPONENT_LIMIT, EXPONENT_LIMIT)), 0.0)
        # summed in order: `sum` groups by the padded width, which depends on other rows
        total = np.cumsum(terms, axis=1)[:, -1]
        with np.errstate(invalid="ignore"):
            deviation[part] = np.abs(total / inside.sum(axis=1))
    return deviation

"""Confidence intervals for statistics of dependent returns: the stationary bootstrap.

Blocks of geometrically distributed length keep the dependence of neighbouring returns; the series is joined
at its ends. Sources: D. Politis, J. Romano, "The stationary bootstrap", JASA 89 (1994); block length by
D. Politis, H. White, Econometric Reviews 23 (2004), corrected in A. Patton, D. Politis, H. White, 28 (2009).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from carry.errors import UsageError
from carry.tape import Floats, Ints

MINIMUM_OBSERVATIONS = 10


@dataclass(frozen=True, slots=True)
class Interval:
    """A two-sided percentile interval; `level` such as 0.95; `block` the mean block length used, rows."""

    estimate: float
    low: float
    high: float
    level: float
    block: float


def block_length(returns: Floats) -> float:
    """Return the mean block length that minimizes the error of the mean's variance; >= 1, rows.

    `returns` shape (n,). Flat-top lag window; the cut-off is the first lag after which autocorrelations stay
    below 2 sqrt(log10(n) / n) for max(5, sqrt(log10 n)) lags. At most 3 sqrt(n) and n / 3.
    """
    size = returns.size
    centred = returns - returns.mean()
    most = math.ceil(min(3.0 * math.sqrt(size), size / 3.0))
    quiet = max(5, math.ceil(math.sqrt(math.log10(size))))
    lags = min(math.ceil(math.sqrt(size)) + quiet, size - 1)
    covariance = np.array([float(centred[lag:] @ centred[: size - lag]) / size for lag in range(lags + 1)])
    if covariance[0] <= 0.0:
        return 1.0
    small = np.abs(covariance[1:] / covariance[0]) < 2.0 * math.sqrt(math.log10(size) / size)
    runs = [lag for lag in range(len(small) - quiet + 1) if small[lag : lag + quiet].all()]
    cut = runs[0] if runs else int(np.flatnonzero(~small).max(initial=0)) + 1
    lag = np.arange(1, min(2 * max(cut, 1), lags) + 1)
    weight = np.clip(2.0 * (1.0 - lag / (2.0 * max(cut, 1))), 0.0, 1.0)
    spectrum = covariance[0] + 2.0 * float(weight @ covariance[lag])
    slope = 2.0 * float((weight * lag) @ covariance[lag])
    if spectrum <= 0.0:
        return 1.0
    best = (size * slope**2 / spectrum**2) ** (1.0 / 3.0)  # (2 G^2 / D)^(1/3) n^(1/3), D = 2 g(0)^2
    return float(min(max(best, 1.0), most))


def resample_rows(size: int, draws: int, block: float, rng: np.random.Generator) -> Ints:
    """Return rows of `draws` resampled series, shape (draws, size), each in [0, size)."""
    fresh = rng.random((draws, size)) < 1.0 / block
    fresh[:, 0] = True
    starts = rng.integers(0, size, (draws, size))
    began = np.maximum.accumulate(np.where(fresh, np.arange(size), 0), axis=1)
    rows: Ints = (np.take_along_axis(starts, began, axis=1) + np.arange(size) - began) % size
    return rows


def bootstrap_interval(
    returns: Floats,
    statistic: Callable[[Floats], Floats],
    seed: int,
    *,
    draws: int = 2000,
    level: float = 0.95,
) -> Interval | None:
    """Return a percentile interval of `statistic`, or None below 10 observations or without variance.

    `statistic` maps returns of shape (k, n) to shape (k,); draws where it is not finite are left out.
    Same seed, same interval. Raises UsageError for NaN in `returns` or a level outside (0, 1).
    """
    if not np.isfinite(returns).all():
        raise UsageError("returns hold a value that is not a number: leave such rows out first")
    if not 0.0 < level < 1.0 or draws < 1:
        raise UsageError(f"level {level}, {draws} draws: give a level between 0 and 1, one draw or more")
    if returns.size < MINIMUM_OBSERVATIONS or float(np.ptp(returns)) == 0.0:
        return None
    block = block_length(returns)
    rows = resample_rows(returns.size, draws, block, np.random.default_rng(seed))
    values = statistic(returns[rows])
    values = values[np.isfinite(values)]
    if values.size == 0:
        return None
    low, high = np.quantile(values, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(float(statistic(returns[None, :])[0]), float(low), float(high), level, block)

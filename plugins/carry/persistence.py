"""How much of today's funding is still there tomorrow: a causal forecast of the rate over a holding time.

Settlements of any interval are added up to cycles of 8 h, so that a pair that settles every hour, one that
settles every eight and one that has just changed are compared in the same unit. With `d` the funding of a
cycle in bps per day, over at most the last 360 cycles:

    level     e = exponential mean of d with span s: weights (1 - 2/(s + 1))^age     what is paid now
    mean      m = plain mean of d                                                    what is paid in general
    phi       (c(21) / c(3))^(1/18), c(k) = autocovariance of d at a distance of k cycles
    forecast  m + (e - m) x phi (1 - phi^H) / (H (1 - phi))           mean rate over the next H cycles

The forecast is that of an AR(1) around `m`: a deviation of `e - m` today is expected to be `phi^j` of itself
after j cycles, and the last factor is the mean of `phi^1 .. phi^H`. A single settlement is mostly noise on
top of the slow part; noise lowers the correlation of neighbours, and phi taken from it (Yule-Walker) would
forget everything within two days. Noise cancels in the ratio of two autocovariances; one day and one week
apart, both are also free of the pattern that funding has within a day. Where the ratio says nothing (no
covariance after a day) nothing persists, and the long-run mean is the forecast. 360 cycles cannot tell a
half-life of more than a quarter of themselves: phi is capped there.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from carry.features import HOUR_NS, MIN_SETTLEMENTS, MOMENT_SETTLEMENTS, settlements
from carry.moments import Floats, Ints, window_moments

CYCLE_H = 8
CYCLE_NS = CYCLE_H * HOUR_NS
CYCLES_A_DAY = 24 // CYCLE_H
WINDOW = MOMENT_SETTLEMENTS
MIN_CYCLES = MIN_SETTLEMENTS
FRESH_CYCLES = 2
_NEAR, _FAR = CYCLES_A_DAY, 7 * CYCLES_A_DAY
_MOST_PHI = 0.5 ** (4.0 / WINDOW)


@dataclass(frozen=True, slots=True)
class Cycles:
    """The funding of one pair by cycles of 8 h: cycle `first + i` ends at that many times 8 h since 1970.

    `daily_bps` (m,): bps per day, positive = a short receives it; NaN where a settlement is missing.
    """

    first: int
    daily_bps: Floats


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is expected of each cycle's successors, as known at its end. Arrays (m,), NaN while unknown.

    `level_bps`, `mean_bps`: bps per day; `phi` in [0, 1) per cycle; `known`: bool, at least 90 cycles of
    the last 360 are there, and one of the last two.
    """

    level_bps: Floats
    mean_bps: Floats
    phi: Floats
    known: "np.ndarray[tuple[int], np.dtype[np.bool_]]"


def funding_cycles(funding: pd.DataFrame) -> Cycles:
    """Add up settlements (date, funding_rate: as `carry.features` takes them) to cycles of 8 h.

    A settlement belongs to the cycle in which its interval ends. A cycle counts only if the intervals of
    its settlements make 8 h: after a missing settlement, and at the first one, they are not known.
    """
    settled = settlements(funding)
    if not len(settled.stamp):
        return Cycles(0, np.empty(0))
    cycle = -(-settled.stamp // CYCLE_NS)
    first = int(cycle[0])
    place = cycle - first
    paid = np.bincount(place, weights=settled.rate_bps)
    hours = np.bincount(place, weights=settled.interval_h)
    return Cycles(first, np.where(hours == CYCLE_H, paid * CYCLES_A_DAY, np.nan))


def funding_outlook(cycles: Cycles, span: float) -> Outlook:
    """Return what each cycle's end knows of the level, the long-run mean and the persistence.

    `span` in cycles, >= 1. Entry i uses cycles i-359 .. i only, so it is the same however long the history.
    """
    daily = cycles.daily_bps
    count, mean, _ = window_moments(daily, WINDOW, cycles.first)
    valid = ~np.isnan(daily)
    age = np.arange(len(daily)) - np.maximum.accumulate(np.where(valid, np.arange(len(daily)), -WINDOW))
    return Outlook(
        level_bps=_exponential_mean(daily, span),
        mean_bps=mean,
        phi=_phi(cycles),
        known=(count >= MIN_CYCLES) & (age < FRESH_CYCLES),
    )


def expected_daily_bps(outlook: Outlook, horizon: float) -> Floats:
    """Return the forecast (m,) of the mean funding over the next `horizon` cycles, bps per day."""
    phi = outlook.phi
    kept = phi * (1.0 - phi**horizon) / (horizon * (1.0 - phi))
    return outlook.mean_bps + (outlook.level_bps - outlook.mean_bps) * kept


def reaching(cycles: Cycles, closed_ns: int) -> Cycles:
    """Return the cycles up to the last one that ended before `closed_ns`; those without settlements are NaN.

    Without it, a settlement that is missing at the end of the history would make no cycle at all, and an
    older cycle would be taken for the last one.
    """
    absent = _ended(closed_ns) - cycles.first + 1 - len(cycles.daily_bps)
    padding = np.full(max(absent, 0), np.nan)
    return Cycles(cycles.first, np.concatenate((cycles.daily_bps, padding))) if absent > 0 else cycles


def last_ended(cycles: Cycles, closed: Ints) -> Ints:
    """Return for each close (n,), ns since 1970, the row of the last cycle that ended before it; -1: none."""
    return np.maximum(_ended(closed) - cycles.first, -1).astype(np.int64)


def _ended(closed: "Ints | int") -> "Ints | int":
    return -(-closed // CYCLE_NS) - 1


def _exponential_mean(daily: Floats, span: float) -> Floats:
    if not len(daily):
        return daily
    weight = (1.0 - 2.0 / (span + 1.0)) ** np.arange(WINDOW)
    before = np.full(WINDOW - 1, np.nan)  # so that every window is summed in the same order, whatever follows
    padded = np.concatenate((before, daily))
    valid = ~np.isnan(padded)
    total = np.convolve(np.where(valid, padded, 0.0), weight, mode="valid")
    mass = np.convolve(valid.astype(np.float64), weight, mode="valid")
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(mass > 0.0, total / mass, np.nan)


def _phi(cycles: Cycles) -> Floats:
    near, far = (_autocovariance(cycles, lag) for lag in (_NEAR, _FAR))
    persists = (near > 0.0) & (far > 0.0)
    ratio = np.divide(far, near, out=np.zeros_like(far), where=persists)
    phi: Floats = np.minimum(ratio ** (1.0 / (_FAR - _NEAR)), _MOST_PHI)
    return phi


def _autocovariance(cycles: Cycles, lag: int) -> Floats:
    """Return cov(d_i, d_(i-lag)) within the window; 0 where fewer than a short history's pairs are known.

    By var(x + y) - var(x - y) = 4 cov(x, y), so that the windows are summed as safely as all others.
    """
    daily = cycles.daily_bps
    earlier = np.concatenate((np.full(min(lag, len(daily)), np.nan), daily[:-lag]))
    width = WINDOW - lag
    count, _, plus = window_moments(daily + earlier, width, cycles.first)
    _, _, minus = window_moments(daily - earlier, width, cycles.first)
    return np.where(count >= MIN_CYCLES - _FAR, (plus**2 - minus**2) / 4.0, 0.0)

"""How much of a backtest's Sharpe ratio is left once the search that found it is counted.

Sharpe ratios here are per observation (mean / sample standard deviation of the returns, not annualized).
A figure that does not exist - too few observations, no variance - is None, never 0 or infinity.

Sources: D. Bailey, M. Lopez de Prado, "The Sharpe ratio efficient frontier", Journal of Risk 15 (2012)
(probabilistic Sharpe ratio); the same, "The deflated Sharpe ratio", Journal of Portfolio Management 40
(2014); D. Bailey, J. Borwein, M. Lopez de Prado, Q. Zhu, "The probability of backtest overfitting", Journal
of Computational Finance 20 (2017) (CSCV).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

import numpy as np
from scipy import special, stats

from carry.errors import UsageError
from carry.tape import Floats

MINIMUM_OBSERVATIONS = 4  # below, kurtosis says nothing
_CHUNK = 1024  # combinations evaluated at a time: bounds the memory
_ROUNDING = 1e-12  # a spread below this share of the largest value is rounding, not variance


@dataclass(frozen=True, slots=True)
class Moments:
    """Shape of a return series: observations, Sharpe per observation, skewness, kurtosis (normal = 3)."""

    observations: int
    sharpe: float
    skewness: float
    kurtosis: float


@dataclass(frozen=True, slots=True)
class Overfitting:
    """Answer of CSCV. `logits` has shape (combinations,): ln(w / (1 - w)), w the winner's relative rank.

    `pbo` in [0, 1]: share of combinations whose in-sample winner ranks in the lower half out of sample;
    `loss_probability` in [0, 1]: share where the winner's out-of-sample mean is negative.
    """

    pbo: float
    loss_probability: float
    logits: Floats
    blocks: int
    rows_used: int


def moments(returns: Floats) -> Moments | None:
    """Return the moments of `returns`, shape (n,), fractions; None below 4 observations or without variance.

    Skewness and kurtosis are the population moments of the papers. Raises UsageError for NaN.
    """
    _need_finite(returns)
    if returns.size < MINIMUM_OBSERVATIONS:
        return None
    spread = float(returns.std(ddof=1))
    if spread <= _ROUNDING * float(np.abs(returns).max()):
        return None
    mean = float(returns.mean())
    skewness, kurtosis = float(stats.skew(returns)), float(stats.kurtosis(returns, fisher=False))
    return Moments(returns.size, mean / spread, skewness, kurtosis)


def probabilistic_sharpe(observed: Moments | None, benchmark_sharpe: float = 0.0) -> float | None:
    """Return P(true Sharpe > benchmark), in [0, 1]; Bailey & Lopez de Prado 2012, equation 11.

    `benchmark_sharpe` per observation. None without moments, or where they are beyond the approximation
    (its variance is not positive).
    """
    if observed is None:
        return None
    sharpe = observed.sharpe
    variance = 1.0 - observed.skewness * sharpe + (observed.kurtosis - 1.0) / 4.0 * sharpe**2
    if variance <= 0.0:
        return None
    score = (sharpe - benchmark_sharpe) * math.sqrt(observed.observations - 1) / math.sqrt(variance)
    return float(special.ndtr(score))


def expected_maximum_sharpe(variance: float, trials: int) -> float:
    """Return the Sharpe that the best of `trials` worthless trials is expected to show; >= 0.

    `variance` is that of the Sharpe ratios across the trials, per observation; False Strategy Theorem,
    Bailey & Lopez de Prado 2014, equation 1. One trial is no selection: 0.
    """
    if trials < 1 or not 0.0 <= variance < math.inf:
        raise UsageError(f"{trials} trials of variance {variance}: give one trial or more, a variance >= 0")
    if trials == 1:
        return 0.0
    first = special.ndtri(1.0 - 1.0 / trials)
    second = special.ndtri(1.0 - 1.0 / (trials * math.e))
    quantile = (1.0 - np.euler_gamma) * first + np.euler_gamma * second
    return max(float(math.sqrt(variance) * quantile), 0.0)


def deflated_sharpe(observed: Moments | None, trial_sharpes: Floats) -> float | None:
    """Return P(true Sharpe > what the best of the trials shows by luck), in [0, 1].

    `trial_sharpes`, shape (trials,), per observation, of every trial made, the losers included; NaN = a trial
    without a Sharpe ratio: it counts as a trial. Trials that resemble each other count in full, which errs
    towards a lower figure. None as for `probabilistic_sharpe`, or where no two trials have a Sharpe ratio.
    """
    known = trial_sharpes[np.isfinite(trial_sharpes)]
    if known.size < 2:
        return None
    variance = float(known.var(ddof=1))
    return probabilistic_sharpe(observed, expected_maximum_sharpe(variance, trial_sharpes.size))


def sharpe_columns(returns: Floats) -> Floats:
    """Return mean / sample std of each column of `returns`, shape (n, sets); NaN without variance."""
    _need_finite(returns)
    spread = returns.std(axis=0, ddof=1) if returns.shape[0] > 1 else np.zeros(returns.shape[1])
    real = spread > _ROUNDING * np.abs(returns).max(axis=0, initial=0.0)
    sharpe: Floats = np.where(real, returns.mean(axis=0) / np.where(real, spread, 1.0), np.nan)
    return sharpe


def backtest_overfitting(returns: Floats, blocks: int = 16) -> Overfitting | None:
    """Return the probability of backtest overfitting by combinatorially symmetric cross-validation.

    `returns`, shape (n, sets): one column per parameter set tried, all on the same clock, fractions. The rows
    are cut into `blocks` equal stretches (the n mod blocks oldest rows are left out); for each choice of half
    of them the set with the best Sharpe there is ranked by its Sharpe on the other half. A set without
    variance (no trade) never wins in sample and has Sharpe 0 out of sample. Sets that tie for the win share
    the combination, so the order of columns does not matter.

    None with fewer than two sets that ever trade, or fewer than two rows per block. Raises UsageError for an
    odd number of blocks.
    """
    if blocks < 2 or blocks % 2:
        raise UsageError(f"{blocks} blocks: give an even number, 2 or more")
    _need_finite(returns)
    height = returns.shape[0] // blocks
    traded = np.count_nonzero(np.abs(returns).max(axis=0, initial=0.0) > 0.0)
    if height < 2 or traded < 2:
        return None
    kept = returns[returns.shape[0] - height * blocks :]
    stacked = kept.reshape(blocks, height, returns.shape[1])
    sums, squares = stacked.sum(axis=1), np.square(stacked).sum(axis=1)
    rows = height * blocks // 2
    logits: list[float] = []
    below: list[float] = []
    losing: list[float] = []
    for mask in _halves(blocks):
        inside = _sharpe(mask @ sums, mask @ squares, rows)
        outside_sums = (1.0 - mask) @ sums
        outside = np.nan_to_num(_sharpe(outside_sums, (1.0 - mask) @ squares, rows), nan=0.0)
        inside = np.where(np.isnan(inside), -np.inf, inside)
        best = inside.max(axis=1, keepdims=True)
        won = np.where(np.isfinite(best), inside == best, False).astype(np.float64)
        decided = won.sum(axis=1) > 0.0
        won, outside, outside_sums = won[decided], outside[decided], outside_sums[decided]
        ranks = _winner_ranks(outside, won)
        logits += _share(won, ranks).tolist()
        below += _share(won, ranks <= 0.0).tolist()
        losing += _share(won, outside_sums < 0.0).tolist()
    if not logits:
        return None
    return Overfitting(
        float(np.mean(below)), float(np.mean(losing)), np.array(logits), blocks, height * blocks
    )


def _halves(blocks: int) -> Iterator[Floats]:
    """Yield the choices of half of the blocks as 0/1 rows, shape (<= 1024, blocks)."""
    choices = combinations(range(blocks), blocks // 2)
    while chunk := list(islice(choices, _CHUNK)):
        mask = np.zeros((len(chunk), blocks))
        mask[np.arange(len(chunk))[:, None], np.array(chunk)] = 1.0
        yield mask


def _sharpe(sums: Floats, squares: Floats, rows: int) -> Floats:
    """Return Sharpe ratios from sums of returns and of their squares; NaN without variance."""
    mean = sums / rows
    variance = (squares - rows * np.square(mean)) / (rows - 1)
    real = variance > _ROUNDING * squares / rows
    sharpe: Floats = np.where(real, mean / np.sqrt(np.where(real, variance, 1.0)), np.nan)
    return sharpe


def _winner_ranks(outside: Floats, won: Floats) -> Floats:
    """Return ln(w / (1 - w)) where `won`, else 0; w = average rank / (sets + 1) by out-of-sample Sharpe."""
    logits = np.zeros(outside.shape)
    places, columns = np.nonzero(won)
    value = outside[places, columns][:, None]
    rank = (outside[places] < value).sum(axis=1) + ((outside[places] == value).sum(axis=1) + 1.0) / 2.0
    relative = rank / (outside.shape[1] + 1.0)
    logits[places, columns] = np.log(relative / (1.0 - relative))
    return logits


def _share(won: Floats, values: "np.ndarray[tuple[int, int], np.dtype[Any]]") -> Floats:
    """Return the mean of `values` over each row's winners."""
    mean: Floats = (won * values).sum(axis=1) / won.sum(axis=1)
    return mean


def _need_finite(returns: Floats) -> None:
    if not np.isfinite(returns).all():
        raise UsageError("returns hold a value that is not a number: leave such rows out first")

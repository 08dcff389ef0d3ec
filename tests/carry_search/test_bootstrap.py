"""The stationary bootstrap: seeded, honest about dependence and about degenerate input."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carry.bootstrap import block_length, bootstrap_interval, resample_rows
from carry.errors import UsageError
from carry.tape import Floats


def mean(draws: Floats) -> Floats:
    """Return the mean of each row."""
    return np.asarray(draws.mean(axis=1))


def autoregressive(seed: int, phi: float, size: int) -> Floats:
    """Return an AR(1) series of unit innovations."""
    noise = np.random.default_rng(seed).normal(size=size)
    series = np.zeros(size)
    for place in range(1, size):
        series[place] = phi * series[place - 1] + noise[place]
    return series


def naive_block_length(series: Floats) -> float:
    """Politis & White with the 2009 correction, lag by lag, two-sided sums."""
    n = len(series)
    x = series - series.mean()
    quiet = max(5, math.ceil(math.sqrt(math.log10(n))))

    def r(k: int) -> float:
        return float(sum(x[i] * x[i + abs(k)] for i in range(n - abs(k))) / n)

    bound = 2 * math.sqrt(math.log10(n) / n)
    m = next(m for m in range(n) if all(abs(r(m + k) / r(0)) < bound for k in range(1, quiet + 1)))
    big = 2 * max(m, 1)

    def window(t: float) -> float:
        return 1.0 if abs(t) <= 0.5 else max(2 * (1 - abs(t)), 0.0)

    slope = sum(window(k / big) * abs(k) * r(k) for k in range(-big, big + 1))
    spectrum = sum(window(k / big) * r(k) for k in range(-big, big + 1))
    best = ((2 * slope**2) / (2 * spectrum**2)) ** (1 / 3) * n ** (1 / 3)
    return float(min(max(best, 1.0), math.ceil(min(3 * math.sqrt(n), n / 3))))


@pytest.mark.parametrize("phi", [0.0, 0.3, 0.6, -0.4])
def test_block_length_equals_the_naive_recomputation(phi: float) -> None:
    series = autoregressive(4, phi, 300)
    assert block_length(series) == pytest.approx(naive_block_length(series), rel=1e-9)


def test_dependence_lengthens_blocks_and_widens_the_interval() -> None:
    rough, smooth = autoregressive(1, 0.0, 1000), autoregressive(1, 0.8, 1000)
    assert block_length(smooth) > 3 * block_length(rough)
    interval = bootstrap_interval(smooth, mean, seed=1)
    assert interval is not None
    independent = 2 * 1.96 * smooth.std() / math.sqrt(smooth.size)
    assert interval.high - interval.low > 2 * independent


def test_interval_of_independent_returns_is_the_textbook_one() -> None:
    returns = np.random.default_rng(8).normal(0.001, 0.01, 800)
    interval = bootstrap_interval(returns, mean, seed=3, draws=4000)
    assert interval is not None
    half = 1.96 * returns.std() / math.sqrt(returns.size)
    assert interval.estimate == pytest.approx(returns.mean())
    assert interval.low == pytest.approx(returns.mean() - half, abs=0.25 * half)
    assert interval.high == pytest.approx(returns.mean() + half, abs=0.25 * half)


def test_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    returns = autoregressive(2, 0.2, 200)
    assert bootstrap_interval(returns, mean, seed=5) == bootstrap_interval(returns, mean, seed=5)
    assert bootstrap_interval(returns, mean, seed=5) != bootstrap_interval(returns, mean, seed=6)


@settings(deadline=None)
@given(st.integers(1, 60), st.floats(1.0, 50.0), st.integers(0, 99))
def test_resampled_rows_run_on_until_a_new_block_begins(size: int, block: float, seed: int) -> None:
    rows = resample_rows(size, 5, block, np.random.default_rng(seed))
    assert rows.shape == (5, size) and rows.min() >= 0 and rows.max() < size
    if block == 1.0 or size == 1:
        return
    whole = resample_rows(size, 1, 1e12, np.random.default_rng(seed))[0]
    assert ((whole - whole[0]) % size == np.arange(size)).all()


def test_mean_block_length_is_the_one_asked_for() -> None:
    rows = resample_rows(5000, 40, 20.0, np.random.default_rng(1))
    breaks = ((np.diff(rows, axis=1) % 5000) != 1).mean()
    assert 1.0 / breaks == pytest.approx(20.0, rel=0.05)


@pytest.mark.parametrize("returns", [np.zeros(0), np.ones(9), np.zeros(100), np.full(100, 0.1)])
def test_degenerate_returns_have_no_interval(returns: Floats) -> None:
    assert bootstrap_interval(returns, mean, seed=1) is None


def test_unusable_requests_are_refused_in_one_line() -> None:
    with pytest.raises(UsageError, match="level 1"):
        bootstrap_interval(np.arange(20.0), mean, seed=1, level=1.0)
    with pytest.raises(UsageError, match="not a number"):
        bootstrap_interval(np.array([math.nan] * 20), mean, seed=1)

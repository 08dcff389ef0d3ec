"""Sharpe inference and CSCV against published numbers and naive recomputation."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from carry.errors import UsageError
from carry.overfitting import (
    Moments,
    backtest_overfitting,
    deflated_sharpe,
    expected_maximum_sharpe,
    moments,
    probabilistic_sharpe,
    sharpe_columns,
)
from carry.tape import Floats


def random_returns(seed: int, rows: int, sets: int) -> Floats:
    """Return noise with one column that never trades."""
    returns = np.random.default_rng(seed).normal(0.0, 0.01, (rows, sets))
    returns[:, 0] = 0.0
    return returns


def naive_pbo(returns: Floats, blocks: int) -> tuple[float, float]:
    """CSCV written as in the paper: loops, one Sharpe at a time; no ties among traded columns."""

    def sharpe(column: Floats) -> float:
        return float(column.mean() / column.std(ddof=1)) if column.std() > 0.0 else math.nan

    parts = np.split(returns, blocks)
    below, losing = [], []
    for chosen in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[place] for place in chosen])
        outside = np.concatenate([parts[place] for place in range(blocks) if place not in chosen])
        scores = [sharpe(inside[:, column]) for column in range(returns.shape[1])]
        winner = int(np.nanargmax(scores))
        ranked = [sharpe(outside[:, column]) for column in range(returns.shape[1])]
        ranks = stats.rankdata(np.nan_to_num(ranked))
        relative = ranks[winner] / (returns.shape[1] + 1)
        below.append(math.log(relative / (1 - relative)) <= 0.0)
        losing.append(outside[:, winner].mean() < 0.0)
    return float(np.mean(below)), float(np.mean(losing))


def test_probabilistic_sharpe_equals_the_published_example() -> None:
    # Bailey & Lopez de Prado 2012: 24 months, Sharpe 0.458 a month, skewness -2.448, kurtosis 10.164
    assert probabilistic_sharpe(Moments(24, 0.458, -2.448, 10.164)) == pytest.approx(0.913, abs=5e-4)
    assert probabilistic_sharpe(Moments(24, 0.458, 0.0, 3.0)) == pytest.approx(0.982, abs=5e-4)


@pytest.mark.parametrize(("trials", "published"), [(100, 0.9004), (46, 0.9505)])
def test_deflated_sharpe_equals_the_published_example(trials: int, published: float) -> None:
    # Bailey & Lopez de Prado 2014: yearly Sharpe 2.5 on 1,250 days, variance of the trials' 1/2 a year
    best = expected_maximum_sharpe(0.5 / 250.0, trials)
    if trials == 100:
        assert best == pytest.approx(0.1132, abs=5e-5)
    observed = Moments(1250, 2.5 / math.sqrt(250.0), -3.0, 10.0)
    assert probabilistic_sharpe(observed, best) == pytest.approx(published, abs=5e-4)


def test_deflated_sharpe_takes_variance_and_number_from_the_trials() -> None:
    spread = math.sqrt(0.5 / 250.0)
    sharpes = np.resize([-1.0, 1.0], 100) * spread * math.sqrt(99.0 / 100.0)
    observed = Moments(1250, 2.5 / math.sqrt(250.0), -3.0, 10.0)
    assert deflated_sharpe(observed, sharpes) == pytest.approx(0.9004, abs=5e-5)
    idle = np.append(sharpes, np.full(900, np.nan))
    assert deflated_sharpe(observed, idle) < 0.9004  # type: ignore[operator] # idle trials are trials


def test_expected_maximum_is_near_that_of_simulated_luck() -> None:
    best = np.random.default_rng(1).normal(0.0, 0.2, (4000, 50)).max(axis=1).mean()
    assert expected_maximum_sharpe(0.04, 50) == pytest.approx(best, rel=0.02)


def test_moments_are_those_of_the_sample() -> None:
    returns = np.array([0.01, -0.02, 0.03, 0.0, 0.015])
    observed = moments(returns)
    assert observed is not None
    centred = returns - returns.mean()
    assert observed.sharpe == pytest.approx(returns.mean() / math.sqrt((centred**2).sum() / 4))
    assert observed.skewness == pytest.approx((centred**3).mean() / (centred**2).mean() ** 1.5)
    assert observed.kurtosis == pytest.approx((centred**4).mean() / (centred**2).mean() ** 2)


@pytest.mark.parametrize("returns", [[], [0.1], [0.1, 0.2, 0.3], [0.0] * 50, [0.1] * 50])
def test_too_few_or_constant_returns_have_no_figure(returns: list[float]) -> None:
    assert moments(np.array(returns)) is None
    assert probabilistic_sharpe(moments(np.array(returns))) is None
    assert deflated_sharpe(moments(np.array(returns)), np.array([0.1, 0.2])) is None


def test_values_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(UsageError, match="not a number"):
        moments(np.array([0.1, math.nan, 0.2, 0.1]))
    with pytest.raises(UsageError, match="not a number"):
        backtest_overfitting(np.full((40, 3), math.inf), 4)
    with pytest.raises(UsageError, match="even number"):
        backtest_overfitting(np.ones((40, 3)), 5)
    with pytest.raises(UsageError, match="trials"):
        expected_maximum_sharpe(0.1, 0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 8))
def test_cscv_equals_the_naive_recomputation(seed: int, sets: int) -> None:
    returns = random_returns(seed, 48, sets)
    answer = backtest_overfitting(returns, 6)
    assert answer is not None
    assert answer.logits.size == math.comb(6, 3)
    assert (answer.pbo, answer.loss_probability) == pytest.approx(naive_pbo(returns, 6))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_cscv_does_not_depend_on_the_order_of_sets_even_when_they_tie(seed: int, shuffler: "object") -> None:
    returns = random_returns(seed, 40, 6)
    returns[:, 5] = returns[:, 2]
    order = list(range(6))
    shuffler.shuffle(order)  # type: ignore[attr-defined]
    first, second = backtest_overfitting(returns, 4), backtest_overfitting(returns[:, order], 4)
    assert first is not None and second is not None
    assert first.pbo == pytest.approx(second.pbo)
    assert np.allclose(first.logits, second.logits)


def test_a_real_edge_is_no_overfitting_and_noise_is_a_coin_toss() -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(0.0, 0.01, (1600, 40))
    edge = noise.copy()
    edge[:, 7] += 0.005
    real = backtest_overfitting(edge)
    luck = [backtest_overfitting(rng.normal(0.0, 0.01, (320, 10)), 8) for _ in range(40)]
    assert real is not None and real.pbo == 0.0 and real.loss_probability == 0.0
    assert np.mean([one.pbo for one in luck if one is not None]) == pytest.approx(0.5, abs=0.12)


def test_set_that_wins_by_one_stretch_only_is_found_out() -> None:
    # two sets, each good where the other is bad: whoever wins inside loses outside
    one = np.where(np.arange(80) < 40, 0.01, -0.01) + np.random.default_rng(2).normal(0, 1e-3, 80)
    answer = backtest_overfitting(np.column_stack([one, -one]), 2)
    assert answer is not None and answer.pbo == 1.0 and answer.loss_probability == 1.0


def test_sets_that_never_trade_do_not_win() -> None:
    losing = random_returns(5, 64, 3)
    losing[:, 1:] -= 0.02
    answer = backtest_overfitting(losing, 4)
    assert answer is not None and answer.loss_probability == 1.0
    assert backtest_overfitting(np.zeros((64, 5)), 4) is None
    assert backtest_overfitting(losing[:7], 4) is None


def test_sharpe_of_columns_is_not_known_without_variance() -> None:
    returns = random_returns(1, 30, 3)
    sharpes = sharpe_columns(returns)
    assert math.isnan(sharpes[0])
    assert sharpes[2] == pytest.approx(returns[:, 2].mean() / returns[:, 2].std(ddof=1))
    assert np.isnan(sharpe_columns(returns[:1])).all()

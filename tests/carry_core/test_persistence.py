"""Persistence of funding: cycles, the exponential mean, the forecast and how long it is trusted."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carry.persistence import (
    CYCLE_NS,
    WINDOW,
    Cycles,
    expected_daily_bps,
    funding_cycles,
    funding_outlook,
    last_ended,
    reaching,
)

START = pd.Timestamp("2024-01-01", tz="UTC")


def funding(intervals_h: list[int], rates: np.ndarray) -> pd.DataFrame:
    """Return settlements, the first at START, each `intervals_h` after the one before."""
    stamps = START + pd.to_timedelta(np.cumsum([0, *intervals_h]), unit="h")
    return pd.DataFrame({"date": stamps, "funding_rate": rates})


def test_a_change_of_interval_adds_up_to_the_same_cycles() -> None:
    intervals = [8, 8, 4, 4, 2, 2, 4, *[1] * 8, 8]
    rates = 1e-4 * np.array([0, 8, 8, *[hours / 2 for hours in intervals[2:]]])
    cycles = funding_cycles(funding(intervals, rates))
    assert cycles.first == START.value // CYCLE_NS
    np.testing.assert_allclose(cycles.daily_bps, [np.nan, 24, 24, 12, 12, 12, 12])


def test_a_missing_settlement_leaves_its_cycle_and_the_next_unknown() -> None:
    whole = funding([8] * 6, np.full(7, 1e-4))
    cycles = funding_cycles(whole.drop(index=3).reset_index(drop=True))
    np.testing.assert_allclose(cycles.daily_bps, [np.nan, 3, 3, np.nan, np.nan, 3, 3])


def test_of_no_settlement_nothing_is_known() -> None:
    empty = funding_cycles(funding([], np.array([np.nan])))
    assert not funding_outlook(reaching(empty, 500 * CYCLE_NS), 63).known.any()


def test_a_cycle_is_known_only_after_its_end() -> None:
    cycles = Cycles(10, np.ones(3))
    ends = np.arange(10, 13) * CYCLE_NS
    assert last_ended(cycles, ends).tolist() == [-1, 0, 1]
    assert last_ended(cycles, ends + 1).tolist() == [0, 1, 2]


def test_funding_is_known_for_one_cycle_without_settlements() -> None:
    cycles = reaching(Cycles(10, np.ones(200)), 213 * CYCLE_NS)
    assert len(cycles.daily_bps) == 203
    assert funding_outlook(cycles, 63).known[-4:].tolist() == [True, True, False, False]
    assert reaching(cycles, 150 * CYCLE_NS) is cycles


def ar1(seed: int, count: int, phi: float, noise: float) -> np.ndarray:
    """Return an AR(1) of variance 1 about 3, with noise on top."""
    rng = np.random.default_rng(seed)
    slow = np.zeros(count)
    for i in range(1, count):
        slow[i] = phi * slow[i - 1] + rng.normal(0, np.sqrt(1 - phi**2))
    return 3.0 + slow + rng.normal(0, noise, count)


def naive(daily: np.ndarray, i: int, span: float, horizon: int) -> float:
    """Forecast at cycle `i`, by the formula of the module, term by term."""
    window = daily[max(0, i - WINDOW + 1) : i + 1]
    weight = [(1 - 2 / (span + 1)) ** (len(window) - 1 - j) for j in range(len(window))]
    known = [(w, d) for w, d in zip(weight, window, strict=True) if not np.isnan(d)]
    level: float = sum(w * d for w, d in known) / sum(w for w, _ in known)
    mean = float(np.nanmean(window))

    def covariance(lag: int) -> float:
        both = [(a, b) for a, b in zip(window[lag:], window[:-lag], strict=True) if not np.isnan(a + b)]
        return float(np.cov(np.array(both).T, bias=True)[0, 1])

    near, far = covariance(3), covariance(21)
    phi = min((far / near) ** (1 / 18), 0.5 ** (1 / 90)) if near > 0 and far > 0 else 0.0
    return mean + (level - mean) * float(np.mean([phi**j for j in range(1, horizon + 1)]))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(130, 799), st.sampled_from([9.0, 63.0]), st.sampled_from([30, 90]))
def test_the_forecast_is_the_formula(seed: int, at: int, span: float, horizon: int) -> None:
    daily = ar1(seed, 800, 0.97, 1.0)
    daily[np.random.default_rng(seed).random(800) < 0.05] = np.nan
    outlook = funding_outlook(Cycles(seed, daily), span)
    assert expected_daily_bps(outlook, horizon)[at] == pytest.approx(
        naive(daily, at, span, horizon), abs=1e-9
    )


def test_history_before_the_window_changes_nothing() -> None:
    daily = ar1(5, 1200, 0.98, 1.0)
    long, short = (
        expected_daily_bps(funding_outlook(Cycles(100 + cut, daily[cut:]), 63), 90)[-1] for cut in (0, 800)
    )
    assert long == pytest.approx(short, rel=1e-12)


def test_noise_does_not_hide_the_half_life() -> None:
    found = [funding_outlook(Cycles(0, ar1(seed, 360, 0.95, 1.0)), 63).phi[-1] for seed in range(200)]
    assert np.median(found) == pytest.approx(0.95, abs=0.02)


def test_funding_that_never_changed_is_its_own_forecast() -> None:
    outlook = funding_outlook(Cycles(0, np.full(200, 3.0)), 63)
    assert expected_daily_bps(outlook, 90)[-1] == 3.0
    assert outlook.known.tolist() == [False] * 89 + [True] * 111

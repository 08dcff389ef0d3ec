"""Regime buckets and accounts: means add up, and the control pays for one round trip only."""

import numpy as np
import pandas as pd
import pytest

from carry.regime_buckets import cycle_returns, regime_accounts, regime_buckets

SIDE_BPS = 17.0


@pytest.fixture
def cycles() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    regime = np.array(["", "NESS", "WARM", "EQUILIBRIUM"])[rng.integers(0, 4, 400)]
    columns = {
        "funding_rate": rng.normal(1e-4, 1e-4, 400),
        "basis_start": rng.normal(0.0, 0.05, 400),
        "relaxation_ratio": rng.uniform(0.0, 2.0, 400),
        "regime": regime,
    }
    return pd.DataFrame(columns)


def test_a_cycle_earns_the_next_rate_and_the_fall_of_the_basis() -> None:
    cycles = pd.DataFrame({"funding_rate": [9.0, 1e-4], "basis_start": [0.05, 0.02], "regime": ["WARM", ""]})
    funding, basis = cycle_returns(cycles)
    assert (funding[0], basis[0]) == (pytest.approx(1.0), pytest.approx(3.0))
    assert np.isnan(funding[1]) and np.isnan(basis[1])


def test_both_ways_of_grouping_hold_every_known_cycle_once(cycles: pd.DataFrame) -> None:
    everything, *groups = regime_buckets(cycles)
    for part in (groups[:3], groups[3:]):
        assert sum(bucket.cycles for bucket in part) == everything.cycles > 250
        total = sum(bucket.cycles * bucket.funding_bps for bucket in part)
        assert total == pytest.approx(everything.cycles * everything.funding_bps)


def test_always_on_pays_for_one_round_trip_and_every_change_of_exposure_costs(cycles: pd.DataFrame) -> None:
    always, sized, _ = regime_accounts(cycles, SIDE_BPS)
    free, free_sized, _ = regime_accounts(cycles, 0.0)
    known = cycles[(cycles["regime"] != "") & (cycles.index < len(cycles) - 1)]
    years = len(known) / 1095
    assert (free.net_pct_a_year - always.net_pct_a_year) * years * 100 == pytest.approx(2 * SIDE_BPS)
    exposure = known["regime"].map({"EQUILIBRIUM": 1.0, "WARM": 0.6, "NESS": 0.25})
    changes = exposure.diff().abs().sum() + exposure.iloc[0] + exposure.iloc[-1]
    assert sized.cost_pct_a_year * years * 100 == pytest.approx(changes * SIDE_BPS)
    assert free_sized.cost_pct_a_year == 0.0

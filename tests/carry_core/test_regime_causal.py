"""The causal regimes equal a plain recomputation, and none of them knows its future."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carry.errors import UsageError
from carry.market import timeframe_delta
from carry.regime_causal import BASIS_AGE_H, CAUSAL_COLUMNS, HISTORY_H, causal_cycles
from tests.carry_core import naive_regime as naive
from tests.carry_data.markets import Frames, holed_market, market
from tests.carry_data.naive import Settlement, candles_of

CHANGES = [(8, 330), (4, 200), (8, 250), (1, 500), (8, 90)]  # (interval in hours, settlements)


def cycles_of(frames: Frames) -> pd.DataFrame:
    return causal_cycles(frames.perp, frames.spot, frames.funding, frames.timeframe)


def cut(frames: Frames, until: pd.Timestamp, since: pd.Timestamp | None = None) -> Frames:
    """Return the market as recorded at `until`: candles opened and settlements stamped before it."""

    def part(frame: pd.DataFrame) -> pd.DataFrame:
        kept = frame["date"] < until
        return frame[kept if since is None else kept & (frame["date"] >= since)].reset_index(drop=True)

    return Frames(
        part(frames.perp), part(frames.spot), part(frames.mark), part(frames.funding), frames.timeframe
    )


@pytest.fixture(scope="module", params=["1h", "15m"])
def holed(request: pytest.FixtureRequest) -> Frames:
    """Return a random market whose funding interval changes, with missing hours and settlements."""
    changes = CHANGES if request.param == "1h" else [(8, 560), (4, 60)]
    return holed_market(9, request.param, changes, 0.02)


@pytest.fixture(scope="module")
def whole(holed: Frames) -> pd.DataFrame:
    """Return its regimes."""
    return cycles_of(holed)


def test_a_market_with_holes_and_changed_intervals_has_every_regime(whole: pd.DataFrame) -> None:
    assert list(whole.columns) == list(CAUSAL_COLUMNS)
    assert set(whole["regime"]) == {"", "EQUILIBRIUM", "WARM", "NESS"}


@settings(max_examples=25, deadline=None)
@given(share=st.floats(0.05, 1.0), minutes=st.integers(-70, 70))
def test_data_cut_at_any_time_changes_no_earlier_value(
    holed: Frames, whole: pd.DataFrame, share: float, minutes: int
) -> None:
    first, last = holed.perp["date"].iloc[0], holed.perp["date"].iloc[-1]
    until = (first + share * (last - first)).floor("h") + pd.Timedelta(minutes=minutes)
    early = cycles_of(cut(holed, until))
    # stamps are a few ms off: one that is due at the cut may be on either side of it
    assert len(early) >= (whole["start_time"] < until).sum()
    pd.testing.assert_frame_equal(early, whole.iloc[: len(early)], check_exact=True)


@settings(max_examples=10, deadline=None)
@given(share=st.floats(0.9, 1.0))
def test_history_before_the_longest_windows_changes_nothing(
    holed: Frames, whole: pd.DataFrame, share: float
) -> None:
    first, last = holed.perp["date"].iloc[0], holed.perp["date"].iloc[-1]
    since = last - pd.Timedelta(hours=HISTORY_H + BASIS_AGE_H + 1)
    assert since > first
    until = last - (1.0 - share) * pd.Timedelta(hours=100)
    late = cycles_of(cut(holed, until, since)).iloc[-1:].drop(columns="cycle_index").reset_index(drop=True)
    same = whole[whole["start_time"].isin(late["start_time"])].drop(columns="cycle_index")
    # the judged interval of a settlement after a missing one may lie before the window
    pd.testing.assert_frame_equal(late, same.reset_index(drop=True), check_exact=True)


def test_every_value_equals_its_naive_recomputation(holed: Frames, whole: pd.DataFrame) -> None:
    step = timeframe_delta(holed.timeframe).to_pytimedelta()
    basis = naive.hourly_basis(candles_of(holed.perp), candles_of(holed.spot), step)
    stamps, rates = whole["start_time"].dt.to_pydatetime(), whole["funding_rate"]
    known = [Settlement(stamp, float(rate)) for stamp, rate in zip(stamps, rates, strict=True)]
    per_8h = naive.rates_per_8h(known)
    rng = np.random.default_rng(3)
    for place in [*rng.choice(len(known), 12, replace=False).tolist(), len(known) - 1]:
        row = whole.iloc[place]
        for name, expected in naive.signals(basis, known, per_8h, place).items():
            got = float(row[name])
            same = math.isclose(got, expected, rel_tol=1e-9, abs_tol=1e-15)
            assert same or (math.isnan(got) and math.isnan(expected)), (place, name, got, expected)
        at = known[place].stamp
        earlier = whole[(whole["start_time"] < at) & (whole["start_time"] >= at - pd.Timedelta(hours=2880))]
        betas, entropies, healths = (
            earlier[name].dropna().tolist() for name in ("raw_beta", "entropy_rate", "je_health")
        )
        limits = [naive.percentile(entropies, 0.1), naive.percentile(entropies, 0.4)]
        limits.append(naive.percentile(healths, 0.9))
        z = naive.zscore(betas, float(row["raw_beta"]))
        assert np.allclose(row[["entropy_p10", "entropy_p40", "je_p90"]].astype(float), limits, 1e-9, 0, True)
        assert np.isclose(float(row["temperature_zscore"]), z, 1e-9, 1e-9, True)
        judged = (row["relaxation_ratio"], z, row["entropy_rate"], row["je_health"], *limits)
        assert row["regime"] == naive.regime(*(float(each) for each in judged))


def test_an_offset_of_the_basis_is_not_slowness() -> None:
    """An AR(1) without intercept would read a standing offset as a basis that never comes back."""
    calm = market(hours=2000)
    noise = np.random.default_rng(1).normal(0.0, 1e-4, len(calm.perp))
    fast = replace(calm, perp=calm.perp.assign(close=calm.spot["close"] * (1.0 + noise)))
    offset = replace(calm, perp=calm.perp.assign(close=calm.spot["close"] * (1.0 + noise + 5e-3)))
    near, far = (cycles_of(each)["relaxation_ratio"].iloc[-1] for each in (fast, offset))
    assert near < 0.2
    assert far == pytest.approx(near, rel=1e-3)


@pytest.mark.parametrize("empty", ["perp", "spot", "funding"])
def test_an_empty_series_gives_no_regime(empty: str) -> None:
    frames = market(hours=1000)
    without = replace(frames, **{empty: getattr(frames, empty).iloc[:0]})
    assert (cycles_of(without)["regime"] == "").all()


def test_a_timeframe_off_the_settlement_grid_is_refused() -> None:
    with pytest.raises(UsageError, match="does not divide 4 h"):
        cycles_of(replace(market(hours=48), timeframe="1d"))

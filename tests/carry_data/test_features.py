"""Every feature equals its naive recomputation, and no row knows its future."""

import math
import random
import time
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carry.errors import DataError, UsageError
from carry.features import FEATURE_COLUMNS, carry_features
from carry.market import load_market, settle_stamps, timeframe_delta
from carry.moments import window_moments
from tests.carry_data.markets import START, Frames, holed_market, market
from tests.carry_data.naive import Values, candles_of, naive_features, settlements_of

INTERVALS = st.lists(
    st.tuples(st.sampled_from([8, 4, 2, 1]), st.integers(3, 130)), min_size=1, max_size=4
).filter(lambda parts: sum(hours * count for hours, count in parts) >= 80)
HOLED = st.builds(
    holed_market,
    seed=st.integers(0, 2**32 - 1),
    timeframe=st.sampled_from(["1h", "4h", "2h", "15m"]),
    intervals=INTERVALS,
    holes=st.sampled_from([0.0, 0.02, 0.1, 0.4]),
)


def features_of(frames: Frames) -> pd.DataFrame:
    return carry_features(frames.perp, frames.spot, frames.funding, frames.timeframe)


def assert_row_equals(row: "pd.Series[float]", naive: Values) -> None:
    assert set(naive) == set(FEATURE_COLUMNS)
    for name, expected in naive.items():
        got = float(row[name])
        if name == "positive_funding_regime" and abs(naive["funding_mean_24h_bps"]) < 1e-12:
            continue  # the sign of a rounding error
        same = math.isclose(got, expected, rel_tol=1e-9, abs_tol=1e-10)
        assert same or (math.isnan(got) and math.isnan(expected)), f"{name}: {got}, naive {expected}"


def assert_rows_equal_naive(frames: Frames, places: list[int]) -> None:
    features = features_of(frames)
    perp, spot = candles_of(frames.perp), candles_of(frames.spot)
    funding = settlements_of(frames.funding)
    step = timeframe_delta(frames.timeframe).to_pytimedelta()
    for place in places:
        naive = naive_features(perp, spot, funding, perp[place].date, step)
        assert_row_equals(features.iloc[place], naive)


@pytest.mark.parametrize("coin", ["BTC", "ETH", "SOL"])
def test_ten_random_rows_of_recorded_market_equal_naive(recorded: Path, coin: str) -> None:
    loaded = load_market(recorded / "binance_1h", f"{coin}/USDT:USDT", "1h")
    frames = Frames(loaded.perp, loaded.spot, loaded.mark, loaded.funding)
    assert_rows_equal_naive(frames, random.Random(coin).sample(range(len(loaded.perp)), 10))


def test_rows_of_recorded_spot_outage_equal_naive(recorded: Path) -> None:
    loaded = load_market(recorded / "binance_1h", "BTC/USDT:USDT", "1h")
    frames = Frames(loaded.perp, loaded.spot, loaded.mark, loaded.funding)
    outage = np.flatnonzero(
        loaded.perp["date"].isin(pd.date_range("2020-02-19 10:00", periods=8, freq="h", tz="UTC"))
    )
    features = features_of(frames)
    assert features["spread_bps"].iloc[outage].isna().sum() == 5
    assert features["spread_zscore_72h"].iloc[outage].isna().sum() == 5
    assert_rows_equal_naive(frames, [int(place) for place in outage])


@settings(max_examples=60, deadline=None)
@given(frames=HOLED, seed=st.integers(0, 1000))
def test_rows_of_holed_market_equal_naive(frames: Frames, seed: int) -> None:
    rows = len(frames.perp)
    places = {0, 1, rows - 1} | set(random.Random(seed).sample(range(rows), min(rows, 10)))
    assert_rows_equal_naive(frames, sorted(place for place in places if 0 <= place < rows))


@settings(max_examples=40, deadline=None)
@given(frames=HOLED, share=st.floats(0.05, 0.95))
def test_rows_are_same_bit_for_bit_when_future_is_cut_off(frames: Frames, share: float) -> None:
    rows = max(1, int(len(frames.perp) * share))
    last = frames.perp["date"].iloc[rows - 1]
    closed = last + timeframe_delta(frames.timeframe)
    known = replace(
        frames,
        perp=frames.perp.iloc[:rows],
        spot=frames.spot.loc[frames.spot["date"] <= last],
        funding=frames.funding.loc[settle_stamps(frames.funding["date"]) < closed],
    )
    pd.testing.assert_frame_equal(features_of(known), features_of(frames).iloc[:rows], check_exact=True)


@settings(max_examples=20, deadline=None)
@given(frames=HOLED, dropped=st.integers(1, 200))
def test_zscore_does_not_depend_on_history_before_its_window(frames: Frames, dropped: int) -> None:
    wild = frames.perp.copy()
    wild.loc[: min(dropped, len(wild)) - 1, "close"] *= 1e4
    later = replace(frames, perp=frames.perp.iloc[dropped:].reset_index(drop=True))
    after_wild = (
        features_of(replace(frames, perp=wild))["spread_zscore_72h"].iloc[dropped:].reset_index(drop=True)
    )
    short = features_of(later)["spread_zscore_72h"]
    told = short.notna()
    pd.testing.assert_series_equal(short[told], after_wild[told], check_exact=True)


@pytest.mark.parametrize("level", [0.0, 1e4])
def test_moments_are_exact_after_an_outlier_left_the_window(level: float) -> None:
    rng = np.random.default_rng(3)
    values = level + rng.normal(0.0, 1e-3, 400)
    values[[50, 130]] = 1e9
    values[200:203] = np.nan
    count, mean, std = window_moments(values, 60, offset=17)
    for place in (10, 109, 110, 189, 190, 230, 399):
        window = [Fraction(float(v)) for v in values[max(0, place - 59) : place + 1] if not math.isnan(v)]
        exact = sum(window) / len(window)
        variance = sum((value - exact) ** 2 for value in window) / len(window)
        assert count[place] == len(window)
        assert mean[place] == pytest.approx(float(exact), rel=1e-12, abs=1e-15)
        assert std[place] == pytest.approx(math.sqrt(variance), rel=1e-9)


def test_settlement_at_the_close_is_not_known_yet_and_due_in_zero_hours() -> None:
    features = features_of(market())
    assert features["hours_to_settlement"].iloc[15] == 0.0  # closes 16:00
    assert features["funding_bps"].iloc[15] == pytest.approx(math.cos(1))  # of 08:00
    assert features["funding_bps"].iloc[16] == pytest.approx(math.cos(2))
    assert features["funding_age_h"].iloc[[15, 16]].tolist() == [8.0, 1.0]


@pytest.mark.parametrize("jitter_ms", [-5, 31])
def test_jittered_stamps_give_the_same_features(jitter_ms: int) -> None:
    whole = market()
    jittered = whole.funding.assign(date=whole.funding["date"] + pd.Timedelta(jitter_ms, unit="ms"))
    pd.testing.assert_frame_equal(features_of(replace(whole, funding=jittered)), features_of(whole))


def test_missing_settlement_ends_carrying_and_starts_the_streak_anew() -> None:
    whole = market()
    funding = whole.funding.assign(funding_rate=1e-4).drop(index=10)  # 80 h
    features = features_of(replace(whole, funding=funding))
    assert features["positive_streak"].iloc[[79, 87]].tolist() == [10, 10]
    assert features["positive_streak"].iloc[[88, 96]].tolist() == [1, 2]
    assert features["funding_interval_h"].iloc[[79, 88, 96]].fillna(-1).tolist() == [8.0, -1.0, 8.0]
    two_gone = features_of(replace(whole, funding=funding.drop(index=11)))
    assert two_gone["funding_bps"].iloc[[87, 88]].isna().tolist() == [False, True]  # age 16 h, 17 h


def test_funding_sign_runs_count_hours_and_settlements() -> None:
    whole = market(hours=48)
    rates = [1e-4, 1e-4, -1e-4, 0.0, 2e-4, 1e-4]
    features = features_of(replace(whole, funding=whole.funding.assign(funding_rate=rates)))
    assert features["positive_streak"].iloc[[0, 8, 16, 24, 32, 40]].tolist() == [1, 2, 0, 0, 1, 2]
    assert features["negative_funding_h"].iloc[[15, 16, 24, 31, 32]].tolist() == [0.0, 1.0, 9.0, 16.0, 0.0]
    assert features["positive_funding_regime"].iloc[[8, 39]].tolist() == [True, True]


def test_spread_that_only_rounding_moves_has_no_zscore() -> None:
    whole = market()
    rounding = 1e-12 * np.cos(np.arange(len(whole.spot)))
    perp = whole.perp.assign(close=whole.spot["close"] * (1.0007 + rounding))
    features = features_of(replace(whole, perp=perp))
    assert features["spread_bps"].nunique() > 100
    assert features["spread_zscore_72h"].isna().all()


def test_moments_of_funding_begin_with_ninety_settlements() -> None:
    features = features_of(market(hours=100, interval_h=1))
    for name in ("funding_mean_360_bps", "funding_abs_std_360_bps"):
        assert features[name].first_valid_index() == 89  # stamps 0..89 h, the row closes at 90 h


def test_settlement_recorded_twice_counts_once() -> None:
    whole = market()
    again = whole.funding.assign(date=whole.funding["date"] - pd.Timedelta(5, unit="ms"), funding_rate=9.0)
    both = pd.concat([again, whole.funding], ignore_index=True)
    pd.testing.assert_frame_equal(features_of(replace(whole, funding=both)), features_of(whole))


def test_funding_of_zero_is_neither_a_streak_nor_a_regime() -> None:
    whole = market()
    features = features_of(replace(whole, funding=whole.funding.assign(funding_rate=0.0)))
    assert not features["positive_funding_regime"].any()
    assert (features["positive_streak"] == 0).all()
    assert features["negative_funding_h"].iloc[-1] == 240.0


def test_zscore_begins_with_the_first_full_window() -> None:
    for timeframe, bars in (("1h", 72), ("15m", 288), ("4h", 18)):
        score = features_of(market(timeframe=timeframe))["spread_zscore_72h"]
        assert score.first_valid_index() == bars - 1


@pytest.mark.parametrize(("missing", "told"), [(7, True), (8, False)])
def test_zscore_needs_nine_tenths_of_the_window(missing: int, told: bool) -> None:
    whole = market()
    spot = whole.spot.drop(index=range(100, 100 + missing))
    score = features_of(replace(whole, spot=spot))["spread_zscore_72h"]
    assert (not math.isnan(score.iloc[120])) is told


def test_without_settlements_funding_is_missing_not_zero() -> None:
    whole = market()
    features = features_of(replace(whole, funding=whole.funding.iloc[:0]))
    assert (
        features[["funding_bps", "funding_age_h", "hours_to_settlement", "negative_funding_h"]]
        .isna()
        .all(axis=None)
    )
    assert not features["positive_funding_regime"].any()
    assert (features["positive_streak"] == 0).all()


def test_empty_frames_give_an_empty_frame_with_all_columns() -> None:
    whole = market()
    features = carry_features(whole.perp.iloc[:0], whole.spot.iloc[:0], whole.funding, "1h")
    assert list(features.columns) == list(FEATURE_COLUMNS)
    assert features.empty


@pytest.mark.parametrize("timeframe", ["5h", "7m"])
def test_timeframe_that_does_not_divide_72_h_is_refused(timeframe: str) -> None:
    whole = market()
    with pytest.raises(UsageError, match="does not divide 72 h"):
        carry_features(whole.perp, whole.spot, whole.funding, timeframe)


def test_frames_without_ascending_utc_dates_on_the_grid_are_refused() -> None:
    whole = market()
    naive_dates = whole.perp.assign(date=whole.perp["date"].dt.tz_localize(None))
    shifted = whole.perp.assign(date=whole.perp["date"] + timedelta(minutes=5))
    for perp in (whole.perp.iloc[::-1], naive_dates, shifted):
        with pytest.raises(DataError):
            carry_features(perp, whole.spot, whole.funding, "1h")


def test_fifty_thousand_rows_take_less_than_a_fifth_of_a_second() -> None:
    rows = 50_000
    dates = pd.date_range(START, periods=rows, freq="h")
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"date": dates, "close": 100 + rng.random(rows), "volume": 1.0})
    funding = pd.DataFrame({"date": dates[::8], "funding_rate": rng.normal(0, 1e-4, len(dates[::8]))})
    taken = []
    for _ in range(5):
        begin = time.perf_counter()
        carry_features(frame, frame.assign(close=frame["close"] * 1.001 + 0.01), funding, "1h")
        taken.append(time.perf_counter() - begin)
    assert min(taken) < 0.2

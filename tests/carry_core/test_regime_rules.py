"""The rules of the regime-sized carry, and that their columns know no future."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carry.execution_gauge import ENOUGH, BookState, ExecutionGauge, book_state
from carry.regime_features import REGIME_COLUMNS, regime_columns
from carry.regime_rules import (
    RegimeParameters,
    exposure_rule,
    regime_entry,
    regime_hold,
    resized_exposure,
)
from tests.carry_data.markets import Frames, holed_market

PUBLISHED = RegimeParameters(
    entry_exposure=1.0,
    relaxation_ratio=1.05,
    positive_basis=True,
    payback_days=0.0,
    flip_tolerance_h=0.0,
    confirm_h=0.0,
    resize_band=0.0,
)
GOOD = {
    "close": 100.0,
    "funding_bps": 1.0,
    "spread_bps": 5.0,
    "spread_median_720h_bps": 2.0,
    "relaxation_ratio": 0.9,
    "temperature_zscore": 0.0,
    "entropy_rate": 2.0,
    "entropy_p40": 1.0,
    "je_health": 0.1,
    "je_p90": 0.2,
    "regime_exposure": 1.0,
    "funding_mean_720h_daily_bps": 3.0,
    "funding_flip_share": 0.1,
    "negative_funding_h": 0.0,
    "open_interest_change_24h": np.nan,
}


def rows(*changes: dict[str, float]) -> pd.DataFrame:
    """Return hourly rows that are all good but for the changes."""
    frame = pd.DataFrame([GOOD | change for change in changes])
    frame.insert(0, "date", pd.date_range("2024-01-01", periods=len(frame), freq="h", tz="UTC"))
    return frame


@pytest.mark.parametrize(
    "change",
    [
        {"funding_bps": 0.0},
        {"spread_bps": 0.0},
        {"relaxation_ratio": 1.05},
        {"temperature_zscore": -0.5},
        {"entropy_rate": 1.0},
        {"je_health": 0.21},
        {"funding_flip_share": 0.41},
        {"open_interest_change_24h": -0.31},
        {"open_interest_change_24h": 0.51},
        *(
            {name: np.nan}
            for name in ("funding_bps", "relaxation_ratio", "entropy_p40", "funding_flip_share")
        ),
    ],
)
def test_each_condition_of_the_digest_is_needed_to_open(change: dict[str, float]) -> None:
    assert list(regime_entry(rows({}, change), PUBLISHED)) == [True, False]


def test_nothing_is_opened_where_the_expected_funding_does_not_pay_the_round_trip_back() -> None:
    asked = replace(PUBLISHED, payback_days=10.0, round_trip_bps=30.0)
    poor = {"funding_mean_720h_daily_bps": 2.99}
    assert list(regime_entry(rows({}, poor, {"funding_mean_720h_daily_bps": np.nan}), asked)) == [
        True,
        False,
        False,
    ]


LEAVES: list[dict[str, float]] = [
    {"spread_bps": 2.0},
    {"negative_funding_h": 1.0},
    {"regime_exposure": 0.25},
]


@pytest.mark.parametrize("signal", LEAVES)
def test_as_published_every_signal_leaves_and_by_default_only_where_it_does_not_pay_back(
    signal: dict[str, float],
) -> None:
    patient = replace(PUBLISHED, payback_days=30.0, round_trip_bps=34.0)
    poor = {"funding_mean_720h_daily_bps": 1.0}
    frame = rows({}, signal, signal | poor, poor)
    assert list(regime_hold(frame, PUBLISHED)) == [True, False, False, True]
    assert list(regime_hold(frame, patient)) == [True, True, False, True]


def test_missing_values_close_nothing() -> None:
    unknown = {name: np.nan for name in GOOD if name not in {"close", "funding_mean_720h_daily_bps"}}
    assert regime_hold(rows(unknown), PUBLISHED).all()


def test_an_exposure_is_changed_only_when_it_has_lasted() -> None:
    levels = [1.0, 0.25, 1.0, 0.6, 0.6, 0.6, 1.0, np.nan]
    frame = rows(*({"regime_exposure": level} for level in levels))
    everywhere = pd.Series(True, index=frame.index)
    found = exposure_rule(frame, everywhere, replace(PUBLISHED, confirm_h=2.0))
    assert found.opening.tolist() == [1.0, 0.25, 1.0, 0.6, 0.6, 0.6, 1.0, 0.25]
    assert found.grow_to.tolist() == [1.0, 0.25, 0.25, 0.25, 0.6, 0.6, 0.6, 0.0]
    assert found.shrink_to.tolist() == [1.0, 1.0, 1.0, 1.0, 1.0, 0.6, 1.0, np.inf]


def test_a_pair_grows_only_where_it_pays_back_and_shrinks_only_where_it_does_not() -> None:
    asked = replace(PUBLISHED, payback_days=10.0, round_trip_bps=30.0)
    frame = rows({"regime_exposure": 0.6}, {"regime_exposure": 0.6, "funding_mean_720h_daily_bps": 1.0})
    found = exposure_rule(frame, pd.Series(True, index=frame.index), asked)
    assert found.grow_to.tolist() == [0.6, 0.0]
    assert found.shrink_to.tolist() == [np.inf, 0.6]


def test_a_row_that_closes_the_pair_resizes_nothing() -> None:
    frame = rows({"regime_exposure": 0.6})
    found = exposure_rule(frame, pd.Series(False, index=frame.index), PUBLISHED)
    assert resized_exposure(1.0, found.grow_to[0], found.shrink_to[0], 0.0) is None
    assert resized_exposure(0.25, found.grow_to[0], found.shrink_to[0], 0.0) is None


SHARE = st.floats(0.0, 1.5)


@given(held=SHARE, low=SHARE, high=SHARE, band=st.floats(0.0, 0.6))
def test_resizing_crosses_the_band_goes_to_a_bound_and_then_rests(
    held: float, low: float, high: float, band: float
) -> None:
    grow_to, shrink_to = min(low, high), max(low, high)
    wanted = resized_exposure(held, grow_to, shrink_to, band)
    if wanted is None:
        assert grow_to - band <= held <= shrink_to + band
    else:
        assert wanted in {grow_to, shrink_to}
        assert abs(wanted - held) > band * (1 - 1e-12) - 1e-15
        assert resized_exposure(wanted, grow_to, shrink_to, band) is None


@pytest.fixture(scope="module")
def market() -> Frames:
    return holed_market(9, "1h", [(8, 330), (4, 200), (8, 100)], 0.02)


def columns(frames: Frames, until: Any = None) -> pd.DataFrame:
    perp, spot, funding = (
        frame if until is None else frame[frame["date"] < until].reset_index(drop=True)
        for frame in (frames.perp, frames.spot, frames.funding)
    )
    interest = pd.DataFrame({"date": perp["date"], "open_interest_amount": np.arange(len(perp)) + 1.0})
    return regime_columns(perp, spot, funding, frames.timeframe, perp["date"], interest)


@settings(max_examples=10, deadline=None)
@given(share=st.floats(0.2, 1.0))
def test_no_row_knows_what_comes_after_its_close(market: Frames, share: float) -> None:
    whole = columns(market)
    assert list(whole.columns) == list(REGIME_COLUMNS)
    assert whole.notna().any().all()
    until = market.perp["date"].iloc[int(share * (len(market.perp) - 1))]
    cut = columns(market, until)
    pd.testing.assert_frame_equal(cut, whole.iloc[: len(cut)], check_exact=True)


def test_a_settlement_at_the_close_itself_is_not_known_yet(market: Frames) -> None:
    """The candle that closes at a settlement must not use its rate: it is published then, not before."""
    whole = columns(market)
    settled = market.funding["date"].dt.round("h")
    changed = settled.iloc[-1]
    rates = market.funding["funding_rate"].where(settled < changed, 9.0)
    later = columns(replace(market, funding=market.funding.assign(funding_rate=rates)))
    before = market.perp["date"] + pd.Timedelta(hours=1) <= changed
    pd.testing.assert_frame_equal(later[before], whole[before], check_exact=True)
    assert not later[~before].equals(whole[~before])


def test_a_book_is_vetoed_when_wider_or_thinner_than_its_past_and_never_before_there_is_one() -> None:
    gauge = ExecutionGauge()
    for place in range(ENOUGH - 1):
        gauge.observe("A", BookState(1.0 + 0.01 * place, 1_000.0 - place))
        assert gauge.veto("A", 0.9, 0.1) is None
    gauge.observe("A", BookState(9.0, 1_000.0))
    assert "wider" in (gauge.veto("A", 0.9, 0.1) or "")
    gauge.observe("A", BookState(1.0, 1.0))
    assert "thinner" in (gauge.veto("A", 0.9, 0.1) or "")
    gauge.observe("A", BookState(1.0, 1_000.0))
    gauge.observe("A", None)
    assert gauge.veto("A", 0.9, 0.1) is None
    assert gauge.veto("B", 0.9, 0.1) is None


def test_the_state_of_a_book_is_its_spread_and_its_thinner_side() -> None:
    state = book_state([[99.0, 2.0], [98.0, 1.0]], [[101.0, 1.0]])
    assert state == BookState(200.0, 101.0)
    assert book_state([], [[101.0, 1.0]]) is None
    assert book_state([[102.0, 1.0]], [[101.0, 1.0]]) is None

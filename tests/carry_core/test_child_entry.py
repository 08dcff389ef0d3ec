"""A decision of 15m candles executed on 5m: what is known when, the window, the pull-back, quiet minutes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carry.child_entry import (
    ChildRules,
    child_entry,
    history_h,
    parent_columns,
    parent_frame,
    resampled,
)
from carry.errors import UsageError
from carry.features import FEATURE_COLUMNS, carry_features
from carry.market import load_market
from paper_exchange.sample import write_sample_market

PAIR = "BTC/USDT:USDT"
CHILD = pd.Timedelta("5min")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return five days of 5m candles, perp and spot, and the settlements."""
    folder = tmp_path_factory.mktemp("child-market")
    first = pd.Timestamp("2024-01-01", tz="UTC")
    write_sample_market(
        folder,
        seed=5,
        start=first.to_pydatetime(),
        end=(first + pd.Timedelta("6D")).to_pydatetime(),
        coins=("BTC",),
    )
    found = load_market(folder, PAIR, "5m")
    return found.perp, found.spot, found.funding


def columns(
    market: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame], until: int | None = None
) -> pd.DataFrame:
    """Return the parent's columns at each child close, from the market as it is after `until` candles."""
    perp, spot, funding = market
    stop = perp["date"].iloc[-1] + CHILD if until is None else perp["date"].iloc[until]
    perp, spot, funding = (
        frame[frame["date"] < stop].reset_index(drop=True) for frame in (perp, spot, funding)
    )
    return parent_columns(perp, spot, funding, "15m", perp["date"] + CHILD)


def test_a_slow_candle_is_its_children_and_is_there_only_when_they_are() -> None:
    dates = pd.date_range("2024-01-01", periods=7, freq="5min", tz="UTC")
    candles = pd.DataFrame({"date": dates, "open": 1.0, "high": 3.0, "low": 0.5, "close": 2.0, "volume": 1.0})
    candles["open"], candles["close"] = np.arange(7.0), np.arange(7.0) + 0.5
    slow = resampled(candles, "15m")
    assert list(slow["date"]) == [dates[0], dates[3]]
    assert list(slow["open"]) == [0.0, 3.0]
    assert list(slow["close"]) == [2.5, 5.5]
    assert list(slow["volume"]) == [3.0, 3.0]
    assert list(resampled(candles.drop(index=2), "15m")["date"]) == [dates[3]], "its last child is not known"
    for wrong in ("5m", "7m", "1m"):
        with pytest.raises(UsageError, match="not a multiple"):
            resampled(candles, wrong)


def test_the_parents_features_are_those_of_its_own_candles(
    market: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
) -> None:
    perp, spot, funding = market
    slow = resampled(perp, "15m")
    direct = carry_features(slow, resampled(spot, "15m"), funding, "15m")
    seen = parent_frame(columns(market))
    at = seen.index[seen["close"] == perp["date"] + CHILD]  # the child closes at which a parent closes
    for name in FEATURE_COLUMNS:
        assert np.array_equal(
            seen.loc[at, name].to_numpy(dtype=float), direct[name].to_numpy(dtype=float), equal_nan=True
        ), name
    assert (seen["close"].dropna() <= (perp["date"] + CHILD)[seen["close"].notna()]).all()


@settings(deadline=None)
@given(until=st.integers(300, 1700))
def test_what_a_close_knows_does_not_change_later(
    market: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame], until: int
) -> None:
    before, after = columns(market, until), columns(market)
    pd.testing.assert_frame_equal(before, after.iloc[:until], check_dtype=False)


@pytest.mark.parametrize("bars", [36, 96])
def test_a_bots_history_decides_the_last_row_as_all_of_the_past_does(
    market: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame], bars: int
) -> None:
    rules = ChildRules(bars=bars, pullback_bps=0.5)

    def decides(first: pd.Timestamp, last: pd.Timestamp) -> bool:
        perp, spot = (one[one["date"].between(first, last)].reset_index(drop=True) for one in market[:2])
        funding = market[2][market[2]["date"] <= last]
        known = parent_columns(perp, spot, funding, "15m", perp["date"] + CHILD)
        rows = pd.concat([carry_features(perp, spot, funding, "5m"), known], axis=1)
        decided = parent_frame(rows)["spread_zscore_72h"] > -1.5
        return bool(child_entry(rows, decided, rules).iloc[-1])

    dates = market[0]["date"]
    told = [
        (decides(dates.iloc[0], last), decides(last - pd.Timedelta(hours=history_h(bars, "5m")), last))
        for last in dates.iloc[1300:1700:9]
    ]
    assert all(whole == short for whole, short in told)
    assert len({whole for whole, _ in told}) == 2


def test_recorded_slow_candles_are_the_fast_ones_put_together(recorded: Path) -> None:
    for coin in ("BTC", "ETH", "SOL"):
        pair = f"{coin}/USDT:USDT"
        fast, slow = (load_market(recorded / "binance_5m", pair, timeframe) for timeframe in ("5m", "15m"))
        for made, kept in ((fast.perp, slow.perp), (fast.spot, slow.spot)):
            pd.testing.assert_frame_equal(resampled(made, "15m"), kept, check_dtype=False)


def frame(spread: list[float], to_settlement_min: list[float] | None = None) -> pd.DataFrame:
    """Return child rows with these spreads, a parent known at each, the settlement so many minutes away."""
    minutes = to_settlement_min or [240.0] * len(spread)
    return pd.DataFrame(
        {
            "spread_bps": spread,
            "hours_to_settlement": np.array(minutes) / 60.0,
            "funding_age_h": (480.0 - np.array(minutes)) / 60.0,
            "parent_close": pd.Timestamp("2024-01-01", tz="UTC"),
        }
    )


def entered(rows: pd.DataFrame, decision: str, **rules: float) -> str:
    """Return the entries as text, the decision given likewise."""
    decided = pd.Series([sign == "x" for sign in decision])
    found = child_entry(rows, decided, ChildRules(**rules))  # type: ignore[arg-type]
    return "".join("x" if one else "." for one in found)


def test_without_a_pull_back_the_decision_is_the_entry() -> None:
    assert entered(frame([1.0] * 6), ".xxx.x") == ".xxx.x"
    rows = frame([1.0] * 3)
    rows.loc[0, "parent_close"] = pd.NaT
    assert entered(rows, "xxx") == ".xx", "no parent candle is known yet"


def test_a_pull_back_is_measured_from_the_first_decision_within_the_window() -> None:
    spread = [9.0, 5.0, 5.5, 6.0, 7.0, 4.0, 6.5, 9.0]
    assert entered(frame(spread), ".xxxxxxx", bars=3, pullback_bps=1.0) == "...x....", (
        "then the window is over"
    )
    assert entered(frame(spread), ".xxxxxxx", bars=7, pullback_bps=1.0) == "...xx.xx"
    assert entered(frame(spread), ".xx.xxxx", bars=3, pullback_bps=1.0) == "........", "begun anew at 7.0"
    assert entered(frame(spread), ".xxxx.xx", bars=3, pullback_bps=1.0) == "...x...x"


def test_an_unknown_spread_opens_nothing() -> None:
    nan = float("nan")
    assert entered(frame([nan, 9.0, 9.0]), "xxx", pullback_bps=1.0) == "...", "nothing to measure from"
    assert entered(frame([1.0, nan, 9.0]), "xxx", pullback_bps=1.0) == "..x"


def test_nothing_is_opened_around_a_settlement() -> None:
    minutes = [15.0, 10.0, 5.0, 0.0, 475.0, 470.0, 465.0, float("nan")]
    assert entered(frame([1.0] * 8, minutes), "xxxxxxxx", quiet_minutes=10) == "x....xx."
    assert entered(frame([1.0] * 8, minutes), "xxxxxxxx") == "xxxxxxxx"

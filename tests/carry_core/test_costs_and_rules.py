"""The cost model's arithmetic and the exit rules, row by row."""

from dataclasses import replace

import pandas as pd
import pytest

from carry.costs import CostModel, Liquidity
from carry.errors import UsageError
from carry.rules import (
    ExitPolicy,
    ExitReason,
    PairView,
    combined_entry,
    decide_exit,
    extreme_entry,
    extreme_hold,
    fills_at_settlement,
    funding_hold,
    settles_soon,
    spread_hold,
)

NAN = float("nan")
CALM = PairView(
    held_h=10.0,
    entry_on=False,
    settled=True,
    negative_funding_h=0.0,
    pnl_bps=0.0,
    exit_cost_bps=17.0,
    liquidation_distance=0.4,
    roll_distance=0.25,
)


def test_binance_lowest_tier_costs_17_bps_a_side_and_34_a_round_trip() -> None:
    costs = CostModel()
    assert (costs.side_bps, costs.round_trip_bps) == pytest.approx((17.0, 34.0))


def test_maker_liquidity_uses_the_maker_rate_of_its_leg() -> None:
    costs = CostModel(perp_liquidity=Liquidity.MAKER, spot_liquidity=Liquidity.MAKER, spot_maker_bps=7.0)
    assert (costs.perp_fee_rate, costs.spot_fee_rate) == pytest.approx((2e-4, 7e-4))


def test_break_even_days_pay_the_round_trip_and_the_fixed_cost_from_funding_net_of_borrow() -> None:
    costs = CostModel(fixed_per_trade=2.0, borrow_daily_bps=1.0)
    assert costs.break_even_days(daily_funding_bps=5.0, notional=10_000.0) == pytest.approx((34 + 2) / 4)
    assert costs.break_even_days(daily_funding_bps=1.0, notional=10_000.0) == float("inf")


@pytest.mark.parametrize("value", [-1.0, NAN, 10_000.0])
def test_a_value_that_is_no_cost_is_refused(value: float) -> None:
    with pytest.raises(UsageError, match="spot_taker_bps"):
        CostModel(spot_taker_bps=value)


@pytest.mark.parametrize(
    ("policy", "view", "reason"),
    [
        (ExitPolicy(), CALM, None),
        (ExitPolicy(), replace(CALM, liquidation_distance=0.2), ExitReason.ROLL),
        (ExitPolicy(stop_loss_bps=50), replace(CALM, pnl_bps=-50.0), ExitReason.STOP_LOSS),
        (ExitPolicy(stop_loss_bps=50), replace(CALM, pnl_bps=-49.9), None),
        (ExitPolicy(stop_loss_bps=50), replace(CALM, pnl_bps=NAN), None),
        (ExitPolicy(take_profit_bps=25), replace(CALM, pnl_bps=42.0), ExitReason.TAKE_PROFIT),
        (ExitPolicy(take_profit_bps=25), replace(CALM, pnl_bps=41.9), None),
        (ExitPolicy(holding_window_h=10), CALM, ExitReason.HOLDING_WINDOW),
        (ExitPolicy(holding_window_h=10), replace(CALM, entry_on=True), None),
        (ExitPolicy(holding_window_h=10), replace(CALM, held_h=9.0), None),
        (ExitPolicy(maximum_holding_h=10), replace(CALM, entry_on=True), ExitReason.MAXIMUM_HOLDING),
        (ExitPolicy(maximum_holding_h=11), CALM, None),
        (ExitPolicy(after_settlement=True), CALM, ExitReason.AFTER_SETTLEMENT),
        (ExitPolicy(after_settlement=True), replace(CALM, settled=False), None),
    ],
)
def test_one_limit_at_a_time(policy: ExitPolicy, view: PairView, reason: ExitReason | None) -> None:
    assert decide_exit(policy, view) is reason


@pytest.mark.parametrize(
    ("negative_h", "pnl_bps", "reason"),
    [
        (24.0, 17.0, ExitReason.FUNDING_FLIPPED),
        (23.0, 17.0, None),  # shorter than the tolerance
        (24.0, 16.9, None),  # leaving now would lock in a loss
        (240.0, NAN, None),  # the pair's profit is not known
    ],
)
def test_a_flip_closes_only_beyond_the_tolerance_and_past_break_even(
    negative_h: float, pnl_bps: float, reason: ExitReason | None
) -> None:
    view = replace(CALM, negative_funding_h=negative_h, pnl_bps=pnl_bps)
    assert decide_exit(ExitPolicy(flip_tolerance_h=24.0), view) is reason


def test_the_roll_comes_before_every_other_reason() -> None:
    policy = ExitPolicy(stop_loss_bps=1, maximum_holding_h=1, after_settlement=True)
    view = replace(CALM, liquidation_distance=0.1, pnl_bps=-500.0)
    assert decide_exit(policy, view) is ExitReason.ROLL


def features(**columns: list[float]) -> pd.DataFrame:
    """Return a frame of features."""
    return pd.DataFrame(columns)


def test_an_entry_needs_every_input_and_both_margins() -> None:
    frame = features(
        funding_bps=[1.0, 0.9, 1.0, NAN, 1.0, 1.0],
        spread_zscore_72h=[1.5, 1.5, 1.4, 1.5, NAN, 1.5],
        positive_funding_regime=[True, True, True, True, True, False],
    )
    assert combined_entry(frame, 1.0, 1.5).tolist() == [True, False, False, False, False, False]


def test_missing_data_never_end_a_hold() -> None:
    frame = features(funding_bps=[0.5, -0.1, NAN], spread_zscore_72h=[0.5, -0.1, NAN])
    assert funding_hold(frame, 1.0, 1.0).tolist() == [True, False, True]
    assert spread_hold(frame, 1.0, 1.0).tolist() == [True, False, True]


def test_extreme_funding_needs_the_positive_side() -> None:
    frame = features(
        funding_bps=[4.1, 4.0, -9.0, 0.9],
        funding_mean_360_bps=[1.0, 1.0, -1.0, 1.0],
        funding_std_360_bps=[3.0, 3.0, 3.0, 3.0],
    )
    assert extreme_entry(frame).tolist() == [True, False, False, False]
    assert extreme_hold(frame).tolist() == [True, True, True, False]


def test_fills_at_a_settlement_are_avoided_only_where_they_can_be() -> None:
    frame = features(hours_to_settlement=[0.0, 1.0, 0.0, NAN], funding_interval_h=[8.0, 8.0, 1.0, NAN])
    assert fills_at_settlement(frame, 1.0).tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("hours", "interval", "at", "lead_s", "soon"),
    [
        (1.0, 8.0, "15:59:44", 15.0, False),
        (1.0, 8.0, "15:59:46", 15.0, True),
        (1.0, 8.0, "16:00:30", 15.0, True),  # the row is old: it does not know this settlement
        (1.0, 8.0, "15:49:59", 600.0, False),
        (1.0, 8.0, "15:50:01", 600.0, True),
        (0.0, 1.0, "15:00:01", 15.0, False),  # every candle settles: the row's own is over
        (0.0, 1.0, "15:59:50", 15.0, True),
        (NAN, NAN, "15:59:50", 15.0, False),
    ],
)
def test_a_bot_that_is_late_does_not_enter_at_a_settlement(
    hours: float, interval: float, at: str, lead_s: float, soon: bool
) -> None:
    frame = features(hours_to_settlement=[NAN, hours], funding_interval_h=[8.0, interval])
    frame["date"] = pd.to_datetime(["2024-02-10 13:00", "2024-02-10 14:00"], utc=True)
    now = pd.Timestamp(f"2024-02-10 {at}", tz="UTC").to_pydatetime()
    assert settles_soon(frame, "1h", now, lead_s) is soon
    assert not settles_soon(frame.iloc[:0], "1h", now, lead_s)

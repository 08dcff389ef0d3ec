"""Entry and exit rules as pure functions: the same code in backtest, hyperopt, sweep, dry-run and live.

Vector rules take columns of `carry.features.carry_features` (one row per candle, decided at the row's
close, filled at the next open) and return a boolean Series on the same index. A comparison with NaN is
False, so an entry needs every input it uses; a *hold* rule turns False only on evidence, so missing data
never closes a hedged position. `decide_exit` is the scalar rule for one open pair.

Source: REFERENCES sections 1 (margins, grids), 2 (extreme funding control) and 6 (hysteresis).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import pandas as pd

from carry.market import timeframe_delta

UNSURE_S = 15.0  # around a settlement in which a fill is paid or not, says Binance


class ExitReason(StrEnum):
    """Why a pair is closed; freqtrade shows it as the exit reason."""

    ROLL = "roll"
    SIGNAL_OFF = "signal_off"
    HOLDING_WINDOW = "holding_window"
    MAXIMUM_HOLDING = "maximum_holding"
    AFTER_SETTLEMENT = "after_settlement"
    STOP_LOSS = "pair_stop_loss"
    TAKE_PROFIT = "pair_take_profit"
    FUNDING_FLIPPED = "funding_flipped"


def funding_entry(frame: pd.DataFrame, threshold_bps: float) -> "pd.Series[bool]":
    """Return rows whose last settled funding is at or above the threshold, in a positive regime."""
    return (frame["funding_bps"] >= threshold_bps) & frame["positive_funding_regime"].astype(bool)


def spread_entry(frame: pd.DataFrame, threshold: float) -> "pd.Series[bool]":
    """Return rows whose 72 h spread z-score is at or above the threshold."""
    return frame["spread_zscore_72h"] >= threshold


def combined_entry(frame: pd.DataFrame, funding_bps: float, spread_z: float) -> "pd.Series[bool]":
    """Return rows where the funding margin and the spread margin are both >= 0, regime on."""
    return funding_entry(frame, funding_bps) & spread_entry(frame, spread_z)


def funding_hold(frame: pd.DataFrame, threshold_bps: float, hysteresis_bps: float) -> "pd.Series[bool]":
    """Return rows where funding has not fallen below threshold - hysteresis (unknown counts as hold)."""
    return ~(frame["funding_bps"] < threshold_bps - hysteresis_bps)


def spread_hold(frame: pd.DataFrame, threshold: float, hysteresis: float) -> "pd.Series[bool]":
    """Return rows where the z-score has not fallen below threshold - hysteresis (unknown is hold)."""
    return ~(frame["spread_zscore_72h"] < threshold - hysteresis)


def extreme_entry(frame: pd.DataFrame) -> "pd.Series[bool]":
    """Return rows with funding above |mean| + std of the last 360 settlements, and positive."""
    level = frame["funding_mean_360_bps"].abs() + frame["funding_std_360_bps"]
    return (frame["funding_bps"] > level) & (frame["funding_bps"] > 0.0)


def extreme_hold(frame: pd.DataFrame) -> "pd.Series[bool]":
    """Return rows where |funding| is still at or above |mean| of the last 360 settlements."""
    return ~(frame["funding_bps"].abs() < frame["funding_mean_360_bps"].abs())


def fills_at_settlement(frame: pd.DataFrame, timeframe_h: float) -> "pd.Series[bool]":
    """Return rows whose next open coincides with a settlement that can be avoided.

    Whether a fill in the settlement second is paid is a coin toss, and venues pause around it. Where
    settlements are rarer than candles, the entry waits one candle; where every candle settles, it cannot.
    """
    avoidable = frame["funding_interval_h"] > timeframe_h
    return (frame["hours_to_settlement"] == 0.0) & avoidable


def settles_soon(frame: pd.DataFrame, timeframe: str, now: datetime, lead_s: float = UNSURE_S) -> bool:
    """Return whether the first settlement after the last row's close is within `lead_s` seconds, or past.

    A row is filled at the next open, but a trading bot may try until the next row is there. False for a frame
    without rows, or when the settlement is not known.
    """
    if frame.empty:
        return False
    row = frame.iloc[-1]
    hours = row["hours_to_settlement"] or row["funding_interval_h"]  # 0: the close is one
    if pd.isna(hours):
        return False
    next_one = row["date"] + timeframe_delta(timeframe) + pd.Timedelta(hours=hours)
    return bool((next_one - pd.Timestamp(now)).total_seconds() < lead_s)


@dataclass(frozen=True, slots=True)
class ExitPolicy:
    """Limits on one open pair. Hours; bps of the entry notional; 0 switches a limit off.

    `take_profit_bps` and `stop_loss_bps` apply to the pair's net P&L as marked at the last close.
    """

    holding_window_h: float = 0.0
    maximum_holding_h: float = 0.0
    after_settlement: bool = False
    stop_loss_bps: float = 0.0
    take_profit_bps: float = 0.0
    flip_tolerance_h: float = 0.0

    @property
    def is_open_ended(self) -> bool:
        """Return whether nothing but the roll can close the pair."""
        return self == _OPEN_ENDED

    @property
    def needs_pnl(self) -> bool:
        """Return whether the pair's P&L has to be known to decide."""
        return self.stop_loss_bps > 0 or self.take_profit_bps > 0 or self.flip_tolerance_h > 0


_OPEN_ENDED = ExitPolicy()


@dataclass(frozen=True, slots=True)
class PairView:
    """What is known of one open pair at a candle's open: everything as of the candle before.

    `pnl_bps` net of all costs so far (exit costs not yet paid), NaN when spot was not traded;
    `exit_cost_bps` of leaving with both legs; `settled` whether a settlement was earned since the
    entry; `liquidation_distance` = liquidation price / price - 1, inf when unknown.
    """

    held_h: float
    entry_on: bool
    settled: bool
    negative_funding_h: float
    pnl_bps: float
    exit_cost_bps: float
    liquidation_distance: float
    roll_distance: float


def decide_exit(policy: ExitPolicy, view: PairView) -> ExitReason | None:
    """Return the first reason to close the pair now, or None to hold.

    Safety first (roll), then money (stop, take), then time. A flip of funding closes the pair only when
    it has lasted beyond the tolerance and leaving does not lock in a loss: closing on every flip
    costs more than it saves (REFERENCES section 6).
    """
    flipped = 0 < policy.flip_tolerance_h <= view.negative_funding_h
    reasons = (
        (ExitReason.ROLL, view.liquidation_distance < view.roll_distance),
        (ExitReason.STOP_LOSS, 0 < policy.stop_loss_bps <= -view.pnl_bps),
        (ExitReason.TAKE_PROFIT, 0 < policy.take_profit_bps <= view.pnl_bps - view.exit_cost_bps),
        (ExitReason.FUNDING_FLIPPED, flipped and view.pnl_bps >= view.exit_cost_bps),
        (ExitReason.AFTER_SETTLEMENT, policy.after_settlement and view.settled),
        (ExitReason.MAXIMUM_HOLDING, 0 < policy.maximum_holding_h <= view.held_h),
        (ExitReason.HOLDING_WINDOW, 0 < policy.holding_window_h <= view.held_h and not view.entry_on),
    )
    return next((reason for reason, applies in reasons if applies), None)

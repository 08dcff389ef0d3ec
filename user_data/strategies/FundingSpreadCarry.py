"""Funding and spread together: open where the perp pays well and is dear against spot (REFERENCES 1)."""

import pandas as pd
from freqtrade.strategy import BooleanParameter, CategoricalParameter

from carry.rules import ExitPolicy, combined_entry, funding_hold, spread_hold
from hedge_leg.freqtrade_host import HedgedStrategy


class FundingSpreadCarry(HedgedStrategy):
    """Enter on funding >= threshold and z-score >= threshold; leave when both have gone.

    The published rule leaves as soon as one condition fails and pays the round trip every time; the
    hysteresis keeps the pair until funding and spread are both below threshold - hysteresis.
    """

    funding_threshold_bps = CategoricalParameter([0.5, 1.0, 1.5, 2.0], default=1.0, space="buy")
    spread_threshold = CategoricalParameter([1.0, 1.25, 1.5, 1.75], default=1.5, space="buy")
    funding_hysteresis_bps = CategoricalParameter([0.0, 0.5, 1.0, 1.5], default=1.0, space="sell")
    spread_hysteresis = CategoricalParameter([0.0, 1.0, 1.5, 2.5], default=1.5, space="sell")
    holding_window_h = CategoricalParameter([0, 24, 72, 168], default=0, space="sell")
    maximum_holding_h = CategoricalParameter([0, 48, 240, 720], default=720, space="sell")
    after_settlement = BooleanParameter(default=False, space="sell")
    stop_loss_bps = CategoricalParameter([0, 50, 100, 200], default=200, space="sell")
    take_profit_bps = CategoricalParameter([0, 25, 50, 100], default=0, space="sell")
    flip_tolerance_h = CategoricalParameter([0, 2, 24, 72], default=24, space="sell")

    def entry_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Both margins >= 0 in a positive funding regime."""
        return combined_entry(frame, self.funding_threshold_bps.value, self.spread_threshold.value)

    def hold_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Hold while either funding or spread is still within its hysteresis."""
        funding = funding_hold(frame, self.funding_threshold_bps.value, self.funding_hysteresis_bps.value)
        return funding | spread_hold(frame, self.spread_threshold.value, self.spread_hysteresis.value)

    def exit_policy(self) -> ExitPolicy:
        """Limits from the parameters."""
        return ExitPolicy(
            holding_window_h=self.holding_window_h.value,
            maximum_holding_h=self.maximum_holding_h.value,
            after_settlement=self.after_settlement.value,
            stop_loss_bps=self.stop_loss_bps.value,
            take_profit_bps=self.take_profit_bps.value,
            flip_tolerance_h=self.flip_tolerance_h.value,
        )

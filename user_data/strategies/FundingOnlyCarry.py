"""Funding alone: open where the perp pays well, whatever the spread (REFERENCES 1)."""

import pandas as pd
from freqtrade.strategy import CategoricalParameter

from carry.rules import ExitPolicy, funding_entry, funding_hold
from hedge_leg.freqtrade_host import HedgedStrategy


class FundingOnlyCarry(HedgedStrategy):
    """Enter on funding >= threshold in a positive regime; leave when it has fallen by the hysteresis."""

    funding_threshold_bps = CategoricalParameter([0.5, 1.0, 1.5, 2.0, 2.5, 3.0], default=1.0, space="buy")
    funding_hysteresis_bps = CategoricalParameter([0.0, 0.5, 1.0, 2.0, 3.0], default=2.0, space="sell")
    maximum_holding_h = CategoricalParameter([0, 48, 240, 720], default=0, space="sell")
    stop_loss_bps = CategoricalParameter([0, 50, 100, 200], default=200, space="sell")
    flip_tolerance_h = CategoricalParameter([0, 2, 24, 72], default=24, space="sell")

    def entry_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Last settled funding at or above the threshold."""
        return funding_entry(frame, self.funding_threshold_bps.value)

    def hold_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Hold until funding is below threshold - hysteresis."""
        return funding_hold(frame, self.funding_threshold_bps.value, self.funding_hysteresis_bps.value)

    def exit_policy(self) -> ExitPolicy:
        """Limits from the parameters."""
        return ExitPolicy(
            maximum_holding_h=self.maximum_holding_h.value,
            stop_loss_bps=self.stop_loss_bps.value,
            flip_tolerance_h=self.flip_tolerance_h.value,
        )

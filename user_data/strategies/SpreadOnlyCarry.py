"""Spread alone: open where the perp is dear against spot, leave on convergence (REFERENCES 1)."""

import pandas as pd
from freqtrade.strategy import CategoricalParameter

from carry.rules import ExitPolicy, spread_entry, spread_hold
from hedge_leg.freqtrade_host import HedgedStrategy


class SpreadOnlyCarry(HedgedStrategy):
    """Enter on a 72 h z-score >= threshold; leave when it has fallen by the hysteresis or time is up."""

    spread_threshold = CategoricalParameter([0.75, 1.0, 1.25, 1.5, 1.75, 2.0], default=1.5, space="buy")
    spread_hysteresis = CategoricalParameter([0.5, 1.5, 2.5, 3.5], default=2.5, space="sell")
    maximum_holding_h = CategoricalParameter([24, 48, 168, 720], default=168, space="sell")
    stop_loss_bps = CategoricalParameter([0, 50, 100, 200], default=200, space="sell")
    take_profit_bps = CategoricalParameter([0, 25, 50, 100], default=0, space="sell")

    def entry_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Spread z-score at or above the threshold."""
        return spread_entry(frame, self.spread_threshold.value)

    def hold_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Hold until the z-score is below threshold - hysteresis."""
        return spread_hold(frame, self.spread_threshold.value, self.spread_hysteresis.value)

    def exit_policy(self) -> ExitPolicy:
        """Limits from the parameters."""
        return ExitPolicy(
            maximum_holding_h=self.maximum_holding_h.value,
            stop_loss_bps=self.stop_loss_bps.value,
            take_profit_bps=self.take_profit_bps.value,
        )

"""Funding and spread together, decided on 15m, executed on 5m (docs/research/child-execution.md)."""

import pandas as pd
from freqtrade.strategy import CategoricalParameter

from carry.child_entry import ChildRules
from carry.rules import ExitPolicy, combined_entry, funding_hold, spread_hold
from hedge_leg.child_strategy import ChildStrategy


class ChildSpreadCarry(ChildStrategy):
    """FundingSpreadCarry's rules on 15m candles; the entry waits for a child bar that is better."""

    funding_threshold_bps = CategoricalParameter([0.5, 1.0, 1.5, 2.0], default=1.0, space="buy")
    spread_threshold = CategoricalParameter([1.0, 1.25, 1.5, 1.75], default=1.5, space="buy")
    child_bars = CategoricalParameter([3, 6, 12, 36], default=6, space="buy")
    pullback_bps = CategoricalParameter([0.0, 0.5, 1.0, 2.0], default=0.0, space="buy")
    quiet_minutes = CategoricalParameter([0, 10, 30], default=0, space="buy")
    funding_hysteresis_bps = CategoricalParameter([0.0, 0.5, 1.0, 1.5], default=1.0, space="sell")
    spread_hysteresis = CategoricalParameter([0.0, 1.0, 1.5, 2.5], default=1.5, space="sell")
    maximum_holding_h = CategoricalParameter([0, 48, 240, 720], default=720, space="sell")
    stop_loss_bps = CategoricalParameter([0, 50, 100, 200], default=200, space="sell")
    flip_tolerance_h = CategoricalParameter([0, 2, 24, 72], default=24, space="sell")

    def decision_rule(self, parent: pd.DataFrame) -> "pd.Series[bool]":
        """Both margins >= 0 in a positive funding regime, on 15m."""
        return combined_entry(parent, self.funding_threshold_bps.value, self.spread_threshold.value)

    def parent_hold_rule(self, parent: pd.DataFrame) -> "pd.Series[bool]":
        """Hold while either funding or spread is still within its hysteresis, on 15m."""
        funding = funding_hold(parent, self.funding_threshold_bps.value, self.funding_hysteresis_bps.value)
        return funding | spread_hold(parent, self.spread_threshold.value, self.spread_hysteresis.value)

    def child_rules(self) -> ChildRules:
        """Wait, a pull-back, quiet minutes: from the parameters."""
        return ChildRules(self.child_bars.value, self.pullback_bps.value, self.quiet_minutes.value)

    def exit_policy(self) -> ExitPolicy:
        """Limits from the parameters."""
        return ExitPolicy(
            maximum_holding_h=self.maximum_holding_h.value,
            stop_loss_bps=self.stop_loss_bps.value,
            flip_tolerance_h=self.flip_tolerance_h.value,
        )

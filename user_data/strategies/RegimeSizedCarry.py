"""Size by regime: open while the basis relaxes and funding pays, full, at 0.6 or at 0.25 (REFERENCES 2)."""

import pandas as pd
from freqtrade.strategy import BooleanParameter, CategoricalParameter

from carry.regime_features import REGIME_HISTORY_H, regime_columns
from carry.regime_rules import Exposures, RegimeParameters, exposure_rule, regime_entry, regime_hold
from carry.rules import ExitPolicy
from hedge_leg.sized_strategy import SizedStrategy

_CYCLE_H = 8


class RegimeSizedCarry(SizedStrategy):
    """Trade the causal regimes; resize and leave only where the funding expected does not pay it back."""

    entry_exposure = CategoricalParameter([1.0, 0.6, 0.25], default=0.6, space="buy")
    relaxation_ratio = CategoricalParameter([0.7, 1.05, 1.4], default=1.4, space="buy")
    positive_basis = BooleanParameter(default=False, space="buy")
    payback_days = CategoricalParameter([0, 7, 15, 30, 60], default=60, space="buy")
    flip_share = CategoricalParameter([0.1, 0.25, 0.4, 1.0], default=0.4, space="buy")
    leave_on_median = BooleanParameter(default=True, space="sell")
    leave_on_ness = BooleanParameter(default=True, space="sell")
    flip_tolerance_h = CategoricalParameter([0, 24, 72, 168], default=24, space="sell")
    maximum_cycles = CategoricalParameter([0, 2, 21, 90], default=0, space="sell")
    confirm_h = CategoricalParameter([0, 24, 72, 168], default=72, space="sell")
    resize_band = CategoricalParameter([0.1, 0.2, 0.36, 0.5], default=0.2, space="sell")

    def features_of(self, pair: str, candles: pd.DataFrame) -> pd.DataFrame:
        """Add the regimes that each candle's close knows."""
        past = self.leg.history(pair, candles, REGIME_HISTORY_H)
        market = (past.perp, past.spot, past.funding, self.timeframe)
        regimes = regime_columns(*market, candles["date"], past.open_interest)
        return pd.concat([super().features_of(pair, candles), regimes], axis=1)

    def parameters(self) -> RegimeParameters:
        """Return the rules' parameters as freqtrade has them now."""
        return RegimeParameters(
            entry_exposure=self.entry_exposure.value,
            relaxation_ratio=self.relaxation_ratio.value,
            positive_basis=self.positive_basis.value,
            payback_days=self.payback_days.value,
            flip_share=self.flip_share.value,
            leave_on_median=self.leave_on_median.value,
            leave_on_ness=self.leave_on_ness.value,
            flip_tolerance_h=self.flip_tolerance_h.value,
            confirm_h=self.confirm_h.value,
            resize_band=self.resize_band.value,
            round_trip_bps=self.hedge.costs.round_trip_bps,
        )

    def entry_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """The digest's conditions, not vetoed, and funding that pays the round trip back."""
        return regime_entry(frame, self.parameters(), self.veto_limits)

    def hold_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Hold until basis, regime or funding say leave and the funding expected does not pay for more."""
        return regime_hold(frame, self.parameters())

    def exit_policy(self) -> ExitPolicy:
        """At most so many cycles, where that is asked for."""
        return ExitPolicy(maximum_holding_h=self.maximum_cycles.value * _CYCLE_H)

    def exposures(self, frame: pd.DataFrame, hold: "pd.Series[bool]") -> tuple[Exposures, float]:
        """1.0, 0.6 or 0.25 by regime, changed when it has lasted and is worth the cost."""
        parameters = self.parameters()
        return exposure_rule(frame, hold, parameters), parameters.resize_band

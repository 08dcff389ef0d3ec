"""ChildStrategy: a hedged pair whose rules read a slower timeframe than the one it is executed on.

`timeframe` is the child's (5m): freqtrade calls at its closes, in backtests and live alike. freqtrade's
`timeframe_detail` cannot do this: it fills exits on the detail candles, but opens on the main candle only
(ADR 15).
"""

from abc import abstractmethod

import pandas as pd

from carry.child_entry import ChildRules, child_entry, parent_columns, parent_frame
from carry.market import timeframe_delta
from hedge_leg.freqtrade_host import HedgedStrategy

_HISTORY_H = 76  # of the parent's 72 h, with room for a candle that is missing


class ChildStrategy(HedgedStrategy):
    """Base of strategies that decide on `parent_timeframe` and execute on `timeframe`."""

    timeframe = "5m"
    parent_timeframe = "15m"
    startup_candle_count = 900  # 72 h of 5m candles and some

    @abstractmethod
    def decision_rule(self, parent: pd.DataFrame) -> "pd.Series[bool]":
        """Return rows whose parent candle says that the pair should be opened. Columns: carry.features."""

    def parent_hold_rule(self, parent: pd.DataFrame) -> "pd.Series[bool]":
        """Return rows whose parent candle keeps an open pair; the default keeps it."""
        return pd.Series(True, index=parent.index)

    def child_rules(self) -> ChildRules:
        """Return how a decision is executed; the default: at once."""
        return ChildRules()

    def features_of(self, pair: str, candles: pd.DataFrame) -> pd.DataFrame:
        """Add the parent's features, as each close of the child knows them."""
        own = super().features_of(pair, candles)
        past = self.leg.history(pair, candles, _HISTORY_H)
        closes = candles["date"] + timeframe_delta(self.timeframe)
        parent = parent_columns(past.perp, past.spot, past.funding, self.parent_timeframe, closes)
        return pd.concat([own, parent.set_index(own.index)], axis=1)

    def entry_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Execute the parent's decision."""
        return child_entry(frame, self.decision_rule(parent_frame(frame)), self.child_rules())

    def hold_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Hold as the parent's last closed candle says."""
        return self.parent_hold_rule(parent_frame(frame))

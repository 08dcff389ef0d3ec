"""ChildStrategy: a hedged pair whose rules read a slower timeframe than the one it is executed on.

`timeframe` is the child's (5m): freqtrade calls at its closes, in backtests and live alike. freqtrade's
`timeframe_detail` cannot do this: it fills exits on the detail candles, but opens on the main candle only
(ADR 15).
"""

from abc import abstractmethod
from datetime import datetime
from typing import Any

import pandas as pd

from carry.child_entry import ChildRules, child_entry, history_h, parent_columns, parent_frame
from carry.errors import UsageError
from carry.market import timeframe_delta
from carry.rules import settles_soon
from hedge_leg.freqtrade_host import HedgedStrategy


class ChildStrategy(HedgedStrategy):
    """Base of strategies that decide on `parent_timeframe` and execute on `timeframe`."""

    timeframe = "5m"
    parent_timeframe = "15m"
    startup_candle_count = 900  # 72 h of 5m candles and some
    most_child_bars = 96  # 8 h: how wide a window a bot's history reaches back for
    ignore_buying_expired_candle_after = 90  # seconds: a row is filled at the next open, in a bot, too

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
        past = self.leg.history(pair, candles, history_h(self.most_child_bars, self.timeframe))
        closes = candles["date"] + timeframe_delta(self.timeframe)
        parent = parent_columns(past.perp, past.spot, past.funding, self.parent_timeframe, closes)
        return pd.concat([own, parent.set_index(own.index)], axis=1)

    def entry_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Execute the parent's decision. UsageError: a window wider than the history that a bot reads."""
        rules = self.child_rules()
        if rules.bars > self.most_child_bars:
            raise UsageError(f"child_bars {rules.bars}: at most most_child_bars ({self.most_child_bars})")
        return child_entry(frame, self.decision_rule(parent_frame(frame)), rules)

    def hold_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Hold as the parent's last closed candle says."""
        return self.parent_hold_rule(parent_frame(frame))

    def confirm_trade_entry(self, pair: str, *args: Any, current_time: datetime, **kwargs: Any) -> bool:
        """Keep a bot, which may be late, out of the quiet minutes before a settlement, too."""
        quiet_s = self.child_rules().quiet_minutes * 60.0
        if self.trading and quiet_s > 0:
            seen = self.dp.get_analyzed_dataframe(pair, self.timeframe)[0]
            if settles_soon(seen, self.timeframe, current_time, quiet_s):
                return False
        return super().confirm_trade_entry(pair, *args, current_time=current_time, **kwargs)

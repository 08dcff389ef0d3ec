"""A hedged strategy that shrinks and grows its pair all the time: partial exits and additions."""

from datetime import datetime

import pandas as pd
from freqtrade.persistence import LocalTrade

from carry.rules import funding_entry, funding_hold
from hedge_leg.freqtrade_host import HedgedStrategy


class ResizingCarry(HedgedStrategy):
    """Take 30 % off at noon, add 20 % at 18:00, and change size right at the 16:00 settlement on Fridays."""

    position_adjustment_enable = True

    def entry_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Enter on funding."""
        return funding_entry(frame, 1.0)

    def hold_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Hold with hysteresis."""
        return funding_hold(frame, 1.0, 1.5)

    def resize(self, trade: LocalTrade, current_time: datetime, max_stake: float) -> float | None:
        """Change the stake by the hour."""
        friday_settlement = current_time.weekday() == 4 and current_time.hour == 16
        share = {12: -0.3, 18: 0.2}.get(current_time.hour, -0.1 if friday_settlement else 0.0)
        return float(trade.stake_amount) * share if share and current_time.minute == 0 else None

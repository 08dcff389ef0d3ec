"""A hedged strategy by the clock: in at some hours, out at others, the same in every run mode."""

import pandas as pd

from hedge_leg.freqtrade_host import HedgedStrategy

ENTER_HOURS = (1, 11, 18)
LEAVE_HOURS = (5, 15, 22)


class ClockworkCarry(HedgedStrategy):
    """Decided at the close of a candle that opened at one of the hours, done at the next open."""

    startup_candle_count = 100

    def entry_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Enter after certain hours, only where funding and spread are known."""
        known = frame["funding_bps"].notna() & frame["spread_bps"].notna()
        chosen: pd.Series[bool] = frame["date"].dt.hour.isin(ENTER_HOURS) & known
        return chosen

    def hold_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Leave after certain hours; hold no pair that a roll would open again."""
        kept: pd.Series[bool] = ~frame["date"].dt.hour.isin(LEAVE_HOURS)
        return kept

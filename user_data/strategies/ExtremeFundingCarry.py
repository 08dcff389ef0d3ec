"""Control: only extreme funding, |F| > |mean| + std of 360 settlements, short side (REFERENCES 2)."""

import pandas as pd

from carry.rules import ExitPolicy, extreme_entry, extreme_hold
from hedge_leg.freqtrade_host import HedgedStrategy

_CYCLES_HELD = 12
_CYCLE_H = 8


class ExtremeFundingCarry(HedgedStrategy):
    """Enter on positive funding beyond |mean| + std; leave below |mean| or after 12 cycles."""

    def entry_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Positive funding beyond |mean| + std of the last 360 settlements."""
        return extreme_entry(frame)

    def hold_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Hold while |funding| is at or above |mean|."""
        return extreme_hold(frame)

    def exit_policy(self) -> ExitPolicy:
        """Twelve 8 h cycles at most."""
        return ExitPolicy(maximum_holding_h=_CYCLES_HELD * _CYCLE_H)

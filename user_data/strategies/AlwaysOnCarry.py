"""Control: the pair held from the first candle to the last. It pays only for what it trades."""

import pandas as pd

from hedge_leg.freqtrade_host import HedgedStrategy


class AlwaysOnCarry(HedgedStrategy):
    """Open at once, close never; only the roll before liquidation trades again."""

    def entry_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Open wherever the funding is known."""
        return frame["funding_bps"].notna()

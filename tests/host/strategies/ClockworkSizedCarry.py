"""A sized hedged strategy by the clock: in at 01:00 at 0.6, out at 22:00, resized in between."""

import numpy as np
import pandas as pd

from carry.regime_rules import Exposures
from hedge_leg.sized_strategy import SizedStrategy

BY_HOUR = {1: 0.6, 5: 1.0, 9: 0.25, 13: 0.3, 17: 0.6, 20: 0.4}  # 0.3 lies within the band around 0.25


class ClockworkSizedCarry(SizedStrategy):
    """Decided at the close of a candle that opened at one of the hours, done at the next open."""

    startup_candle_count = 100

    def entry_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Enter after one hour of the day."""
        chosen: pd.Series[bool] = (frame["date"].dt.hour == 1) & frame["spread_bps"].notna()
        return chosen

    def hold_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Leave in the evening."""
        kept: pd.Series[bool] = frame["date"].dt.hour < 22
        return kept

    def exposures(self, frame: pd.DataFrame, hold: "pd.Series[bool]") -> tuple[Exposures, float]:
        """Return the last hour's exposure, in both directions."""
        hours = frame["date"].dt.hour
        level = hours.map(BY_HOUR).ffill().fillna(1.0).to_numpy(dtype=np.float64)
        kept = hold.to_numpy(dtype=np.bool_)
        return Exposures(level, np.where(kept, level, 0.0), np.where(kept, level, np.inf)), 0.1

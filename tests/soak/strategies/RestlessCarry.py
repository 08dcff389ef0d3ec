"""A hedged strategy that never rests: in at once, resized at random hours, out after some, in again."""

import random
from datetime import datetime

import pandas as pd
from freqtrade.persistence import LocalTrade

from carry.rules import ExitPolicy
from hedge_leg.freqtrade_host import HedgedStrategy


class RestlessCarry(HedgedStrategy):
    """Pairs live for about nine hours; every fourth hour or so one is made larger or smaller."""

    position_adjustment_enable = True

    def entry_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Open wherever the funding is known."""
        return frame["funding_bps"].notna()

    def exit_policy(self) -> ExitPolicy:
        """Leave after nine hours."""
        return ExitPolicy(maximum_holding_h=9.0)

    def resize(self, trade: LocalTrade, current_time: datetime, max_stake: float) -> float | None:
        """Change the margin by up to a third, the same way in every run of the same hour."""
        chance = random.Random(f"{trade.pair}{current_time:%Y%m%d%H}")
        if current_time.minute > 10 or chance.random() > 0.25:
            return None
        return float(trade.stake_amount) * chance.choice((-0.33, -0.2, 0.2, 0.33))

"""The demonstration's strategy: always on, and resized once when it is told to."""

from datetime import datetime
from pathlib import Path

import pandas as pd
from freqtrade.persistence import LocalTrade

from hedge_leg.freqtrade_host import HedgedStrategy


class DemoCarry(HedgedStrategy):
    """Open at once, close never; a file `resize` in user_data asks once for its share of the stake."""

    position_adjustment_enable = True

    def entry_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Open wherever the funding is known."""
        return frame["funding_bps"].notna()

    def resize(self, trade: LocalTrade, current_time: datetime, max_stake: float) -> float | None:
        """Return the share of the stake that the file names, and take the file away."""
        order = Path(self.config["user_data_dir"]) / "resize"
        if not order.exists():
            return None
        share = float(order.read_text())
        order.unlink()
        return float(trade.stake_amount) * share

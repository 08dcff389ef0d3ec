"""A hedged strategy that a live test directs while the bot runs."""

from datetime import datetime
from typing import Any

import pandas as pd
from freqtrade.persistence import LocalTrade

from hedge_leg.freqtrade_host import HedgedStrategy


class DirectedCarry(HedgedStrategy):
    """Signals as the script says when a candle closes; `resize`: changes of the stake, each made once."""

    position_adjustment_enable = True

    @property
    def script(self) -> dict[str, Any]:
        """Return the script of the running bot: `enter`, `hold`, `resize`."""
        script: dict[str, Any] = self.config["script"]
        return script

    def entry_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Open while the script says so."""
        return pd.Series(bool(self.script.get("enter", True)), index=frame.index)

    def hold_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Hold while the script says so."""
        return pd.Series(bool(self.script.get("hold", True)), index=frame.index)

    def resize(self, trade: LocalTrade, current_time: datetime, max_stake: float) -> float | None:
        """Change the stake by the script's next fraction."""
        waiting = self.script.get("resize", [])
        return float(trade.stake_amount) * float(waiting.pop(0)) if waiting else None

"""A hedged strategy that does what the test's script says, candle by candle."""

from datetime import datetime
from typing import Any

import pandas as pd
from freqtrade.persistence import LocalTrade

from carry.rules import ExitPolicy
from hedge_leg.freqtrade_host import HedgedStrategy


class ScriptedCarry(HedgedStrategy):
    """Signals by row number (`enter`, `leave`), limits (`policy`), resizes by time (ms -> fraction)."""

    startup_candle_count = 0
    position_adjustment_enable = True

    @property
    def script(self) -> dict[str, Any]:
        """Return the script that the test put into the configuration."""
        script: dict[str, Any] = self.config["script"]
        return script

    def entry_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Enter on scripted rows."""
        return pd.Series(frame.index.isin(self.script["enter"]), index=frame.index)

    def hold_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Hold except on scripted rows."""
        return pd.Series(~frame.index.isin(self.script["leave"]), index=frame.index)

    def exit_policy(self) -> ExitPolicy:
        """Return the scripted limits."""
        return ExitPolicy(**self.script.get("policy", {}))

    def resize(self, trade: LocalTrade, current_time: datetime, max_stake: float) -> float | None:
        """Change the stake by the scripted fraction."""
        fraction = self.script["resize"].get(int(current_time.timestamp() * 1000))
        return None if fraction is None else float(trade.stake_amount) * float(fraction)

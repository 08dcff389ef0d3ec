"""A strategy without a hedge: short at once, out after ten hours."""

from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy


class PlainShort(IStrategy):  # type: ignore[misc]
    """Short the perp at threefold leverage."""

    timeframe = "1h"
    can_short = True
    stoploss = -0.9
    minimal_roi: dict[str, float] = {}  # noqa: RUF012
    startup_candle_count = 5
    position_adjustment_enable = False

    def populate_indicators(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Return the candles as they are."""
        return dataframe

    def populate_entry_trend(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Enter short on every candle."""
        dataframe["enter_short"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Exit on none."""
        return dataframe

    def leverage(self, pair: str, *args: Any, **kwargs: Any) -> float:
        """Return the leverage."""
        return 3.0

    def custom_exit(
        self, pair: str, trade: Trade, current_time: datetime, *args: Any, **kwargs: Any
    ) -> str | None:
        """Exit after ten hours."""
        return "ten_hours" if current_time - trade.open_date_utc >= timedelta(hours=10) else None

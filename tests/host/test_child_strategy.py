"""ChildSpreadCarry in a trading bot: the 15m decisions that it sees are those of a backtest."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from carry.child_entry import parent_columns
from carry.errors import UsageError
from carry.market import load_market
from tests.host.live_harness import PAIR, SHIPPED
from tests.host.live_world import market, world


def test_a_bot_reads_the_parents_candles_as_a_backtest_does(tmp_path: Path) -> None:
    options: dict[str, Any] = {"strategy": "ChildSpreadCarry", "strategy_path": str(SHIPPED)}
    with world(tmp_path, timeframe="5m", **options) as made:
        bot = made.start()
        made.loop(2, seconds=301)
        seen, _ = bot.dataprovider.get_analyzed_dataframe(PAIR, "5m")
        assert len(seen) > 100
        recorded = load_market(market()[0], PAIR, "5m")
        closes = seen["date"].dt.as_unit("ns") + np.timedelta64(5, "m")
        wanted = parent_columns(recorded.perp, recorded.spot, recorded.funding, "15m", closes)
        for name in ("parent_funding_bps", "parent_spread_zscore_72h", "parent_positive_funding_regime"):
            now = seen[name].to_numpy(dtype=float)[-12:]
            assert np.isfinite(now).all()
            np.testing.assert_allclose(now, wanted[name].to_numpy(dtype=float)[-12:], rtol=1e-9, err_msg=name)
        assert {"enter_short", "exit_short"} <= set(seen.columns)


def test_a_window_wider_than_a_bots_history_is_refused(tmp_path: Path) -> None:
    options: dict[str, Any] = {"strategy": "ChildSpreadCarry", "strategy_path": str(SHIPPED)}
    with world(tmp_path, timeframe="5m", **options) as made:
        strategy: Any = made.start().strategy
        strategy.child_bars.value = 97
        with pytest.raises(UsageError, match=r"child_bars 97: at most most_child_bars \(96\)"):
            strategy.entry_rule(pd.DataFrame())

"""RotatingCarry in a trading bot: it changes pairs when a backtest does, starting from what is held."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from freqtrade.persistence import Trade

from carry.features import carry_features
from carry.market import load_market
from carry.rotation import RotationRules, pair_series, rotate, rotation_market
from paper_exchange.sample import write_sample_market
from tests.host.live_harness import SHIPPED, rig, served

PAIRS = ["BTC/USDT:USDT", "ETH/USDT:USDT"]
FIRST, LAST = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 3, 20, tzinfo=UTC)
CHANGE = pd.Timestamp("2024-02-20", tz="UTC")
HOURS_BEFORE = 2


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a sample market in which ETH pays more than BTC from 20 February on."""
    datadir = tmp_path_factory.mktemp("market")
    write_sample_market(datadir, seed=3, start=FIRST, end=LAST, coins=("BTC", "ETH"))
    for coin, before, after in (("BTC", 4e-4, 1e-4), ("ETH", 1e-4, 12e-4)):
        path = datadir / "futures" / f"{coin}_USDT_USDT-1h-funding_rate.feather"
        funding = pd.read_feather(path)
        paid = np.where(funding["date"] < CHANGE, before, after)
        funding.assign(funding_rate=paid).to_feather(path)
    return datadir


def change_of_pairs(market: Path) -> pd.Timestamp:
    """Return the open at which a backtest changes from BTC to ETH; an empty account takes ETH before."""
    series = []
    for pair in PAIRS:
        found = load_market(market, pair, "1h")
        features = carry_features(found.perp, found.spot, found.funding, "1h")
        series.append(pair_series(pair, features.assign(date=found.perp["date"]), found.funding, "1h"))
    grid, rules = rotation_market(series, "1h"), RotationRules(capital_per_notional=1.5067)
    target = rotate(grid, rules, 1).target
    (row,) = np.flatnonzero(target[1:, 1] & target[:-1, 0]).tolist()
    assert rotate(grid, rules, 1, first=row - HOURS_BEFORE).target[row - HOURS_BEFORE].tolist() == [
        False,
        True,
    ]
    return pd.Timestamp(grid.closed[row + 1], tz="UTC")


def test_a_trading_bot_keeps_what_it_holds_until_a_change_pays_and_then_changes_in_one_candle(
    market: Path, tmp_path: Path
) -> None:
    changed = change_of_pairs(market)
    start = changed - timedelta(hours=HOURS_BEFORE)
    options: dict[str, Any] = {"strategy": "RotatingCarry", "strategy_path": str(SHIPPED)}
    with (
        served(market, f"{start:%Y-%m-%dT%H}:00:05") as exchange,
        rig(exchange, tmp_path, **options) as made,
    ):
        made.config["exchange"]["pair_whitelist"] = PAIRS[:1]
        made.start()
        made.loop(2, seconds=1800.0)
        made.kill()
        made.config["exchange"]["pair_whitelist"] = list(PAIRS)
        made.start()
        made.loop(2 * HOURS_BEFORE, seconds=1800.0)
        assert made.messages == []
        left, taken = sorted(Trade.get_trades([]).unique().all(), key=lambda trade: trade.id)
        assert (left.pair, left.exit_reason) == (PAIRS[0], "signal_off")
        assert (taken.pair, taken.is_open) == (PAIRS[1], True)
        opens = [pd.Timestamp(when).floor("h") for when in (left.close_date_utc, taken.open_date_utc)]
        assert opens == [changed, changed]

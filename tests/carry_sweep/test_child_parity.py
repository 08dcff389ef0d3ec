"""15m decides, 5m executes: freqtrade's backtest and the sweep make the same trades, no row looks ahead."""

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from tools.parity import Draw, FreqtradeSide, SweepSide, difference, draws

from carry.sweep import load_history
from carry.sweep.freqtrade_setup import load_exchange
from carry.sweep.signals import Value
from paper_exchange.sample import write_sample_market
from tests.e2e.commands import shipped_backtest

PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT")
NAME = "ChildSpreadCarry"
EAGER: dict[str, Value] = {"funding_threshold_bps": 0.5, "spread_threshold": 1.0, "maximum_holding_h": 48}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, exchange_url: str) -> dict[str, Any]:
    """Write five weeks of two coins and return the shipped configuration for them, on 5m."""
    datadir = tmp_path_factory.mktemp("child")
    begin, end = datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 2, 5, tzinfo=UTC)
    write_sample_market(datadir, seed=11, start=begin, end=end, coins=("BTC", "ETH"))
    return shipped_backtest(datadir, exchange_url, "5m") | {"timerange": "20230106-20230204"}


@pytest.fixture(scope="module")
def sides(config: dict[str, Any]) -> tuple[FreqtradeSide, SweepSide]:
    """Connect both."""
    exchange = load_exchange(config)
    history = load_history(config["datadir"], PAIRS, "5m")
    return FreqtradeSide(config, exchange), SweepSide(config, exchange, history)


def test_backtest_and_sweep_make_the_same_trades(sides: tuple[FreqtradeSide, SweepSide]) -> None:
    theirs, ours = sides
    trades = 0
    for draw in draws(4, 3, [ours.strategy(NAME)], PAIRS):
        expected = theirs.trades(draw)
        trades += len(expected)
        assert difference(expected, ours.trades(draw))[0] is None, draw
    assert trades > 20


def near_settlements(trades: pd.DataFrame) -> int:
    """Count the trades opened less than half an hour from a settlement of every eighth hour."""
    opened = pd.to_datetime(trades["open_date"], utc=True)
    minute = opened.dt.hour * 60 + opened.dt.minute
    return int((((minute + 29) % 480) < 59).sum())


def test_a_pull_back_waits_for_a_wider_spread_and_quiet_minutes_for_the_settlement(
    sides: tuple[FreqtradeSide, SweepSide],
) -> None:
    _, ours = sides
    waits: tuple[dict[str, Value], ...] = (
        {},
        {"pullback_bps": 1.0, "child_bars": 12},
        {"quiet_minutes": 30},
    )
    at_once, later, quiet = (ours.trades(Draw(NAME, PAIRS, EAGER | wait)) for wait in waits)
    assert 0 < len(later) < len(at_once)
    assert set(later["open_date"]) != set(at_once["open_date"])
    assert near_settlements(at_once) > 0
    assert near_settlements(quiet) == 0

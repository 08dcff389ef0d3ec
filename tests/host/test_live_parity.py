"""Live, dry-run and backtest of the same strategy on the same market make the same trades."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from freqtrade.persistence import Trade

from paper_exchange.sample import write_sample_market
from tests.host.backtest_harness import backtest_config, load_exchange, run_backtest
from tests.host.live_harness import PAIR, SHIPPED, STRATEGIES, Exchange, rig, served

START = datetime(2024, 2, 1, tzinfo=UTC)
DAYS = 4
Deal = tuple[str, pd.Timestamp, str, pd.Timestamp, str]


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a sample market with a month before the start."""
    datadir = tmp_path_factory.mktemp("parity-market")
    write_sample_market(
        datadir, start=START - timedelta(days=60), end=START + timedelta(days=10), coins=("BTC",)
    )
    return datadir


def deals(trades: list[Any]) -> list[Deal]:
    """Return pair, candle of the entry, its tag, candle of the exit and its reason, by time."""
    return sorted(
        (
            trade.pair,
            pd.Timestamp(trade.open_date_utc).floor("h"),
            str(trade.enter_tag),
            pd.Timestamp(trade.close_date_utc).floor("h"),
            str(trade.exit_reason),
        )
        for trade in trades
        if trade.close_date_utc is not None and trade.close_date_utc < START + timedelta(days=DAYS)
        if trade.exit_reason != "force_exit"
    )


def traded(exchange: Exchange, folder: Path, strategy: str, path: str, *, dry: bool) -> list[Deal]:
    """Let a bot live for some days, a loop after each candle's open and one within; return its deals."""
    changes = {"strategy": strategy, "strategy_path": path, "stake_amount": 9_000.0}
    with rig(exchange, folder, dry=dry, **changes) as made:
        made.start()
        for _ in range(DAYS * 24):
            made.loop(seconds=1800.0)
            made.loop(seconds=1800.0)
        assert made.messages == []
        return deals(list(Trade.get_trades([Trade.is_open.is_(False)]).unique().all()))


def backtested(exchange: Exchange, market: Path, strategy: str, path: str) -> list[Deal]:
    """Backtest the same days and return its deals."""
    stop = START + timedelta(days=DAYS)
    config = backtest_config(
        *(market, exchange.url),
        strategy=strategy,
        strategy_path=path,
        stake_amount=9_000.0,
        timerange=f"{int(START.timestamp())}-{int(stop.timestamp())}",
    )
    return deals(run_backtest(config, load_exchange(config)))


def compare(market: Path, tmp_path: Path, strategy: str, path: str) -> list[Deal]:
    """Return the deals of all three, which must be the same."""
    found: dict[str, list[Deal]] = {}
    modes: dict[str, Callable[[Exchange, Path], list[Deal]]] = {
        "live": lambda exchange, folder: traded(exchange, folder, strategy, path, dry=False),
        "dry": lambda exchange, folder: traded(exchange, folder, strategy, path, dry=True),
        "backtest": lambda exchange, _folder: backtested(exchange, market, strategy, path),
    }
    for name, run in modes.items():
        folder = tmp_path / name
        folder.mkdir()
        with served(market, f"{START:%Y-%m-%d}T00:00:05") as exchange:
            found[name] = run(exchange, folder)
    assert found["live"] == found["dry"]
    assert found["dry"] == found["backtest"]
    return found["live"]


def test_live_dry_run_and_backtest_make_the_same_trades(market: Path, tmp_path: Path) -> None:
    same = compare(market, tmp_path, "ClockworkCarry", str(STRATEGIES))
    assert len(same) >= 8
    assert {deal[0] for deal in same} == {PAIR}


def test_signals_of_funding_and_spread_are_the_same_in_live_dry_run_and_backtest(
    market: Path, tmp_path: Path
) -> None:
    same = compare(market, tmp_path, "SpreadOnlyCarry", str(SHIPPED))
    assert {deal[4] for deal in same} == {"signal_off"}, "entered and left by the rule"

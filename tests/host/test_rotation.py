"""RotatingCarry in freqtrade's real backtesting: slots, capital, order of pairs, no state between epochs."""

from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from freqtrade.exchange import Exchange
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.persistence import LocalTrade

from hedge_leg.config import HedgeLegConfig
from paper_exchange.sample import write_sample_market
from tests.host.backtest_harness import SHIPPED, backtest_config, load_exchange, run_backtest

COINS = ("BTC", "ETH", "SOL")
PAIRS = [f"{coin}/USDT:USDT" for coin in COINS]
FIRST, LAST = datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 6, 1, tzinfo=UTC)
CHANGE = pd.Timestamp("2023-04-01", tz="UTC")
Deal = tuple[str, pd.Timestamp, pd.Timestamp, float, str]


def pay(datadir: Path, coin: str, before: float, after: float) -> None:
    """Overwrite a coin's funding: one rate (fraction per 8 h) before the change, another one after."""
    path = datadir / "futures" / f"{coin}_USDT_USDT-1h-funding_rate.feather"
    funding = pd.read_feather(path)
    noise = np.random.default_rng(len(coin)).normal(0, 1e-6, len(funding))
    funding.assign(funding_rate=np.where(funding["date"] < CHANGE, before, after) + noise).to_feather(path)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a sample market in which ETH pays more than BTC from April on, and SOL never enough."""
    datadir = tmp_path_factory.mktemp("rotation")
    write_sample_market(datadir, seed=11, start=FIRST, end=LAST, coins=COINS)
    pay(datadir, "BTC", 3e-4, 0.5e-4)
    pay(datadir, "ETH", 1e-4, 8e-4)
    pay(datadir, "SOL", 0.2e-4, 0.2e-4)
    return datadir


@pytest.fixture(scope="module")
def exchange(exchange_url: str, market: Path) -> Exchange:
    """Return a connected exchange."""
    return load_exchange(config(market, exchange_url))


def config(market: Path, url: str, pairs: list[str] = PAIRS, **changes: Any) -> dict[str, Any]:
    """Return the configuration of a run of RotatingCarry over the pairs."""
    common = {"strategy": "RotatingCarry", "strategy_path": str(SHIPPED), "timerange": "20230120-20230601"}
    made = backtest_config(market, url, **(common | changes))
    made["exchange"]["pair_whitelist"] = list(pairs)
    return made


def deals(trades: list[LocalTrade]) -> list[Deal]:
    """Return what was traded, by pair and time."""
    return sorted(
        (
            trade.pair,
            pd.Timestamp(trade.open_date_utc),
            pd.Timestamp(trade.close_date_utc),
            trade.amount,
            str(trade.exit_reason),
        )
        for trade in trades
    )


def test_a_better_pair_takes_the_slot_and_the_capital_in_the_candle_that_frees_them(
    market: Path, exchange: Exchange, exchange_url: str
) -> None:
    trades = sorted(run_backtest(config(market, exchange_url), exchange), key=lambda t: t.open_date_utc)
    assert [pair for pair, _ in groupby(trade.pair for trade in trades)] == PAIRS[:2]
    left = [trade for trade in trades if trade.pair == PAIRS[0]][-1]
    taken = next(trade for trade in trades if trade.pair == PAIRS[1])
    assert left.exit_reason == "signal_off"
    assert CHANGE < left.close_date_utc < CHANGE + pd.Timedelta(30, unit="D")
    assert taken.open_date_utc == left.close_date_utc
    assert taken.open_date_utc.hour % 8 == 1, "one candle after the settlement that told of it"
    earned = sum(t.close_profit_abs for t in trades if t.close_date_utc <= taken.open_date_utc)
    everything = HedgeLegConfig().stake_for(0.99 * (100_000 + earned), leverage=2.0)
    assert taken.stake_amount == pytest.approx(everything, rel=1e-4)


def test_two_slots_are_never_three_and_the_third_pair_waits(
    market: Path, exchange: Exchange, exchange_url: str
) -> None:
    trades = run_backtest(config(market, exchange_url, max_open_trades=2), exchange)
    for trade in trades:
        together = [t for t in trades if t.open_date_utc <= trade.open_date_utc < t.close_date_utc]
        assert len(together) <= 2
    assert {trade.pair for trade in trades} == set(PAIRS[:2])


def test_the_order_of_pairs_changes_no_trade(market: Path, exchange: Exchange, exchange_url: str) -> None:
    found = [
        deals(run_backtest(config(market, exchange_url, order, max_open_trades=2), exchange))
        for order in (PAIRS, PAIRS[::-1], [PAIRS[1], PAIRS[2], PAIRS[0]])
    ]
    assert len(found[0]) > 1
    assert found[0] == found[1] == found[2]


def test_no_state_survives_an_epoch(market: Path, exchange: Exchange, exchange_url: str) -> None:
    backtesting = Backtesting(config(market, exchange_url), exchange)
    data, timerange = backtesting.load_bt_data()
    backtesting._set_strategy(backtesting.strategylist[0])
    strategy = backtesting.strategy
    analysed = strategy.advise_all_indicators(data)  # once, as hyperopt does
    found = []
    for span, margin, slots in ((63, 1.0, 1), (9, 0.5, 2), (63, 2.0, 1), (63, 1.0, 1)):
        strategy.span_cycles.value, strategy.switch_margin.value = span, margin
        strategy.max_open_trades = slots
        backtesting.backtest(
            processed={pair: frame.copy() for pair, frame in analysed.items()},
            start_date=pd.Timestamp(timerange.startdt),
            end_date=pd.Timestamp(timerange.stopdt) - pd.Timedelta(1, unit="h"),
        )
        found.append(deals(list(LocalTrade.bt_trades)))
    Backtesting.cleanup()
    assert found[0] == found[3]
    assert found[0] != found[1]
    assert found[0] != found[2]


def test_a_pair_listed_late_does_not_disturb_the_others(
    market: Path, exchange: Exchange, exchange_url: str, tmp_path: Path
) -> None:
    for path in market.rglob("*.feather"):
        copy = tmp_path / path.relative_to(market)
        copy.parent.mkdir(exist_ok=True)
        frame = pd.read_feather(path)
        kept = frame["date"] >= pd.Timestamp("2023-05-10", tz="UTC")
        (frame[kept].reset_index(drop=True) if path.name.startswith("SOL") else frame).to_feather(copy)
    pay(tmp_path, "SOL", 0.0, 50e-4)  # too young to be chosen before 9 June, whatever it pays
    with_it = deals(run_backtest(config(tmp_path, exchange_url), exchange))
    assert with_it == deals(run_backtest(config(market, exchange_url, PAIRS[:2]), exchange))

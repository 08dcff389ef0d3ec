"""The sweep's trades are those of freqtrade's real `Backtesting`, to the last field."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from freqtrade.exchange import Exchange
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tools.parity import Draw, FreqtradeSide, SweepSide, difference, draws

from carry.sweep import load_history
from carry.sweep.freqtrade_setup import load_exchange
from paper_exchange.sample import write_sample_market
from tests.e2e.commands import shipped_backtest
from tests.random_market import random_market, write_market

PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write five months of the sample market."""
    datadir = tmp_path_factory.mktemp("sample")
    begin, end = datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 6, 1, tzinfo=UTC)
    write_sample_market(datadir, seed=11, start=begin, end=end)
    return datadir


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory, exchange_url: str) -> dict[str, Any]:
    """Return the shipped backtest configuration, pointed at the paper exchange."""
    return shipped_backtest(tmp_path_factory.mktemp("config"), exchange_url, "1h")


@pytest.fixture(scope="module")
def exchange(configuration: dict[str, Any]) -> Exchange:
    """Return a connected exchange that every run uses."""
    connected: Exchange = load_exchange(configuration)
    return connected


def test_random_draws_on_the_sample_market(
    sample: Path, configuration: dict[str, Any], exchange: Exchange
) -> None:
    config = configuration | {"datadir": sample, "timerange": "20230120-20230531"}
    ours = SweepSide(config, exchange, load_history(sample, PAIRS, "1h"))
    theirs = FreqtradeSide(config, exchange)
    names = (
        "FundingSpreadCarry",
        "FundingOnlyCarry",
        "SpreadOnlyCarry",
        "AlwaysOnCarry",
        "ExtremeFundingCarry",
        "RegimeSizedCarry",
    )
    strategies = [ours.strategy(name) for name in names]
    trades = 0
    for draw in draws(10, 2, strategies, PAIRS):
        expected = theirs.trades(draw)
        trades += len(expected)
        assert difference(expected, ours.trades(draw))[0] is None, draw
    assert trades > 100


hedge_block = st.fixed_dictionaries(
    {
        "leverage": st.sampled_from([1.0, 2.0, 3.0]),
        "roll_distance": st.sampled_from([0.02, 0.1, 0.25]),
        "cash_buffer": st.sampled_from([0.0, 0.005]),
        "spot_lots": st.sampled_from([{"BTC": 1e-5}, {"BTC": 0.01, "ETH": 0.7}, {"BTC": 0.0007, "SOL": 3.0}]),
        "costs": st.fixed_dictionaries(
            {
                "perp_slippage_bps": st.sampled_from([0.0, 1.0, 3.7]),
                "spot_slippage_bps": st.sampled_from([0.0, 4.2]),
                "spot_taker_bps": st.sampled_from([0.0, 10.0]),
                "fixed_per_trade": st.sampled_from([0.0, 2.0]),
                "borrow_daily_bps": st.sampled_from([0.0, 1.5]),
            }
        ),
    }
)
parameter_set = st.fixed_dictionaries(
    {
        "funding_threshold_bps": st.sampled_from([-2.0, 0.0, 1.0]),
        "spread_threshold": st.sampled_from([-1.0, 0.5, 1.5]),
        "funding_hysteresis_bps": st.sampled_from([0.0, 1.5]),
        "spread_hysteresis": st.sampled_from([0.0, 2.5]),
        "holding_window_h": st.sampled_from([0, 24, 168]),
        "maximum_holding_h": st.sampled_from([0, 48, 240]),
        "after_settlement": st.booleans(),
        "stop_loss_bps": st.sampled_from([0, 5, 50]),
        "take_profit_bps": st.sampled_from([0, 5, 25]),
        "flip_tolerance_h": st.sampled_from([0, 2, 24]),
    }
)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 10_000),
    drift=st.sampled_from([-0.001, 0.0, 0.003]),
    hedge=hedge_block,
    parameters=parameter_set,
    always_on=st.booleans(),
    stake=st.sampled_from(["unlimited", 9_000.5, 40_000.0]),
    slots=st.integers(1, 3),
    amend=st.booleans(),
)
def test_ugly_markets_lots_costs_rolls_and_liquidations(
    configuration: dict[str, Any],
    exchange: Exchange,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    drift: float,
    hedge: dict[str, Any],
    parameters: dict[str, Any],
    always_on: bool,
    stake: float | str,
    slots: int,
    amend: bool,
) -> None:
    datadir = tmp_path_factory.mktemp("market")
    for k, pair in enumerate(PAIRS):
        market = random_market(seed + k, hours=900 - 60 * k, drift=drift)
        write_market(datadir, market, pair)
    changes = {"stake_amount": stake, "max_open_trades": slots, "amend_last_stake_amount": amend}
    config = configuration | {"datadir": datadir, "timerange": "20240101-20240301", "hedge_leg": hedge}
    name, chosen = ("AlwaysOnCarry", {}) if always_on else ("FundingSpreadCarry", parameters)
    draw = Draw(name, PAIRS, chosen, changes)
    theirs = FreqtradeSide(config, exchange).trades(draw)
    ours = SweepSide(config, exchange, load_history(datadir, PAIRS, "1h")).trades(draw)
    assert difference(theirs, ours)[0] is None


def test_orders_add_up_to_each_trade(sample: Path, configuration: dict[str, Any], exchange: Exchange) -> None:
    config = configuration | {"datadir": sample, "timerange": "20230120-20230531"}
    ours = SweepSide(config, exchange, load_history(sample, PAIRS, "1h"))
    theirs = FreqtradeSide(config, exchange)
    wanted: dict[str, Any] = {
        "entry_exposure": 0.6,
        "payback_days": 30,
        "maximum_cycles": 21,
        "resize_band": 0.1,
        "confirm_h": 24,
    }
    draw = Draw("RegimeSizedCarry", PAIRS, wanted, {"max_open_trades": 3})
    expected, result = theirs.trades(draw), ours.result(draw)
    assert difference(expected, result.table())[0] is None
    orders = result.orders()
    assert max(len(one) for one in orders) > 2  # something was resized
    for booked, found in zip(expected["orders"], orders, strict=True):
        for order, own in zip(booked, found, strict=True):
            assert {key: order[key] for key in own} == pytest.approx(own)

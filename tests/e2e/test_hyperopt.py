"""`freqtrade hyperopt` with each loss: it is listed, it runs, and its best epoch is what a backtest says."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from freqtrade.data.btanalysis import trade_list_to_dataframe
from freqtrade.exchange import Exchange
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.persistence import LocalTrade

from carry import losses
from carry.walkforward.sources import SweepRuns
from paper_exchange.sample import write_sample_market
from tests.e2e.commands import ROOT, exchange_overlay, run
from tests.host.backtest_harness import backtest_config, load_exchange

EPOCHS = 20
TIMERANGE = "20230120-20230410"
FORMULAS = {
    "CarryNetHyperOptLoss": losses.net_loss,
    "CarryWorstSegmentHyperOptLoss": losses.worst_segment_loss,
    "CarryMedianSegmentHyperOptLoss": losses.median_segment_loss,
}
SETTINGS = {"segments": 3, "minimum_trades": 2, "embargo_h": 24, "turnover_penalty_bps": 1}
SHIPPED = json.loads((ROOT / "user_data/config/base.json").read_text())


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write three months of the sample market."""
    datadir = tmp_path_factory.mktemp("short")
    begin, end = pd.Timestamp("2023-01-01", tz="UTC"), pd.Timestamp("2023-04-15", tz="UTC")
    write_sample_market(datadir, seed=11, start=begin, end=end)
    return datadir


@pytest.fixture(scope="module")
def exchange(exchange_url: str, market: Path) -> Exchange:
    return load_exchange(backtest_config(market, exchange_url))


def hyperopt(loss: str, market: Path, folder: Path, exchange_url: str) -> list[dict[str, Any]]:
    """Run the search in a user folder of its own and return its epochs.

    Two jobs send strategy and loss to other processes by pickle; one loss is enough to try that.
    """
    jobs = "2" if loss == "CarryNetHyperOptLoss" else "1"
    (folder / "user").mkdir()
    settings = folder / "loss.json"
    settings.write_text(json.dumps({"carry_loss": SETTINGS}))
    configs = [ROOT / "user_data/config/base.json", ROOT / "user_data/config/backtest.json"]
    configs += [exchange_overlay(folder, exchange_url), settings]
    words = [word for path in configs for word in ("-c", path)]
    words += ["--userdir", folder / "user", "--strategy-path", ROOT / "user_data/strategies"]
    words += ["--hyperopt-path", ROOT / "user_data/hyperopts", "--datadir", market, "--timeframe", "1h"]
    words += ["--timerange", TIMERANGE, "--strategy", "FundingSpreadCarry", "--hyperopt-loss", loss]
    words += ["--spaces", "buy", "sell", "--epochs", str(EPOCHS), "-j", jobs, "--random-state", "5"]
    run("freqtrade", "hyperopt", *words, "--disable-param-export", "--pairs", "BTC/USDT:USDT")
    (stored,) = (folder / "user" / "hyperopt_results").glob("*.fthypt")
    return [json.loads(line) for line in stored.read_text().splitlines()]


def backtested_loss(
    loss: str, parameters: dict[str, Any], config: dict[str, Any], exchange: Exchange
) -> float:
    """Backtest one parameter set anew and apply the formula to its trades."""
    backtesting = Backtesting(config, exchange)
    strategy = backtesting.strategylist[0]
    for name, value in parameters.items():
        getattr(strategy, name).value = value
    backtesting._set_strategy(strategy)
    data, timerange = backtesting.load_bt_data()
    begin, end = backtesting.backtest_one_strategy(strategy, data, timerange)
    trades = trade_list_to_dataframe(LocalTrade.bt_trades)
    Backtesting.cleanup()
    return FORMULAS[loss](trades, begin, end, 100_000, losses.LossTerms(**SETTINGS))


def swept_loss(loss: str, parameters: dict[str, Any], market: Path, configs: tuple[str, ...]) -> float:
    """Let the sweep evaluate one parameter set and apply the formula to its trades."""
    begin, end = (pd.Timestamp(text, tz="UTC") for text in TIMERANGE.split("-"))
    sweep = SweepRuns(configs, str(ROOT / "user_data"), str(market), "1h")
    until = end + pd.Timedelta(hours=1)  # freqtrade's range includes the candle at its end
    (trades,) = sweep.evaluate("FundingSpreadCarry", [parameters], begin.value, until.value)
    return FORMULAS[loss](trades, begin, end, 100_000, losses.LossTerms(**SETTINGS))


def test_losses_are_listed_as_loadable() -> None:
    output = run("freqtrade", "list-hyperoptloss", "--userdir", ROOT / "user_data", "--no-color")
    for name in FORMULAS:
        (line,) = [line for line in output.splitlines() if f" {name} " in line]
        assert " OK " in line


@pytest.mark.parametrize("loss", FORMULAS)
def test_best_epoch_is_what_a_backtest_of_its_parameters_says(
    loss: str, market: Path, tmp_path: Path, exchange_url: str, exchange: Exchange
) -> None:
    epochs = hyperopt(loss, market, tmp_path, exchange_url)
    assert len(epochs) == EPOCHS
    best = min(epochs, key=lambda epoch: epoch["loss"])
    assert best["loss"] < losses.REJECTED and best["results_metrics"]["total_trades"] > 0
    assert len({epoch["loss"] for epoch in epochs}) > 3
    idle = [epoch for epoch in epochs if epoch["results_metrics"]["total_trades"] == 0]
    assert all(epoch["loss"] >= losses.REJECTED for epoch in idle)
    changes: dict[str, Any] = {"hedge_leg": SHIPPED["hedge_leg"], "strategy": "FundingSpreadCarry"}
    changes |= {"strategy_path": str(ROOT / "user_data/strategies"), "timerange": TIMERANGE}
    config = backtest_config(market, exchange_url, max_open_trades=3, **changes)
    again = backtested_loss(loss, best["params_dict"], config, exchange)
    assert again == pytest.approx(best["loss"], abs=1e-9)
    one_pair = tmp_path / "pair.json"
    one_pair.write_text('{"exchange": {"name": "binance", "pair_whitelist": ["BTC/USDT:USDT"]}}')
    shipped = [ROOT / f"user_data/config/{name}.json" for name in ("base", "backtest")]
    layers = tuple(map(str, (*shipped, tmp_path / "paper.json", one_pair)))
    assert swept_loss(loss, best["params_dict"], market, layers) == pytest.approx(best["loss"], abs=1e-9)

"""freqtrade's own bias detectors on every shipped strategy, and on one that cheats."""

import json
from pathlib import Path

import pandas as pd
import pytest
from freqtrade.data.btanalysis import load_backtest_stats

from paper_exchange.sample import write_sample_market
from tests.e2e.commands import ROOT, STRATEGIES, freqtrade

RANGE = ("--timerange", "20230501-20230801", "--pairs", "BTC/USDT:USDT")
CHEAT = '''
from hedge_leg.freqtrade_host import HedgedStrategy


class PeekingCarry(HedgedStrategy):
    """Enters where the spread will be wide in eight candles: must be found out."""

    def entry_rule(self, frame):
        return frame["spread_zscore_72h"].shift(-8) > 1.5

    def hold_rule(self, frame):
        return frame["spread_zscore_72h"] > 0.5
'''


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write seven months of the sample market."""
    datadir = tmp_path_factory.mktemp("sample")
    begin, end = pd.Timestamp("2023-01-01", tz="UTC"), pd.Timestamp("2023-08-02", tz="UTC")
    write_sample_market(datadir, seed=11, start=begin, end=end, coins=("BTC",))
    return datadir


def lookahead(strategy: str, sample: Path, exchange_url: str, folder: Path, *extra: str) -> pd.Series:
    """Run lookahead-analysis and return its one row."""
    table, overlay = folder / "bias.csv", folder / "leverage.json"
    overlay.write_text('{"hedge_leg": {"leverage": 3}}')  # rolls often: an always-on pair then has exits too
    wanted = ("-c", str(overlay), "--strategy", strategy)
    amounts = ("--minimum-trade-amount", "1", "--targeted-trade-amount", "4")
    export = ("--lookahead-analysis-exportfilename", str(table))
    freqtrade("lookahead-analysis", sample, folder, exchange_url, *RANGE, *wanted, *amounts, *export, *extra)
    return pd.read_csv(table).iloc[0]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_lookahead_bias(strategy: str, sample: Path, exchange_url: str, tmp_path: Path) -> None:
    found = lookahead(strategy, sample, exchange_url, tmp_path)
    assert found["total_signals"] > 0
    assert not found["has_bias"]


def test_a_strategy_that_peeks_is_found_out(sample: Path, exchange_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "PeekingCarry.py").write_text(CHEAT)
    found = lookahead("PeekingCarry", sample, exchange_url, tmp_path, "--strategy-path", str(folder))
    assert found["has_bias"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_drift_with_the_length_of_the_warm_up(
    strategy: str, sample: Path, exchange_url: str, tmp_path: Path
) -> None:
    wanted = ("--strategy", strategy, "--startup-candle", "100", "200", "300", "400")
    output = freqtrade("recursive-analysis", sample, tmp_path, exchange_url, *RANGE, *wanted)
    assert "No variance on indicator(s) found due to recursive formula." in output
    assert "No lookahead bias on indicators found." in output


@pytest.mark.parametrize("strategy", ["FundingSpreadCarry", "RotatingCarry"])
def test_every_hyperopt_epoch_shows_the_profit_of_a_backtest_of_its_parameters(
    strategy: str, sample: Path, exchange_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "user_data"
    (folder / "strategies").mkdir(parents=True)
    shipped = ROOT / "user_data/strategies" / f"{strategy}.py"
    (folder / "strategies" / shipped.name).write_text(shipped.read_text())
    common = (*RANGE, "--strategy", strategy, "--userdir", str(folder))
    search = ("--hyperopt-loss", "OnlyProfitHyperOptLoss", "--spaces", "buy", "sell", "-e", "3", "-j", "1")
    freqtrade("hyperopt", sample, tmp_path, exchange_url, *common, *search, "--random-state", "3")
    (found,) = (folder / "hyperopt_results").glob("*.fthypt")
    epochs = [json.loads(line) for line in found.read_text().splitlines()]
    last_epoch = [epoch for epoch in epochs if epoch["results_metrics"]["total_trades"]][-1]
    chosen = {"strategy_name": strategy, "params": last_epoch["params_details"]}
    parameters = folder / "strategies" / f"{strategy}.json"
    parameters.write_text(json.dumps(chosen | {"ft_stratparam_v": 1, "export_time": "2026-01-01 00:00:00"}))
    freqtrade("backtesting", sample, tmp_path, exchange_url, *common)
    shown = load_backtest_stats(tmp_path)["strategy"][strategy]
    assert shown["total_trades"] == last_epoch["results_metrics"]["total_trades"] > 0
    assert shown["profit_total_abs"] == pytest.approx(
        last_epoch["results_metrics"]["profit_total_abs"], abs=1e-6
    )

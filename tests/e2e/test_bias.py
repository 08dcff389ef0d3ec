"""freqtrade's own bias detectors on every shipped strategy, and on one that cheats."""

from pathlib import Path

import pandas as pd
import pytest

from paper_exchange.sample import write_sample_market
from tests.e2e.commands import ROOT, STRATEGIES, freqtrade

RANGE = ("--timerange", "20230501-20230801", "--pairs", "BTC/USDT:USDT")
CHEAT = '''
from hedge_leg.freqtrade_host import HedgedStrategy


class PeekingCarry(HedgedStrategy):
    """Enters where the next candle's spread will be wide: must be found out."""

    def entry_rule(self, frame):
        return frame["spread_zscore_72h"].shift(-1) > 1.5

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
    table = folder / "bias.csv"
    wanted = ("--strategy", strategy, "--minimum-trade-amount", "1", "--targeted-trade-amount", "6")
    export = ("--lookahead-analysis-exportfilename", str(table))
    freqtrade("lookahead-analysis", sample, folder, exchange_url, *RANGE, *wanted, *export, *extra)
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


def test_hyperopt_shows_the_same_profit_as_a_backtest_of_its_parameters(
    sample: Path, exchange_url: str, tmp_path: Path
) -> None:
    import json

    strategies = tmp_path / "strategies"
    strategies.mkdir()
    shipped = ROOT / "user_data/strategies/FundingSpreadCarry.py"
    (strategies / shipped.name).write_text(shipped.read_text())
    common = (*RANGE, "--strategy", "FundingSpreadCarry", "--strategy-path", str(strategies))
    searched = freqtrade(
        "hyperopt",
        sample,
        tmp_path,
        exchange_url,
        *common,
        *("--hyperopt-loss", "OnlyProfitHyperOptLoss", "--spaces", "buy", "sell", "-e", "4", "-j", "2"),
        *("--random-state", "3"),
    )
    found = json.loads((strategies / "FundingSpreadCarry.json").read_text())
    assert found["params"]["buy"]
    freqtrade("backtesting", sample, tmp_path, exchange_url, *common)
    from freqtrade.data.btanalysis import load_backtest_stats

    profit = load_backtest_stats(tmp_path)["strategy"]["FundingSpreadCarry"]["profit_total_abs"]
    assert f"{profit:.8f}"[:8] in searched.replace(",", "")

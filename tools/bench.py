"""Measure what users wait for: the hedge binding, the features, the report. Run by `make bench`.

Prints medians of five runs on this machine, both sides in turns, with the number of trades each side made.
The plain twin has the hedged one's features, entries and signal exits, leverage and stake, but no spot leg
and no roll.
"""

import argparse
import gc
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.configuration import Configuration
from freqtrade.enums import RunMode
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.persistence import LocalTrade
from freqtrade.resolvers import ExchangeResolver

from carry.features import carry_features
from carry.freqtrade_results import read_export
from carry.market import load_market
from carry.report import build_report

RUNS = 5
ROOT = Path(__file__).parents[1]
TWINS = '''"""The twins of the benchmark."""
import numpy as np
from freqtrade.strategy import IStrategy
from carry.features import carry_features
from carry.market import CANDLE_COLUMNS, load_market
from carry.rules import funding_entry, funding_hold
from hedge_leg.freqtrade_host import HedgedStrategy
from pathlib import Path

class HedgedTwin(HedgedStrategy):
    def entry_rule(self, frame):
        return funding_entry(frame, 1.0)
    def hold_rule(self, frame):
        return funding_hold(frame, 1.0, 2.0)

class PlainTwin(IStrategy):
    INTERFACE_VERSION = 3
    can_short = True
    timeframe = "1h"
    startup_candle_count = 300
    minimal_roi = {"0": 100.0}
    stoploss = -0.99
    order_types = HedgedStrategy.order_types
    def leverage(self, pair, **kwargs):
        return 2.0
    def custom_stake_amount(self, pair, proposed_stake, **kwargs):
        return proposed_stake / 3.0
    def populate_indicators(self, dataframe, metadata):
        market = load_market(Path(self.config["datadir"]), metadata["pair"], self.timeframe)
        perp = dataframe[list(CANDLE_COLUMNS)]
        features = carry_features(perp, market.spot, market.funding, self.timeframe)
        for name in features.columns.difference(list(CANDLE_COLUMNS)):
            dataframe[name] = features[name].to_numpy()
        return dataframe
    def populate_entry_trend(self, dataframe, metadata):
        dataframe["enter_short"] = funding_entry(dataframe, 1.0).astype(int)
        return dataframe
    def populate_exit_trend(self, dataframe, metadata):
        dataframe["exit_short"] = (~funding_hold(dataframe, 1.0, 2.0)).astype(int)
        return dataframe
'''


def seconds_of(work: Callable[[], object]) -> float:
    """Return the wall time of one run."""
    gc.collect()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def median_seconds(work: Callable[[], object]) -> float:
    """Return the median wall time of `RUNS` runs after one warm-up."""
    work()
    return statistics.median(seconds_of(work) for _ in range(RUNS))


def backtests(datadir: Path, timerange: str) -> None:
    """Print the time of a backtest with and without the binding."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "twins.py").write_text(TWINS)
        arguments = {
            "config": [
                str(ROOT / "user_data/config" / f"{name}.json") for name in ("base", "backtest", "paper")
            ],
            "user_data_dir": str(ROOT / "user_data"),
            "datadir": str(datadir),
            "timerange": timerange,
            "strategy": "PlainTwin",
            "strategy_path": folder,
            "export": "none",
        }
        config: dict[str, Any] = Configuration(arguments, RunMode.BACKTEST).get_config()
        config["runmode"] = RunMode.OTHER  # no progress bar between the timings
        exchange = ExchangeResolver.load_exchange(config, load_leverage_tiers=True)
        runs = {}
        for name in ("PlainTwin", "HedgedTwin"):
            backtesting = Backtesting(config | {"strategy": name}, exchange)
            data, span = backtesting.load_bt_data()
            runs[name] = partial(backtesting.backtest_one_strategy, backtesting.strategylist[0], data, span)
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        trades = {}
        for _ in range(RUNS + 1):  # in turns, so that a busy machine slows both
            for name, work in runs.items():
                seconds[name].append(seconds_of(work))
                trades[name] = len(LocalTrade.bt_trades)
        medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
        for name, median in medians.items():
            print(f"backtest, {name:<11} {median:7.2f} s   {trades[name]} trades")
        ratio = medians["HedgedTwin"] / medians["PlainTwin"]
        print(f"backtest, hedged / plain    {ratio:7.2f} x   (aim <= 1.15)")


def features() -> None:
    """Print the time of the features on 50,000 rows."""
    rng = np.random.default_rng(1)
    dates = pd.date_range("2019-01-01", periods=50_000, freq="h", tz="UTC")
    spot_px = 20_000 * np.exp(np.cumsum(rng.normal(0, 0.005, len(dates))))
    spot = pd.DataFrame(
        {"date": dates, "open": spot_px, "high": spot_px, "low": spot_px, "close": spot_px, "volume": 1.0}
    )
    perp = spot.assign(close=spot_px * (1 + rng.normal(0, 5e-4, len(dates))))
    funding = pd.DataFrame({"date": dates[::8], "funding_rate": rng.normal(1e-4, 2e-4, len(dates[::8]))})
    seconds = median_seconds(lambda: carry_features(perp, spot, funding, "1h"))
    print(f"features, 50,000 rows       {seconds * 1000:7.1f} ms  (aim < 50)")


def report(datadir: Path, timerange: str) -> None:
    """Print the time of the report on a backtest of two strategies, without the page."""
    with tempfile.TemporaryDirectory() as folder:
        configs = [ROOT / "user_data/config" / f"{name}.json" for name in ("base", "backtest", "paper")]
        command = [sys.executable, "-m", "freqtrade", "backtesting", "--userdir", ROOT / "user_data"]
        command += [option for path in configs for option in ("-c", path)]
        command += ["--datadir", datadir, "--timeframe", "1h", "--timerange", timerange, "--cache", "none"]
        command += ["--backtest-directory", folder, "--strategy-list", "FundingSpreadCarry", "AlwaysOnCarry"]
        subprocess.run(list(map(str, command)), check=True, capture_output=True)
        seconds = median_seconds(lambda: build_report(read_export(Path(folder)), datadir))
    print(f"report, two strategies      {seconds:7.2f} s")


def main() -> None:
    """Run all measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datadir", type=Path, required=True)
    parser.add_argument("--timerange", default="20230120-20241231")
    chosen = parser.parse_args()
    logging.disable(logging.WARNING)
    load_market(chosen.datadir, "BTC/USDT:USDT", "1h")
    backtests(chosen.datadir, chosen.timerange)
    features()
    report(chosen.datadir, chosen.timerange)


if __name__ == "__main__":
    main()

"""Entering at once against waiting for a pull-back: the table of docs/research/child-execution.md.

    tools/with-paper-exchange ../shared/data/binance_5m .venv/bin/python tools/child_study.py \\
        --datadir ../shared/data/binance_5m --timerange 20250104-20250630

Every line is a run of the sweep, equal to freqtrade's backtest, with the shipped configuration.
"""

import argparse
import logging
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from carry.sweep import SetResult, evaluate, load_history, prepare
from carry.sweep.freqtrade_setup import load_exchange, load_strategy, read_configuration, read_settings
from carry.timerange import parse_timerange

ROOT = Path(__file__).parents[1]
PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT")
WAITS = ((0.5, 3), (0.5, 12), (1.0, 3), (1.0, 12), (1.0, 36), (2.0, 3), (2.0, 12), (2.0, 36))
CHILD: list[dict[str, Any]] = [{}]
CHILD += [{"pullback_bps": width, "child_bars": bars} for width, bars in WAITS]
CHILD += [{"quiet_minutes": minutes} for minutes in (10, 30)]
RUNS: tuple[tuple[str, str, list[dict[str, Any]]], ...] = (
    ("AlwaysOnCarry", "15m", [{}]),
    ("FundingSpreadCarry", "15m", [{}]),
    ("ChildSpreadCarry", "5m", CHILD),
)


def results(
    given: argparse.Namespace, name: str, timeframe: str, sets: list[dict[str, Any]]
) -> list[SetResult]:
    """Return one result per parameter set."""
    configs = [ROOT / f"user_data/config/{one}.json" for one in ("base", "backtest", "paper")]
    places = {"datadir": str(given.datadir), "user_data_dir": str(ROOT / "user_data"), "timeframe": timeframe}
    config = read_configuration(configs, timerange=given.timerange, **places) | {"export": "none"}
    strategy = load_strategy(dict(config), name)
    settings = read_settings(config, strategy, load_exchange(config), PAIRS)
    history = load_history(given.datadir, PAIRS, timeframe)
    return evaluate(prepare(history, strategy, parse_timerange(given.timerange)), sets, settings)


def main() -> None:
    """Run all and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--datadir", type=Path, required=True)
    parser.add_argument("--timerange", default="20250104-20250630")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    table = Table("strategy", "parameters", "trades", "net", "bps a trade", "days a trade")
    for name, timeframe, sets in RUNS:
        for one, result in zip(sets, results(given, name, timeframe, sets), strict=True):
            trades = result.table()
            days = (trades["close_date"] - trades["open_date"]).dt.total_seconds().sum() / 86_400
            bps = trades["profit_abs"].sum() / (trades["amount"] * trades["open_rate"]).sum() * 1e4
            said = ", ".join(f"{key} {value:g}" for key, value in one.items()) or "defaults"
            numbers = (str(len(trades)), f"{result.net:,.0f}", f"{bps:.1f}", f"{days / len(trades):.1f}")
            table.add_row(f"{name} {timeframe}", said, *numbers)
    Console().print(table)


if __name__ == "__main__":
    main()

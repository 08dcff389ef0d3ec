"""Measure the sweep: time per parameter set, against a freqtrade epoch and vectorbt. Run by `make bench`.

Times are CPU seconds of one process, so that other work on the machine counts as little as possible. An epoch
is what `freqtrade hyperopt` repeats for each set: signals and `Backtesting.backtest` on indicators that are
there already; its own bookkeeping is left out. vectorbt (optional: `pip install -e .[bench]`, or an
environment of its own given by `--vectorbt PYTHON`) makes two `Portfolio.from_signals` per set from the same
signals: no funding, no capital shared by the legs, no exits by profit or time, no lots.
"""

import argparse
import importlib.util
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.optimize.backtesting import Backtesting
from rich.console import Console
from rich.table import Table

from carry.rules import combined_entry, funding_hold, spread_hold
from carry.sweep import SweepSettings, SweptStrategy, evaluate, load_history, prepare
from carry.sweep.freqtrade_setup import load_exchange, load_strategy, read_configuration, read_settings
from carry.sweep.grids import random_sets
from carry.timerange import Timerange, parse_timerange

ROOT = Path(__file__).parents[1]
STRATEGY = "FundingSpreadCarry"
PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT")
SETS, EPOCHS, FOLDS, VECTORBT_SETS = 1000, 3, 12, 20
VECTORBT = """
import sys, time
import numpy as np, pandas as pd, vectorbt as vbt
frame = pd.read_csv(sys.argv[1])
def one(k):
    entry, leave = frame[f"entry{k}"] > 0, frame[f"leave{k}"] > 0
    common = dict(entries=entry, exits=leave, fees=0.001, slippage=0.0001, init_cash=50_000, freq="1h")
    spot = vbt.Portfolio.from_signals(frame["spot"], direction="longonly", **common)
    perp = vbt.Portfolio.from_signals(frame["perp"], direction="shortonly", **common)
    return spot.total_profit() + perp.total_profit()
one(0)
times = []
for k in range(int(sys.argv[2])):
    begin = time.process_time()
    one(k)
    times.append(time.process_time() - begin)
print(np.median(times), vbt.__version__)
"""


def cpu_seconds(work: Callable[[], Any]) -> float:
    """Return the CPU seconds of one call."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def epoch_seconds(config: dict[str, Any], exchange: Any, sets: list[dict[str, Any]]) -> float:
    """Return the median CPU seconds of a freqtrade epoch on one pair."""
    pairs = {"pair_whitelist": [PAIRS[0]]}
    backtesting = Backtesting(
        config | {"strategy": STRATEGY, "exchange": config["exchange"] | pairs}, exchange
    )
    (strategy,) = backtesting.strategylist
    data, _ = backtesting.load_bt_data()
    backtesting._set_strategy(strategy)
    indicators = strategy.advise_all_indicators(data)
    dates = next(iter(indicators.values()))["date"].iloc[backtesting.required_startup :]

    def epoch(parameters: dict[str, Any]) -> None:
        for name, value in parameters.items():
            getattr(strategy, name).value = value
        processed = {pair: frame.copy() for pair, frame in indicators.items()}
        backtesting.backtest(processed, dates.iloc[0].to_pydatetime(), dates.iloc[-1].to_pydatetime())

    seconds = statistics.median(cpu_seconds(lambda one=one: epoch(one)) for one in sets[:EPOCHS])  # type: ignore[misc]
    Backtesting.cleanup()
    return seconds


def sweep_seconds(
    history: Any,
    strategy: SweptStrategy,
    settings: SweepSettings,
    span: Timerange,
    sets: list[dict[str, Any]],
) -> tuple[int, float, float, float]:
    """Return (candles, seconds to prepare, seconds per set first time, seconds per set again)."""
    begin = time.process_time()
    market = prepare(history, strategy, span)
    prepared = time.process_time() - begin
    evaluate(market, [{}], settings)  # loads or compiles the kernel
    first = cpu_seconds(lambda: evaluate(market, sets, settings)) / len(sets)
    again = cpu_seconds(lambda: evaluate(market, sets, settings)) / len(sets)
    return len(market.arrays.at_ms), prepared, first, again


def folds_seconds(
    history: Any,
    strategy: SweptStrategy,
    settings: SweepSettings,
    span: Timerange,
    sets: list[dict[str, Any]],
) -> float:
    """Return the CPU seconds of a walk-forward: train on the year before each fold, test the best set."""
    assert span.start is not None and span.end is not None
    edges = pd.date_range(span.start, span.end, periods=FOLDS + 5)

    def walk() -> None:
        for k in range(4, FOLDS + 4):
            train = prepare(history, strategy, Timerange(edges[k - 4].floor("h"), edges[k].floor("h")))
            results = evaluate(train, sets, settings)
            best = max(results, key=lambda one: one.net if one.trades else -np.inf)
            test = prepare(history, strategy, Timerange(edges[k].floor("h"), edges[k + 1].floor("h")))
            evaluate(test, [best.parameters], settings)

    return cpu_seconds(walk)


def vectorbt_seconds(
    python: Path, history: Any, strategy: SweptStrategy, span: Timerange, sets: list[dict[str, Any]]
) -> tuple[float, str]:
    """Return (median CPU seconds per set, vectorbt's version), run by another Python on the same signals."""
    market = prepare(history, strategy, span)
    frame = market.signals.frames[0].iloc[strategy.startup :]
    columns = {"perp": frame["close"], "spot": frame["spot_close"].ffill()}
    for k, chosen in enumerate(sets[:VECTORBT_SETS]):
        one = strategy.space.complete(chosen)
        funding, spread = float(one["funding_threshold_bps"]), float(one["spread_threshold"])
        hold = funding_hold(frame, funding, float(one["funding_hysteresis_bps"]))
        columns[f"entry{k}"] = combined_entry(frame, funding, spread)
        columns[f"leave{k}"] = ~(hold | spread_hold(frame, spread, float(one["spread_hysteresis"])))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "signals.csv"
        script = Path(folder) / "vectorbt_side.py"
        pd.DataFrame(columns).astype(float).to_csv(path, index=False)
        script.write_text(VECTORBT)
        command = [str(python), str(script), str(path), str(len(sets[:VECTORBT_SETS]))]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, version = done.stdout.split()
    return float(seconds), version


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datadir", type=Path, required=True)
    parser.add_argument("--timerange", default="20200101-20241231")
    parser.add_argument("--folds-timerange", default="20210101-20241231")
    parser.add_argument("-c", "--config", type=Path, action="append")
    parser.add_argument("--vectorbt", type=Path, help="python of an environment that has vectorbt")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    configs = given.config or [
        ROOT / f"user_data/config/{name}.json" for name in ("base", "backtest", "paper")
    ]
    places = {"datadir": str(given.datadir), "user_data_dir": str(ROOT / "user_data"), "timeframe": "1h"}
    config = read_configuration(configs, timerange=given.timerange, **places) | {"export": "none"}
    exchange, strategy = load_exchange(config), load_strategy(dict(config), STRATEGY)
    sets = random_sets(strategy.space, SETS, seed=1)
    settings = read_settings(config, strategy, exchange, PAIRS)
    one, all_pairs = (load_history(given.datadir, pairs, "1h") for pairs in (PAIRS[:1], PAIRS))
    span = parse_timerange(given.timerange)
    candles, prepared, first, again = sweep_seconds(one, strategy, settings, span, sets)
    epoch = epoch_seconds(dict(config), exchange, sets)
    folds = folds_seconds(all_pairs, strategy, settings, parse_timerange(given.folds_timerange), sets)
    table = Table(
        "what",
        "CPU time",
        title=f"carry sweep: {STRATEGY}, {PAIRS[0]} 1h, {candles:,} candles, {SETS:,} sets",
    )
    table.add_row("prepare one window", f"{prepared:.2f} s")
    table.add_row("per set, signals asked", f"{first * 1e3:.3f} ms")
    table.add_row("per set, signals known", f"{again * 1e3:.3f} ms")
    table.add_row("freqtrade epoch", f"{epoch:.2f} s = {epoch / first:,.0f} x")
    table.add_row(f"{SETS:,} sets, {len(PAIRS)} pairs, {FOLDS} folds", f"{folds:.1f} s")
    here = Path(sys.executable) if importlib.util.find_spec("vectorbt") else None
    python = given.vectorbt or here
    if python is None:
        table.add_row("vectorbt", "not installed: pip install -e .[bench]")
    else:
        seconds, version = vectorbt_seconds(python, one, strategy, span, sets)
        table.add_row(f"vectorbt {version}, two legs", f"{seconds * 1e3:.1f} ms = {seconds / first:,.0f} x")
    Console().print(table)


if __name__ == "__main__":
    main()

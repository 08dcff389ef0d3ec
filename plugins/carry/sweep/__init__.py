"""Thousands of parameter sets on recorded markets, trade by trade what `freqtrade backtesting` does.

    config = read_configuration([Path("base.json"), Path("backtest.json")], datadir="data", timeframe="1h")
    strategy = load_strategy(config, "FundingSpreadCarry")      # its class, its parameters, its own rules
    settings = read_settings(config, strategy, load_exchange(config), pairs)
    history = load_history(Path("data"), pairs, "1h")           # files are read once
    market = prepare(history, strategy, parse_timerange("20210101-20220101"))  # one per window, about 0.1 s
    results = evaluate(market, [{"funding_threshold_bps": 1.0}, {}], settings)  # about 0.2 ms per set

The first three are in `carry.sweep.freqtrade_setup`, the only file here that imports freqtrade; a worker on
another machine can be sent `strategy` (pickled as the recipe to load it) and `settings`.

One `SetResult` per set, in the order asked: `.table()` the trades with freqtrade's columns in the order of
closing, `.trades`, `.net`, `.return_on_capital`, `.sharpe`, `.deepest` (drawdown), `.day_ms` and `.equity`
(marked daily, last value the final balance), `.daily_profit`. The same input gives the same bytes, alone or
among other sets. A window's end is freqtrade's: the candle that opens at its end is included, and what is
open then is closed at its open.

Expressed: any `HedgedStrategy` that states `entry_rule`, `hold_rule`, `exit_policy`, `features_of` and
parameters, nothing else; any `SizedStrategy` that states `exposures` too; any `RotatingStrategy` that states
`rotation_rules` and `exit_policy`. Others are refused by `load_strategy` in one line that names the rest.
"""

from carry.sweep.evaluation import SweepMarket, evaluate, prepare
from carry.sweep.history import History, load_history
from carry.sweep.results import SetResult
from carry.sweep.settings import PairLimits, SweepSettings, Tier
from carry.sweep.signals import ParameterSet, Range, Space, SweptStrategy

__all__ = [
    "History",
    "PairLimits",
    "ParameterSet",
    "Range",
    "SetResult",
    "Space",
    "SweepMarket",
    "SweepSettings",
    "SweptStrategy",
    "Tier",
    "evaluate",
    "load_history",
    "prepare",
]

"""Compare the sweep with freqtrade's own backtest, trade by trade, on random draws.

    make parity DRAWS=300            (needs a data folder; a paper exchange serves the market rules)

Each draw is a strategy, a parameter set, some pairs and a stake mode. Both run it; pair, times, amount and
reasons have to be equal, profits within 1e-6 USDT. Exit status 1 where they are not.
"""

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.exchange import Exchange
from freqtrade.optimize.backtesting import Backtesting
from rich.progress import Progress

from carry.sweep import History, SetResult, SweptStrategy, evaluate, load_history, prepare
from carry.sweep.freqtrade_setup import load_exchange, load_strategy, read_configuration, read_settings
from carry.sweep.signals import Value
from carry.timerange import parse_timerange

ROOT = Path(__file__).parents[1]
STRATEGIES = ("FundingSpreadCarry", "AlwaysOnCarry", "RegimeSizedCarry")
EQUAL = ("pair", "open_date", "close_date", "amount", "enter_tag", "exit_reason")
CLOSE = {
    "profit_abs": 1e-6,
    "stake_amount": 1e-6,
    "open_rate": 1e-9,
    "close_rate": 1e-9,
    "profit_ratio": 2e-8,
}


@dataclass(frozen=True, slots=True)
class Draw:
    """One comparison. `changes`: what is set in freqtrade's configuration."""

    strategy: str
    pairs: tuple[str, ...]
    parameters: dict[str, Value]
    changes: dict[str, Any] = field(default_factory=dict)


class FreqtradeSide:
    """freqtrade's real `Backtesting` on one data folder: connected once, candles loaded once per pairs."""

    def __init__(self, config: dict[str, Any], exchange: Exchange) -> None:
        """Keep what every run shares."""
        self.config, self.exchange = config, exchange
        self._loaded: dict[tuple[str, ...], Any] = {}

    def configuration(self, draw: Draw) -> dict[str, Any]:
        """Return the draw's configuration."""
        exchange = self.config["exchange"] | {"pair_whitelist": list(draw.pairs)}
        return (
            self.config
            | {"exchange": exchange, "strategy": draw.strategy, "pairs": list(draw.pairs)}
            | draw.changes
        )

    def trades(self, draw: Draw) -> pd.DataFrame:
        """Return the trades of `freqtrade backtesting` with the draw's parameters."""
        backtesting = Backtesting(self.configuration(draw), self.exchange)
        (strategy,) = backtesting.strategylist
        for name, value in draw.parameters.items():
            getattr(strategy, name).value = value
        if draw.pairs not in self._loaded:
            data, timerange = backtesting.load_bt_data()
            self._loaded[draw.pairs] = (
                data,
                timerange,
                backtesting.price_pair_prec,
                backtesting.futures_data,
            )
        data, timerange, backtesting.price_pair_prec, backtesting.futures_data = self._loaded[draw.pairs]
        backtesting.available_pairs = list(draw.pairs)
        backtesting.timerange = timerange
        backtesting.funding_fee_timeframe_secs = 3600
        fresh = {pair: frame.copy() for pair, frame in data.items()}
        backtesting.backtest_one_strategy(strategy, fresh, timerange)
        result: pd.DataFrame = backtesting.all_bt_content[strategy.get_strategy_name()]["results"]
        Backtesting.cleanup()
        return result


class SweepSide:
    """The sweep on the same folder."""

    def __init__(self, config: dict[str, Any], exchange: Exchange, history: History) -> None:
        """Keep what every run shares."""
        self.config, self.exchange, self.history = config, exchange, history
        self._strategies: dict[str, SweptStrategy] = {}
        self._markets: dict[tuple[str, tuple[str, ...]], Any] = {}

    def strategy(self, name: str) -> SweptStrategy:
        """Return a strategy as the sweep loads it, once."""
        if name not in self._strategies:
            self._strategies[name] = load_strategy(dict(self.config), name)
        return self._strategies[name]

    def trades(self, draw: Draw) -> pd.DataFrame:
        """Return the sweep's trades."""
        return self.result(draw).table()

    def result(self, draw: Draw) -> SetResult:
        """Return the sweep's result."""
        strategy = self.strategy(draw.strategy)
        key = (draw.strategy, draw.pairs)
        if key not in self._markets:
            chosen = {pair: self.history.markets[pair] for pair in draw.pairs}
            history = History(self.history.datadir, self.history.timeframe, chosen)
            self._markets[key] = prepare(history, strategy, parse_timerange(self.config["timerange"]))
        settings = read_settings(self.config | draw.changes, strategy, self.exchange, draw.pairs)
        (result,) = evaluate(self._markets[key], [draw.parameters], settings)
        return result


def difference(theirs: pd.DataFrame, ours: pd.DataFrame) -> tuple[str | None, float]:
    """Return (what differs first or None, the largest difference of a profit in USDT)."""
    if len(theirs) != len(ours):
        return f"{len(theirs)} trades against {len(ours)}", np.inf
    if theirs.empty:
        return None, 0.0
    for name in EQUAL:
        unequal = theirs[name].to_numpy() != ours[name].to_numpy()
        if unequal.any():
            k = int(np.flatnonzero(unequal)[0])
            return f"trade {k}: {name} is {theirs[name].iloc[k]} against {ours[name].iloc[k]}", np.inf
    worst = float(np.abs(theirs["profit_abs"].to_numpy() - ours["profit_abs"].to_numpy()).max())
    for name, tolerance in CLOSE.items():
        apart = np.abs(theirs[name].to_numpy(dtype=float) - ours[name].to_numpy(dtype=float))
        if not (apart <= tolerance).all():
            k = int(np.flatnonzero(~(apart <= tolerance))[0])
            return f"trade {k}: {name} is {theirs[name].iloc[k]} against {ours[name].iloc[k]}", worst
    return None, worst


def sides(
    datadir: Path, timerange: str, pairs: Sequence[str], configs: Sequence[Path], **changes: Any
) -> tuple[FreqtradeSide, SweepSide]:
    """Connect both sides to one data folder and the exchange that the configuration names."""
    config = read_configuration(
        configs,
        datadir=str(datadir),
        user_data_dir=str(ROOT / "user_data"),
        timeframe="1h",
        timerange=timerange,
        pairs=list(pairs),
    )
    config |= {"export": "none"} | changes
    exchange = load_exchange(config)
    return FreqtradeSide(config, exchange), SweepSide(config, exchange, load_history(datadir, pairs, "1h"))


def draws(count: int, seed: int, strategies: Sequence[SweptStrategy], pairs: Sequence[str]) -> Iterator[Draw]:
    """Draw comparisons: parameters uniformly, one pair or all, unlimited or fixed stakes."""
    rng = np.random.default_rng(seed)
    choices = [(pair,) for pair in pairs] + [tuple(pairs)]
    for _ in range(count):
        strategy = strategies[int(rng.integers(len(strategies)))]
        chosen = choices[int(rng.integers(len(choices)))]
        stake = ("unlimited", 12_345.67, 45_000.0, 80_000.0)[int(rng.integers(4))]
        slots = int(rng.integers(1, len(chosen) + 1))
        parameters = {one.name: one.draw(rng) for one in strategy.space.ranges}
        yield Draw(strategy.name, chosen, parameters, {"stake_amount": stake, "max_open_trades": slots})


_SIDES: tuple[FreqtradeSide, SweepSide] | None = None


def _connect(*args: Any) -> None:
    global _SIDES  # noqa: PLW0603 - one connection per worker process
    logging.disable(logging.CRITICAL)
    _SIDES = sides(*args)


def _compare(draw: Draw) -> tuple[Draw, str | None, float, int]:
    assert _SIDES is not None
    theirs, ours = _SIDES[0].trades(draw), _SIDES[1].trades(draw)
    return draw, *difference(theirs, ours), len(theirs)


def main() -> int:
    """Run the draws in two processes and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datadir", type=Path, required=True)
    parser.add_argument("--timerange", default="20210101-20241231")
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--pairs", nargs="+", default=["BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT"])
    parser.add_argument("-c", "--config", type=Path, action="append")
    given = parser.parse_args()
    configs = given.config or [
        ROOT / f"user_data/config/{name}.json" for name in ("base", "backtest", "paper")
    ]
    setup = (given.datadir, given.timerange, given.pairs, configs)
    _, ours = sides(*setup)
    loadable = [
        ours.strategy(name) for name in STRATEGIES if (ROOT / f"user_data/strategies/{name}.py").is_file()
    ]
    chosen = list(draws(given.draws, given.seed, loadable, given.pairs))
    worst, trades, failed = 0.0, 0, 0
    pool = ProcessPoolExecutor(given.processes, get_context("spawn"), _connect, setup)
    with pool, Progress() as bar:
        task = bar.add_task("parity", total=len(chosen))
        for done in as_completed([pool.submit(_compare, draw) for draw in chosen]):
            draw, unlike, apart, size = done.result()
            worst, trades = max(worst, apart), trades + size
            if unlike is not None:
                failed += 1
                bar.console.print(f"{draw}: {unlike}", soft_wrap=True, markup=False)
            bar.advance(task)
    names = ", ".join(strategy.name for strategy in loadable)
    print(f"{len(chosen)} draws (seed {given.seed}) of {names}, {trades} trades, {failed} draws differ,")
    print(f"largest difference of a profit {worst:.3g} USDT")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

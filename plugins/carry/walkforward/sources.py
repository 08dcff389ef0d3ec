"""Which backtester evaluates which strategy: the sweep where it can express the rules, else freqtrade."""

from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pandas as pd

from carry.errors import UsageError
from carry.freqtrade_runs import FreqtradeRuns
from carry.sweep import SetResult, SweepMarket, SweepSettings, SweptStrategy, evaluate, load_history, prepare
from carry.sweep.freqtrade_setup import (
    load_exchange,
    load_strategy,
    one_line,
    read_configuration,
    read_settings,
)
from carry.timerange import Timerange
from carry.walkforward.choices import Engine
from carry.walkforward.evaluator import Configured, EvaluatorSource, Parameters, Space, dimensions_of

_KEPT_MARKETS = 3  # a fold asks for its training window and its test window in turn


class SweepRuns(Configured):
    """The sweep as an evaluator; files and market rules are read once."""

    def __init__(self, configs: tuple[str, ...], userdir: str, datadir: str, timeframe: str) -> None:
        """Read the configuration; UsageError in one line where freqtrade refuses it."""
        layers = [Path(path) for path in configs]
        places = {"user_data_dir": userdir, "datadir": datadir, "timeframe": timeframe}
        self._config: dict[str, Any] = read_configuration(layers, **places)
        self._exchange = load_exchange(self._config)
        self._history = load_history(Path(datadir), self.pairs, timeframe)
        self._step = pd.Timedelta(timeframe)
        self._loaded: dict[str, tuple[SweptStrategy, SweepSettings]] = {}
        self._market = lru_cache(_KEPT_MARKETS)(self._prepared)

    def slow(self, strategy: str) -> bool:  # noqa: ARG002
        """Return False."""
        return False

    def space(self, strategy: str) -> Space:
        """Return the parameters that the strategy's class lets a search change."""
        return dimensions_of(self._load(strategy)[0].space)

    def evaluate(
        self, strategy: str, sets: Sequence[Parameters], begin_ns: int, end_ns: int
    ) -> Sequence[pd.DataFrame]:
        """Return each set's trades; see Evaluator."""
        market = self._market(strategy, begin_ns, end_ns)
        results = evaluate(market, sets, self._load(strategy)[1])
        return [_with_orders(result) for result in results]

    def _load(self, strategy: str) -> tuple[SweptStrategy, SweepSettings]:
        if strategy not in self._loaded:
            swept = load_strategy(self._config, strategy)
            with one_line():  # the exchange logs that it loads its markets
                settings = read_settings(self._config, swept, self._exchange, self._history.pairs)
            self._loaded[strategy] = swept, settings
        return self._loaded[strategy]

    def _prepared(self, strategy: str, begin_ns: int, end_ns: int) -> SweepMarket:
        span = Timerange(_utc(begin_ns), _utc(end_ns) - self._step)  # the sweep includes the last candle
        return prepare(self._history, self._load(strategy)[0], span)


class RoutedRuns:
    """The sweep for what it can express, freqtrade for all else, or for everything."""

    def __init__(self, engine: Engine, *where: Any) -> None:
        """Keep what both are made from; freqtrade's own backtester is made when it is needed."""
        self._sweep = SweepRuns(*where) if engine is Engine.AUTO else None
        self._make_slow = partial(FreqtradeRuns, *where)
        self._freqtrade: FreqtradeRuns | None = None

    @property
    def balance(self) -> float:
        """Return the starting balance, quote."""
        return self._any.balance

    @property
    def pairs(self) -> tuple[str, ...]:
        """Return the whitelist."""
        return self._any.pairs

    def slow(self, strategy: str) -> bool:
        """Return whether freqtrade itself has to run for this strategy."""
        return self._chosen(strategy) is not self._sweep

    def space(self, strategy: str) -> Space:
        """Return the parameters that the strategy's class lets a search change."""
        return self._chosen(strategy).space(strategy)

    def evaluate(
        self, strategy: str, sets: Sequence[Parameters], begin_ns: int, end_ns: int
    ) -> Sequence[pd.DataFrame]:
        """Return each set's trades; see Evaluator."""
        return self._chosen(strategy).evaluate(strategy, sets, begin_ns, end_ns)

    @property
    def _any(self) -> SweepRuns | FreqtradeRuns:
        return self._sweep or self._slow

    @property
    def _slow(self) -> FreqtradeRuns:
        self._freqtrade = self._freqtrade or self._make_slow()
        return self._freqtrade

    def _chosen(self, strategy: str) -> SweepRuns | FreqtradeRuns:
        if self._sweep is None:
            return self._slow
        try:
            self._sweep.space(strategy)
        except UsageError as error:
            if "cannot be swept" not in str(error):
                raise
            return self._slow
        return self._sweep


def evaluator_source(
    engine: Engine, configs: Sequence[Path], userdir: Path, datadir: Path, timeframe: str
) -> EvaluatorSource:
    """Return how workers make their evaluator; paths are absolute, so they need the same files there."""
    layers = tuple(str(path.resolve()) for path in configs)
    where = (layers, str(userdir.resolve()), str(datadir.resolve()), timeframe)
    return EvaluatorSource(RoutedRuns, (engine, *where))


def _with_orders(result: SetResult) -> pd.DataFrame:
    """Add the filled orders of each trade, and sort by opening."""
    table = result.table()
    table["orders"] = pd.Series(result.orders(), index=table.index, dtype=object)
    return table.sort_values(["open_date", "pair"], ignore_index=True)


def _utc(at_ns: int) -> pd.Timestamp:
    return pd.Timestamp(at_ns, tz="UTC")

"""freqtrade's own backtester as an evaluator.

It is the yardstick of the sweep and evaluates strategies that the sweep cannot express: seconds per parameter
set instead of a fraction of a millisecond. Each run is what `freqtrade backtesting` does over the same range:
candles are loaded with the startup candles before it, indicators are computed anew, one wallet serves all
pairs.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.configuration import Configuration, TimeRange
from freqtrade.enums import RunMode
from freqtrade.exceptions import FreqtradeException
from freqtrade.exchange import timeframe_to_seconds
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.resolvers import ExchangeResolver

from carry.errors import DataError, UsageError
from carry.sweep.freqtrade_setup import parameter_space
from carry.walkforward.evaluator import TRADE_COLUMNS, Configured, Parameters, Space, dimensions_of

_SECOND_NS = 1_000_000_000


class FreqtradeRuns(Configured):
    """Backtests by freqtrade in this process; reaches the configured exchange once, for market metadata."""

    def __init__(
        self,
        configs: tuple[str, ...],
        userdir: str,
        datadir: str,
        timeframe: str,
        pairs: tuple[str, ...] = (),
    ) -> None:
        """Read the configuration layers and the markets; UsageError in one line where that fails."""
        arguments: dict[str, Any] = {"config": list(configs), "user_data_dir": userdir, "datadir": datadir}
        arguments |= {"timeframe": timeframe, "export": "none", "strategy": "unused"}
        arguments |= {"pairs": list(pairs)} if pairs else {}
        with _quiet(), _one_line():
            self._config = Configuration(arguments, RunMode.BACKTEST).get_config()
            self._config["runmode"] = RunMode.OTHER  # no progress bar of freqtrade's own
            self._exchange = ExchangeResolver.load_exchange(self._config, load_leverage_tiers=True)
        self._runs: dict[str, Backtesting] = {}
        self._window: tuple[int, int] | None = None
        self._data: dict[str, pd.DataFrame] = {}

    def slow(self, strategy: str) -> bool:  # noqa: ARG002
        """Return True: each set is a whole backtest."""
        return True

    def space(self, strategy: str) -> Space:
        """Return the parameters that freqtrade's hyperopt would search, in the class's order."""
        return dimensions_of(parameter_space(self._backtesting(strategy).strategylist[0]))

    def evaluate(
        self, strategy: str, sets: Sequence[Parameters], begin_ns: int, end_ns: int
    ) -> Sequence[pd.DataFrame]:
        """Return each set's trades; see Evaluator."""
        backtesting = self._backtesting(strategy)
        chosen = backtesting.strategylist[0]
        defaults = {name: parameter.value for name, parameter in chosen.enumerate_parameters()}
        step = timeframe_to_seconds(self._config["timeframe"])
        window = TimeRange("date", "date", begin_ns // _SECOND_NS, end_ns // _SECOND_NS - step)
        results: list[pd.DataFrame] = []
        with _quiet(), _one_line():
            if self._window != (begin_ns, end_ns):
                backtesting.timerange = window
                self._data, _ = backtesting.load_bt_data()
                self._window = (begin_ns, end_ns)
            for one in sets:
                for name, value in (defaults | dict(one)).items():
                    getattr(chosen, name).value = value
                data = {pair: candles.copy() for pair, candles in self._data.items()}
                backtesting.backtest_one_strategy(chosen, data, window)
                results.append(_trades(backtesting.all_bt_content[chosen.get_strategy_name()]["results"]))
        for name, value in defaults.items():
            getattr(chosen, name).value = value
        return results

    def _backtesting(self, strategy: str) -> Backtesting:
        if strategy not in self._runs:
            with _quiet(), _one_line():
                run = Backtesting(self._config | {"strategy": strategy}, self._exchange)
                run._set_strategy(run.strategylist[0])  # finds the class's parameters
            self._runs[strategy] = run
        return self._runs[strategy]


def _trades(results: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of an evaluator, ascending by opening."""
    if results.empty:
        return pd.DataFrame(columns=list(TRADE_COLUMNS))
    if not np.isfinite(results["profit_abs"]).all():
        raise DataError("freqtrade booked a profit that is not a number: run `carry check-data`")
    return results[list(TRADE_COLUMNS)].sort_values(["open_date", "pair"], ignore_index=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep freqtrade's log lines off the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _one_line() -> Iterator[None]:
    """Turn freqtrade's refusals into ours: one line; uncovered data by its own exit status."""
    try:
        yield
    except FreqtradeException as error:
        text = " ".join(str(error).split())
        kind = DataError if _about_data(text) else UsageError
        raise kind(f"freqtrade: {text}") from error


def _about_data(text: str) -> bool:
    return any(word in text for word in ("No data found", "check-data", "carry download", ".feather"))

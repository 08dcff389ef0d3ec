"""What walk-forward asks of a backtester, and what it gets: trades, as freqtrade names their columns.

`EvaluatorSource` makes an evaluator where the work is done, in this process or on a cluster; only the source
travels. One evaluator is made per process and source.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

import pandas as pd

from carry.errors import UsageError
from carry.sweep.signals import Space as SweptSpace

_MOST_DECIMALS = 8

Value: TypeAlias = bool | int | float | str
Parameters: TypeAlias = Mapping[str, Value]

TRADE_COLUMNS = (
    "pair",
    "open_date",
    "close_date",
    "amount",
    "open_rate",
    "close_rate",
    "profit_abs",
    "exit_reason",
    "orders",
)


@dataclass(frozen=True, slots=True)
class Dimension:
    """One parameter of a strategy, as its class declares it.

    Either `choices`, or numbers from `low` to `high` in steps of `step` (whole numbers if all three are).
    `space` is freqtrade's: buy, sell, ... `default` is the value that the class trades without a search.
    """

    name: str
    space: str
    default: Value
    choices: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    step: float = 0.0


Space: TypeAlias = tuple[Dimension, ...]


def dimensions_of(read: SweptSpace) -> Space:
    """Return what the sweep has read from a class, without what is not to be searched.

    Raises UsageError for a RealParameter: its values cannot be listed.
    """
    found = []
    for one in read.ranges:
        if one.values is not None:
            if len(one.values) > 1:
                found.append(Dimension(one.name, one.space, one.default, one.values))
        elif one.decimals > _MOST_DECIMALS:
            raise UsageError(f"{one.name} is a RealParameter: declare a DecimalParameter, a list of values")
        else:
            step = 10.0**-one.decimals
            found.append(Dimension(one.name, one.space, one.default, (), one.low, one.high, step))
    return tuple(found)


class Evaluator(Protocol):
    """Backtests of parameter sets. Equal arguments give equal trades, on any machine."""

    @property
    def balance(self) -> float:
        """Return the starting balance of every backtest, the capital of both legs, quote."""

    @property
    def pairs(self) -> tuple[str, ...]:
        """Return the perps that are traded together, as the configuration lists them."""

    def slow(self, strategy: str) -> bool:
        """Return whether one set takes seconds, so that fewer are tried."""

    def space(self, strategy: str) -> Space:
        """Return the parameters that the strategy's class lets a search change, () for none.

        Raises UsageError for a strategy that is not there or that this evaluator cannot express.
        """

    def evaluate(
        self, strategy: str, sets: Sequence[Parameters], begin_ns: int, end_ns: int
    ) -> Sequence[pd.DataFrame]:
        """Return the trades of each set, backtested alone over the candles opened in [begin, end).

        Columns `TRADE_COLUMNS`, one row per trade, ascending by opening; dates aware UTC, money in quote,
        `orders` as freqtrade exports them. Values not in a set are the class's defaults. Every position is
        closed at the end. Raises DataError where spot, mark or funding do not cover the range.
        """


class Configured:
    """What every evaluator reads from freqtrade's merged configuration."""

    _config: dict[str, Any]

    @property
    def balance(self) -> float:
        """Return the starting balance, quote."""
        return float(self._config["dry_run_wallet"])

    @property
    def pairs(self) -> tuple[str, ...]:
        """Return the whitelist."""
        return tuple(self._config["exchange"]["pair_whitelist"])


@dataclass(frozen=True, slots=True)
class EvaluatorSource:
    """How to make an evaluator: a function of a module and hashable arguments for it."""

    make: Callable[..., Evaluator]
    arguments: tuple[Any, ...] = ()

    def evaluator(self) -> Evaluator:
        """Return this process's evaluator for the source."""
        return _made(self.make, self.arguments)


@lru_cache(maxsize=4)
def _made(make: Callable[..., Evaluator], arguments: tuple[Any, ...]) -> Evaluator:
    return make(*arguments)

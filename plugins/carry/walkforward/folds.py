"""One piece of work of a walk-forward: pure functions of a picklable task, with answers that JSON can hold.

A `FoldTask` searches its training window and backtests the winner on its test window. An `AcrossTask`
backtests many sets over one range, for the statistics that compare all sets on one clock. Neither knows of
other tasks, so they run anywhere and in any order.
"""

import zlib
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import pandas as pd

from carry.losses import REJECTED, LossTerms, median_segment_loss, net_loss, worst_segment_loss
from carry.walkforward.choices import Criterion
from carry.walkforward.evaluator import TRADE_COLUMNS, EvaluatorSource, Parameters
from carry.walkforward.search import SearchPlan, best, narrowed, search
from carry.walkforward.splits import Window

Record: TypeAlias = dict[str, Any]

_ORDER_KEYS = ("amount", "safe_price", "ft_is_entry", "order_filled_timestamp")


_FORMULAS = {
    Criterion.NET: net_loss,
    Criterion.WORST: worst_segment_loss,
    Criterion.MEDIAN: median_segment_loss,
}


@dataclass(frozen=True, slots=True)
class FoldTask:
    """Search and test of one strategy in one window."""

    strategy: str
    fold: int
    window: Window
    plan: SearchPlan
    criterion: Criterion
    terms: LossTerms
    seed: int
    source: EvaluatorSource

    @property
    def name(self) -> str:
        """Return a name that no other task of the run has."""
        return f"fold-{self.strategy}-{self.fold:03d}"

    def described(self) -> Record:
        """Return all that decides the answer but the market and the code."""
        record = asdict(self)
        del record["source"]
        return record

    def run(self) -> Record:
        """Return winner, its test trades, and every trial.

        `winner` is None where no set reached the floor of trades: the fold stays flat.
        """
        evaluator = self.source.evaluator()
        space = narrowed(evaluator.space(self.strategy), self.plan.names, self.strategy)
        begin, end = _utc(self.window.train_ns), _utc(self.window.train_end_ns)
        formula = _FORMULAS[self.criterion]

        def judge(sets: "list[Parameters] | Any") -> list[float]:
            tables = evaluator.evaluate(self.strategy, sets, self.window.train_ns, self.window.train_end_ns)
            return [formula(trades, begin, end, evaluator.balance, self.terms) for trades in tables]

        seed = task_seed(self.seed, self.strategy, self.fold)
        trials = search(space, self.plan, seed, judge)
        winner = best(trials)
        record: Record = {"strategy": self.strategy, "fold": self.fold, "window": asdict(self.window)}
        record["trials"] = [{"parameters": dict(trial.parameters), "loss": trial.loss} for trial in trials]
        if winner.loss >= REJECTED:
            return record | {"winner": None, "train_trades": [], "trades": []}
        chosen = winner.parameters
        (train,) = evaluator.evaluate(self.strategy, [chosen], self.window.train_ns, self.window.train_end_ns)
        (test,) = evaluator.evaluate(self.strategy, [chosen], self.window.test_ns, self.window.test_end_ns)
        record |= {"winner": dict(chosen), "loss": winner.loss}
        return record | {"train_trades": trade_records(train), "trades": trade_records(test)}


@dataclass(frozen=True, slots=True)
class AcrossTask:
    """Backtests of `sets` of one strategy over [begin, end); no set means the class's defaults."""

    strategy: str
    part: int
    sets: tuple[tuple[tuple[str, Any], ...], ...]
    begin_ns: int
    end_ns: int
    source: EvaluatorSource

    @property
    def name(self) -> str:
        """Return a name that no other task of the run has."""
        return f"across-{self.strategy}-{self.part:03d}-{self.begin_ns // 10**9}"

    def described(self) -> Record:
        """Return all that decides the answer but the market and the code."""
        return {
            "strategy": self.strategy,
            "sets": self.sets,
            "begin_ns": self.begin_ns,
            "end_ns": self.end_ns,
        }

    def run(self) -> Record:
        """Return the trades of each set."""
        evaluator = self.source.evaluator()
        sets = [dict(pairs) for pairs in self.sets]
        tables = evaluator.evaluate(self.strategy, sets, self.begin_ns, self.end_ns)
        return {
            "strategy": self.strategy,
            "sets": sets,
            "trades": [trade_records(trades) for trades in tables],
        }


class Task(Protocol):
    """What the store and the workers need to know of a piece of work."""

    @property
    def name(self) -> str:
        """Return a name that no other task of the run has; fit for a file."""

    def described(self) -> Record:
        """Return all that decides the answer but the market and the code."""

    def run(self) -> Record:
        """Do the work."""


def task_seed(seed: int, strategy: str, fold: int) -> int:
    """Return a seed of its own for each strategy and fold, the same on any machine."""
    sequence = np.random.SeedSequence(seed, spawn_key=(zlib.crc32(strategy.encode()), fold))
    return int(sequence.generate_state(1)[0])


def trade_records(trades: pd.DataFrame) -> list[Record]:
    """Return trades as JSON-ready rows: instants in ms since 1970, orders with what a fill is."""
    rows: list[Record] = []
    for row in trades[list(TRADE_COLUMNS)].to_dict("records"):
        orders = [
            {key: _plain(order[key]) for key in _ORDER_KEYS}
            for order in row["orders"]
            if order["order_filled_timestamp"]
        ]
        record = {name: _plain(row[name]) for name in ("amount", "open_rate", "close_rate", "profit_abs")}
        record |= {"pair": row["pair"], "exit_reason": str(row["exit_reason"]), "orders": orders}
        record |= {name: _ms(row[name]) for name in ("open_date", "close_date")}
        rows.append(record)
    return rows


def trade_table(rows: list[Record]) -> pd.DataFrame:
    """Return the table that `trade_records` took apart."""
    table = pd.DataFrame(rows, columns=list(TRADE_COLUMNS))
    for name in ("open_date", "close_date"):
        table[name] = pd.to_datetime(table[name].astype("int64"), unit="ms", utc=True)
    return table


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _ms(at: Any) -> int:
    return int(pd.Timestamp(at).value // 1_000_000)


def _utc(at_ns: int) -> pd.Timestamp:
    return pd.Timestamp(at_ns, tz="UTC")

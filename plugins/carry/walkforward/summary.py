"""What a walk-forward says: stitched out-of-sample profit, its statistics, and what to hold against it.

Every fold's test starts flat on the same balance; profits are added, not compounded. Yearly = x 365 / days.
Figures that do not exist (no trade, no variance) are None.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from carry.bootstrap import Interval, bootstrap_interval
from carry.losses import traded_value
from carry.overfitting import (
    Overfitting,
    backtest_overfitting,
    deflated_sharpe,
    moments,
    probabilistic_sharpe,
    sharpe_columns,
)
from carry.tape import Floats, Ints
from carry.walkforward.daily import DayMarks, daily_profit, days_between
from carry.walkforward.folds import Record, trade_table

DAYS_PER_YEAR = 365.0


@dataclass(frozen=True, slots=True)
class Series:
    """Daily profit as a fraction of the balance, shape (days,); `ends_ns` the ends of the days, UTC."""

    ends_ns: Ints
    changes: Floats

    @property
    def equity(self) -> Floats:
        """Return 1 + the sum of profits so far."""
        return np.asarray(1.0 + np.cumsum(self.changes))


@dataclass(frozen=True, slots=True)
class Figures:
    """One series of trades in figures; fractions of the balance."""

    trades: int
    net: float
    yearly: float
    sharpe: float | None  # daily x sqrt(365)
    max_drawdown: float
    turnover_yearly: float
    forced_exits: int  # positions that only the end of a window closed


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much of a candidate's result luck and search explain. Probabilities in [0, 1]."""

    sets_tried: int
    sets_compared: int  # over the whole range: the columns of CSCV
    probabilistic_sharpe: float | None
    deflated_sharpe: float | None
    overfitting: Overfitting | None
    yearly_interval: Interval | None
    sharpe_interval: Interval | None
    efficiency: float | None  # yearly out of sample / yearly in sample


@dataclass(frozen=True, slots=True)
class Stability:
    """One parameter over the folds: the winner's values in order, None where a fold stayed flat."""

    name: str
    values: tuple[object, ...]
    distinct: int
    commonest: object
    commonest_share: float
    changes: int


def series_of(
    rows: Sequence[Record], marks: Mapping[str, DayMarks], span: tuple[int, int], balance: float
) -> Series:
    """Return the daily profit of trades over the days of [begin, end)."""
    ends_ns = days_between(*span)
    return Series(ends_ns, daily_profit(trade_table(list(rows)), dict(marks), ends_ns) / balance)


def figures_of(rows: Sequence[Record], series: Series, balance: float) -> Figures:
    """Return the figures of trades and of their daily profit."""
    table = trade_table(list(rows))
    years = max(series.ends_ns.size, 1) / DAYS_PER_YEAR
    equity = np.concatenate([[1.0], series.equity])
    peak = np.maximum.accumulate(equity)
    sharpe = yearly_sharpe(series.changes[None, :])[0]
    return Figures(
        trades=len(rows),
        net=float(series.changes.sum()),
        yearly=float(series.changes.sum()) / years,
        sharpe=float(sharpe) if math.isfinite(sharpe) else None,
        max_drawdown=float(((peak - equity) / peak).max()),
        turnover_yearly=float(traded_value(table).sum()) / balance / years if rows else 0.0,
        forced_exits=sum(row["exit_reason"] == "force_exit" for row in rows),
    )


def evidence_of(
    out_of_sample: Series, in_sample_yearly: float, matrix: Floats, sets_tried: int, seed: int
) -> Evidence:
    """Judge a stitched series by the sets that were tried.

    `matrix` shape (days, sets): daily profit of the sets compared, on one clock; `sets_tried` may be more.

    The deflated Sharpe ratio is strict here: the stitched series was not itself picked from the sets, yet it
    must beat the best that they show by luck.
    """
    observed = moments(out_of_sample.changes)
    yearly = float(out_of_sample.changes.mean()) * DAYS_PER_YEAR if out_of_sample.changes.size else 0.0
    sharpes = sharpe_columns(matrix) if matrix.size else np.empty(0)
    uncompared = np.full(max(sets_tried - sharpes.size, 0), np.nan)  # they count as trials
    return Evidence(
        sets_tried=sets_tried,
        sets_compared=sharpes.size,
        probabilistic_sharpe=probabilistic_sharpe(observed),
        deflated_sharpe=deflated_sharpe(observed, np.concatenate([sharpes, uncompared])),
        overfitting=backtest_overfitting(matrix) if matrix.size else None,
        yearly_interval=bootstrap_interval(out_of_sample.changes, _yearly, seed),
        sharpe_interval=bootstrap_interval(out_of_sample.changes, yearly_sharpe, seed),
        efficiency=yearly / in_sample_yearly if in_sample_yearly > 0.0 else None,
    )


def stability_of(winners: Sequence[Mapping[str, object] | None]) -> list[Stability]:
    """Return how each parameter of the winners moved from fold to fold."""
    known = [winner for winner in winners if winner is not None]
    stable = []
    for name in known[0] if known else ():
        values = [None if winner is None else winner[name] for winner in winners]
        chosen = [value for value in values if value is not None]
        commonest, count = Counter(chosen).most_common(1)[0]
        changes = sum(one != other for one, other in pairwise(chosen))
        stable.append(
            Stability(name, tuple(values), len(set(chosen)), commonest, count / len(chosen), changes)
        )
    return stable


def yearly_sharpe(changes: Floats) -> Floats:
    """Return mean / sample std x sqrt(365) of each row, shape (k,); NaN without variance."""
    if changes.shape[1] < 2:
        return np.full(changes.shape[0], np.nan)
    return sharpe_columns(changes.T) * math.sqrt(DAYS_PER_YEAR)


def _yearly(changes: Floats) -> Floats:
    return np.asarray(changes.mean(axis=1) * DAYS_PER_YEAR)

"""Losses for freqtrade's hyperopt: smaller is better, one formula each, on the pair's own profit.

All are fractions of the starting balance (the capital of both legs) per year of 365 days, negated. Turnover
is the traded value of both legs / balance / year; the penalty is a cost on top of those that profit already
holds, so that of two sets that earn the same the one that trades less wins, and thin edges that live on
optimistic costs lose. A set with fewer trades than the floor, zero above all, gets `REJECTED`, which
freqtrade never calls a best epoch.

`trades` is freqtrade's results frame: one row per closed trade with `open_date`, `close_date` (aware UTC),
`profit_abs` (quote, the pair's), `amount` (base), `open_rate`, `close_rate` (quote) and, where freqtrade
gives it, `orders` (list of its filled orders). Source of the segments: M. Lopez de Prado, "Advances in
Financial Machine Learning" (2018), chapter 7 (purge and embargo).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from carry.costs import BPS
from carry.errors import UsageError
from carry.tape import Floats

REJECTED = 100_000.0  # freqtrade's MAX_LOSS: an epoch at it is never the best
CONFIG_KEY = "carry_loss"
_YEAR = pd.Timedelta(days=365)


@dataclass(frozen=True, slots=True)
class LossTerms:
    """Settings of the losses of hyperopt and walk-forward: the `carry_loss` block of a configuration."""

    turnover_penalty_bps: float = field(default=2.0, metadata={"description": "of the value traded"})
    minimum_trades: int = field(default=3, metadata={"description": "over the whole range; fewer never win"})
    segments: int = field(default=4, metadata={"description": "of equal length"})
    embargo_h: float = field(
        default=72.0,
        metadata={"description": "after a segment's start, in which an opened trade does not count"},
    )

    def __post_init__(self) -> None:
        """Refuse settings that no formula takes."""
        if self.segments < 1 or self.minimum_trades < 1:
            raise UsageError(f"{CONFIG_KEY}: give segments and minimum_trades of at least 1")
        if not (0.0 <= self.turnover_penalty_bps < 1e4 and 0.0 <= self.embargo_h < 1e6):
            raise UsageError(f"{CONFIG_KEY}: give turnover_penalty_bps and embargo_h >= 0")


def loss_terms(config: Mapping[str, Any]) -> LossTerms:
    """Read the `carry_loss` block of freqtrade's configuration; UsageError names an unknown or bad field."""
    block = config.get(CONFIG_KEY) or {}
    known = {one.name for one in fields(LossTerms)}
    for name, value in dict(block).items():
        if name not in known or isinstance(value, bool) or not isinstance(value, int | float):
            raise UsageError(
                f"{CONFIG_KEY}.{name} is {value!r}: give a number for one of {', '.join(sorted(known))}"
            )
    whole = {
        name: int(value) for name, value in dict(block).items() if name in ("segments", "minimum_trades")
    }
    return LossTerms(**{**dict(block), **whole})


def traded_value(trades: pd.DataFrame) -> Floats:
    """Return what both legs of each trade traded, quote, shape (n,): twice the perp's fills."""
    if "orders" in trades and len(trades):
        return np.array(
            [
                2.0 * sum(order["amount"] * order["safe_price"] for order in orders)
                for orders in trades["orders"]
            ]
        )
    perp = trades["amount"] * (trades["open_rate"] + trades["close_rate"])
    return np.asarray(2.0 * perp, dtype=np.float64)


def net_loss(trades: pd.DataFrame, begin: datetime, end: datetime, balance: float, terms: LossTerms) -> float:
    """Return -(net profit - penalty x turnover) per capital and year over [begin, end]."""
    if len(trades) < terms.minimum_trades:
        return REJECTED
    worth = trades["profit_abs"].to_numpy(np.float64) - terms.turnover_penalty_bps * BPS * traded_value(
        trades
    )
    return _guarded(-float(worth.sum()) / balance / _years(begin, end))


def worst_segment_loss(
    trades: pd.DataFrame, begin: datetime, end: datetime, balance: float, terms: LossTerms
) -> float:
    """Return the loss of the segment that earned least: the set must work everywhere."""
    return _segment_loss(trades, begin, end, balance, terms, np.min)


def median_segment_loss(
    trades: pd.DataFrame, begin: datetime, end: datetime, balance: float, terms: LossTerms
) -> float:
    """Return the loss of the median segment: one lucky stretch does not help."""
    return _segment_loss(trades, begin, end, balance, terms, np.median)


def segment_scores(
    trades: pd.DataFrame, begin: datetime, end: datetime, balance: float, terms: LossTerms
) -> tuple[Floats, int]:
    """Return net - penalty x turnover per capital and year of each segment, and how many trades they hold.

    A trade counts in the segment that it was opened in, if it was closed by that segment's end (purge: a
    trade over the border knows both sides) and not opened within the embargo after its start (the first
    segment has no border before it). An empty segment scores 0: staying out is a position.
    """
    edges = pd.date_range(pd.Timestamp(begin), pd.Timestamp(end), periods=terms.segments + 1)
    worth = trades["profit_abs"].to_numpy(np.float64) - terms.turnover_penalty_bps * BPS * traded_value(
        trades
    )
    opened, closed = pd.DatetimeIndex(trades["open_date"]), pd.DatetimeIndex(trades["close_date"])
    scores, judged = np.zeros(terms.segments), 0
    for place in range(terms.segments):
        start, stop = edges[place], edges[place + 1]
        embargoed = start + pd.Timedelta(hours=terms.embargo_h if place else 0.0)
        counted = (opened >= embargoed) & (opened < stop) & (closed <= stop)
        scores[place] = worth[counted].sum() / balance / _years(start, stop)
        judged += int(np.count_nonzero(counted))
    return scores, judged


def _segment_loss(
    trades: pd.DataFrame,
    begin: datetime,
    end: datetime,
    balance: float,
    terms: LossTerms,
    choose: Callable[[Floats], Any],
) -> float:
    if len(trades) < terms.minimum_trades:
        return REJECTED
    scores, judged = segment_scores(trades, begin, end, balance, terms)
    if judged < terms.minimum_trades:
        return REJECTED  # purge and embargo left too little to judge
    return _guarded(-float(choose(scores)))


def _years(begin: datetime, end: datetime) -> float:
    return max((pd.Timestamp(end) - pd.Timestamp(begin)) / _YEAR, 1e-9)


def _guarded(loss: float) -> float:
    """Return the loss, or REJECTED where a profit was not a number."""
    return loss if np.isfinite(loss) else REJECTED

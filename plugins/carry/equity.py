"""Mark-to-market equity of a strategy on the capital of both legs, at every candle close.

equity(c) = starting balance + sum over trades of (cash flows + perp qty x perp close + spot qty x spot close
+ funding received up to c - borrow accrued up to c). A fill at a candle's open counts at that candle's close;
a settlement at the close itself counts, because the position was held into it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from carry.ledger import FoldedCarry
from carry.tape import DAY_NS, Bools, Closes, Floats, Ints


@dataclass(frozen=True, slots=True)
class EquityCurve:
    """Equity in quote at `at_ns` (candle closes), shape (n,); bars that could not be marked are absent.

    `invested` True where a position was held at the close, `perp_value` its |perp quantity| x close.
    """

    start: float
    at_ns: Ints
    equity: Floats
    invested: Bools
    perp_value: Floats

    @property
    def drawdown(self) -> Floats:
        """Return the fall from the highest equity so far (starting balance included) as a fraction of it.

        >= 0; above 1 where more than the whole capital is lost.
        """
        peak = np.maximum.accumulate(np.maximum(self.equity, self.start))
        return (peak - self.equity) / peak

    @property
    def max_drawdown(self) -> float:
        """Return the deepest drawdown as a positive fraction, 0 for an empty curve."""
        return float(self.drawdown.max()) if self.equity.size else 0.0


@dataclass(frozen=True, slots=True)
class PairMarks:
    """One pair's contribution on a grid of closes; `value` and `perp_value` in quote, NaN = not marked."""

    value: Floats
    perp_value: Floats
    held: Bools


def bar_grid(closes: Sequence[Closes], begin_ns: int, end_ns: int) -> Ints:
    """Return all candle closes of the pairs in (begin, end], sorted and unique."""
    if not closes:
        return np.empty(0, dtype=np.int64)
    every = np.unique(np.concatenate([pair.close_ns for pair in closes]))
    return every[(every > begin_ns) & (every <= end_ns)]


def build_equity(
    carries: Mapping[str, Sequence[FoldedCarry]],
    closes: Mapping[str, Closes],
    start: float,
    begin_ns: int,
    end_ns: int,
) -> EquityCurve:
    """Mark every pair's carries at every candle close in (begin, end].

    `carries` and `closes` are keyed by pair; every pair with carries needs closes. Bars where an open
    position's perp or spot did not trade are left out, never filled.
    """
    grid = bar_grid(list(closes.values()), begin_ns, end_ns)
    total = np.full(grid.shape, start)
    perp_value = np.zeros(grid.shape)
    invested = np.zeros(grid.shape, dtype=np.bool_)
    for pair, folded in carries.items():
        if folded:
            marks = mark_pair(folded, closes[pair], grid)
            total += marks.value
            perp_value += marks.perp_value
            invested |= marks.held
    marked = ~np.isnan(total)
    return EquityCurve(start, grid[marked], total[marked], invested[marked], perp_value[marked])


def mark_pair(folded: Sequence[FoldedCarry], closes: Closes, grid_ns: Ints) -> PairMarks:
    """Value one pair's carries at the instants `grid_ns`, shape (n,)."""
    at_ns = np.concatenate([carry.at_ns for carry in folded])
    order = np.argsort(at_ns, kind="stable")
    row = np.searchsorted(at_ns[order], grid_ns, side="left")  # fills strictly before the close

    def running(per_carry: Sequence[Floats]) -> Floats:
        changes = np.concatenate([np.diff(path, prepend=0.0) for path in per_carry])[order]
        return np.concatenate([[0.0], np.cumsum(changes)])[row]

    held = running([((c.perp_qty != 0.0) | (c.spot_qty != 0.0)).astype(np.float64) for c in folded]) > 0.5
    perp = np.where(held, running([c.perp_qty for c in folded]), 0.0)
    spot = np.where(held, running([c.spot_qty for c in folded]), 0.0)
    perp_close, spot_close = _align(closes, grid_ns)
    legs = np.where(held, perp * perp_close + spot * spot_close, 0.0)
    value = running([c.cash for c in folded]) + _funding_so_far(folded, grid_ns) + legs
    if any(c.borrow_daily.any() for c in folded):
        value -= _borrow_so_far(running, folded, grid_ns)
    return PairMarks(value, np.where(held, np.abs(perp) * perp_close, 0.0), held)


def _align(closes: Closes, grid_ns: Ints) -> tuple[Floats, Floats]:
    """Return (perp, spot) closes on the grid, NaN where the pair has no candle."""
    perp, spot = np.full(grid_ns.shape, np.nan), np.full(grid_ns.shape, np.nan)
    _, on_grid, rows = np.intersect1d(grid_ns, closes.close_ns, assume_unique=True, return_indices=True)
    perp[on_grid], spot[on_grid] = closes.perp_close[rows], closes.spot_close[rows]
    return perp, spot


def _funding_so_far(folded: Sequence[FoldedCarry], grid_ns: Ints) -> Floats:
    """Return the funding received up to and including each instant."""
    settle_ns = np.concatenate([carry.settle_ns for carry in folded])
    flows = np.concatenate([carry.funding for carry in folded])
    order = np.argsort(settle_ns, kind="stable")
    row = np.searchsorted(settle_ns[order], grid_ns, side="right")
    sums: Floats = np.concatenate([[0.0], np.cumsum(flows[order])])[row]
    return sums


def _borrow_so_far(
    running: Callable[[Sequence[Floats]], Floats], folded: Sequence[FoldedCarry], grid_ns: Ints
) -> Floats:
    """Return the borrow cost accrued up to each instant: sum of rate x (now - since), days from the first."""
    origin = min(int(carry.at_ns[0]) for carry in folded)
    rate = running([carry.borrow_daily for carry in folded])
    since = running(
        [np.cumsum(np.diff(c.borrow_daily, prepend=0.0) * ((c.at_ns - origin) / DAY_NS)) for c in folded]
    )
    return rate * ((grid_ns - origin) / DAY_NS) - since

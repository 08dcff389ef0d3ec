"""Which pairs to hold: the best expected net carry per unit of capital, after costs, against idle cash.

The value of holding a pair over the next H cycles of 8 h, in bps of one leg's notional, before trading:

    value = days(H) x (expected funding - borrow) + w x (spread - its 72 h mean) - hurdle
    hurdle = idle yield x time x capital per notional

Expected funding: `carry.persistence`. The spread's distance from its mean is what convergence pays within
hours (half-life about 7 h, REFERENCES section 2); w = 0 leaves it out. Idle cash is thus an asset of value 0
and no costs, and one rule covers every change: **the gain over the horizon must exceed the round trips of
all that is traded.** With the round trip c (times `margin`):

    open from idle        value > c
    close into idle       value < -c          closing on a sign flip would pay c again and again (section 6)
    A for B               value_B - value_A > 2 c, and B alone is worth opening

All pairs tie up the same capital per notional (one leverage), so value ranks return on capital. What is not
known decides nothing: such a pair is neither opened nor left. Ties go to the pair whose name sorts first.

A row is a candle, decided at its close and filled at the next open, as in `carry.rules`. The held set of a
row follows from the row before it and the row's values alone (`rotate`): a backtest replays it from an empty
account, a trading bot applies its last step to what it really holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from numba import njit

from carry.costs import BPS
from carry.errors import UsageError
from carry.features import HOUR_NS, ZSCORE_HOURS, ZSCORE_MIN_VALID_TENTHS
from carry.market import timeframe_delta
from carry.moments import Floats, Ints, window_moments
from carry.persistence import (
    CYCLE_H,
    Cycles,
    expected_daily_bps,
    funding_cycles,
    funding_outlook,
    last_ended,
    reaching,
)
from carry.rules import fills_at_settlement

Bools = npt.NDArray[np.bool_]
_YEAR_DAYS = 365.0


@dataclass(frozen=True, slots=True)
class RotationRules:
    """What decides a rotation. Costs in bps of one leg's notional; UsageError for impossible values.

    `span`, `horizon` in cycles of 8 h; `round_trip_bps` of both legs, in and out; `idle_yield_pct` of cash a
    year; `capital_per_notional` that a pair ties up (1 + 1/leverage + reserve); `margin` multiplies the round
    trips that a change must earn; `basis_weight` of the spread's convergence, 0 or 1.
    """

    span: float = 63.0
    horizon: float = 90.0
    round_trip_bps: float = 34.0
    borrow_daily_bps: float = 0.0
    idle_yield_pct: float = 3.0
    capital_per_notional: float = 1.5
    margin: float = 1.0
    basis_weight: float = 1.0

    def __post_init__(self) -> None:
        """Refuse values that no rotation can have."""
        least = {
            "span": 1.0,
            "horizon": 1.0,
            "capital_per_notional": 1.0,
            "margin": 0.0,
            "round_trip_bps": 0.0,
        }
        for name, value in least.items():
            given = getattr(self, name)
            if not value <= given < float("inf"):
                raise UsageError(f"rotation: {name} is {given}: give a number >= {value:g}")

    @property
    def days(self) -> float:
        """Return the horizon in days."""
        return self.horizon * CYCLE_H / 24.0

    @property
    def hurdle_bps(self) -> float:
        """Return what the pair's capital would earn idle over the horizon, in bps of the notional."""
        yearly = self.idle_yield_pct / 100.0 / BPS * self.capital_per_notional
        return yearly * self.days / _YEAR_DAYS

    @property
    def cost_bps(self) -> float:
        """Return what one pair's opening and closing must earn."""
        return self.round_trip_bps * self.margin


@dataclass(frozen=True, slots=True)
class PairSeries:
    """One pair on its own candles: arrays (n,), and its funding by cycles.

    `traded`: both legs were traded in the candle; `open_to_fill`: and the next open is no settlement that
    can be avoided; `spread_bps` NaN where either leg was not traded.
    """

    pair: str
    opened: Ints
    traded: Bools
    open_to_fill: Bools
    spread_bps: Floats
    cycles: Cycles


def pair_series(pair: str, frame: pd.DataFrame, funding: pd.DataFrame, timeframe: str) -> PairSeries:
    """Return a pair's series.

    `frame`: date and the columns of `carry.features`; `funding`: all its settlements that are known, also
    from before the frame: a pair needs 90 cycles of them.
    """
    hours = timeframe_delta(timeframe) / pd.Timedelta(1, unit="h")
    spread = frame["spread_bps"].to_numpy(dtype=np.float64)
    traded = frame["spot_traded"].to_numpy(dtype=np.bool_) & ~np.isnan(spread)
    avoided = fills_at_settlement(frame, hours).to_numpy(dtype=np.bool_)
    opened = frame["date"].dt.as_unit("ns").astype("int64").to_numpy(dtype=np.int64)
    return PairSeries(pair, opened, traded, traded & ~avoided, spread, funding_cycles(funding))


@dataclass(frozen=True, slots=True)
class RotationMarket:
    """All pairs on one grid, the union of their candles: arrays (T, P), P in the order of `pairs`.

    `opened` (T,): ns since 1970; `excess_bps`: spread minus its mean of 72 h, 0 while that is not known.
    """

    pairs: tuple[str, ...]
    opened: Ints
    closed: Ints
    traded: Bools
    open_to_fill: Bools
    excess_bps: Floats
    cycles: tuple[Cycles, ...]

    def value_bps(self, rules: RotationRules) -> Floats:
        """Return the value (T, P) of holding each pair from each row on; NaN where it is not known."""
        value = np.full(self.traded.shape, np.nan)
        for column, cycles in enumerate(self.cycles):
            row = last_ended(cycles, self.closed)
            outlook = funding_outlook(cycles, rules.span)
            daily = np.where(outlook.known, expected_daily_bps(outlook, rules.horizon), np.nan)
            value[:, column] = np.where(row >= 0, daily[row], np.nan)
        earned = (value - rules.borrow_daily_bps) * rules.days
        return earned + rules.basis_weight * self.excess_bps - rules.hurdle_bps


def rotation_market(series: Sequence[PairSeries], timeframe: str) -> RotationMarket:
    """Put the series of all pairs on one grid; the order of `series` does not matter."""
    ordered = sorted(series, key=lambda one: one.pair)
    step = int(timeframe_delta(timeframe) / pd.Timedelta(1, unit="ns"))
    opened = np.unique(np.concatenate([one.opened for one in ordered]))
    shape = (len(opened), len(ordered))
    traded, open_to_fill, excess = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_), np.zeros(shape)
    for column, one in enumerate(ordered):
        rows = np.searchsorted(opened, one.opened)
        traded[rows, column] = one.traded
        open_to_fill[rows, column] = one.open_to_fill
        excess[rows, column] = _excess(one, step)
    return RotationMarket(
        pairs=tuple(one.pair for one in ordered),
        opened=opened,
        closed=opened + step,
        traded=traded,
        open_to_fill=open_to_fill,
        excess_bps=excess,
        cycles=tuple(reaching(one.cycles, int(opened[-1]) + step) for one in ordered),
    )


def _excess(one: PairSeries, step: int) -> Floats:
    """Return spread - mean of its trailing 72 h (n,), 0 where either is not known (as `carry.features`)."""
    if not len(one.opened):
        return np.empty(0)
    bars = ZSCORE_HOURS * HOUR_NS // step
    bar = one.opened // step
    grid = np.full(int(bar[-1] - bar[0]) + 1, np.nan)
    grid[bar - bar[0]] = one.spread_bps
    count, mean, _ = (moment[bar - bar[0]] for moment in window_moments(grid, bars, int(bar[0])))
    enough = (count * 10 >= bars * ZSCORE_MIN_VALID_TENTHS) & ~np.isnan(one.spread_bps)
    return np.where(enough, one.spread_bps - mean, 0.0)


@dataclass(frozen=True, slots=True)
class Rotation:
    """The decision of every row, arrays (T, P).

    `target`: held after the row's close. `entry`: a target that is worth opening from idle at the next
    open; not only in the row that chose it, so that an entry that was refused, or a bot that starts later,
    finds it. `value_bps`: see the module, NaN where not known.
    """

    value_bps: Floats
    target: Bools
    entry: Bools


def rotate(
    market: RotationMarket,
    rules: RotationRules,
    slots: float,
    *,
    first: int = 0,
    held: Sequence[str] = (),
) -> Rotation:
    """Decide which pairs to hold, at most `slots` (beyond those held before; infinite or negative: all).

    `held`: the pairs held before row `first`; earlier rows hold them. Row t depends on `held` and on what
    rows first .. t know, on nothing else.
    """
    value = market.value_bps(rules)
    before = np.isin(market.pairs, list(held))
    cost = rules.cost_bps
    target = targets(value, market.traded, market.open_to_fill, cost, slots, first=first, held=before)
    with np.errstate(invalid="ignore"):
        return Rotation(value, target, target & market.open_to_fill & (value > cost))


def targets(
    value: Floats, traded: Bools, open_to_fill: Bools, cost: float, slots: float, *, first: int, held: Bools
) -> Bools:
    """Return the target matrix (T, P) of plain arrays (T, P); see `rotate`.

    `cost` >= 0: bps that one round trip must earn; `held` (P,): held before row `first`.
    """
    most = value.shape[1] if slots < 0 or slots >= value.shape[1] else int(slots)
    target: Bools = _fold(value, traded, open_to_fill, float(cost), most, first, held.astype(np.bool_))
    return target


@njit(cache=True)
def _fold(
    value: Floats, traded: Bools, open_to_fill: Bools, cost: float, slots: int, first: int, held: Bools
) -> Bools:
    rows, pairs = value.shape
    target = np.zeros((rows, pairs), dtype=np.bool_)
    target[:first] = held
    holds = held.copy()
    for t in range(max(first, 0), rows):
        count = 0
        for p in range(pairs):
            if holds[p] and traded[t, p] and value[t, p] < -cost:
                holds[p] = False
            count += holds[p]
        while True:
            best, worst = -1, -1
            for p in range(pairs):
                if holds[p]:
                    if traded[t, p] and (worst < 0 or value[t, p] <= value[t, worst]):
                        worst = p if not np.isnan(value[t, p]) else worst
                elif open_to_fill[t, p] and value[t, p] > cost and (best < 0 or value[t, p] > value[t, best]):
                    best = p
            if best < 0:
                break
            if count < slots:
                count += 1
            elif worst >= 0 and value[t, best] - value[t, worst] > 2.0 * cost:
                holds[worst] = False
            else:
                break
            holds[best] = True
        target[t] = holds
    return target

"""Hypothesis strategies: random tapes with outages, and random short trades on them."""

import math
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from carry.costs import CostModel
from carry.ledger import Fills
from carry.tape import Closes, Tape, settlement_holes

from .synthetic import HOUR_NS, START, random_walk

HOURS = 96
START_NS = START.value


@dataclass(frozen=True)
class Case:
    """One random carry: its fills, the market, its costs and lot."""

    fills: Fills
    tape: Tape
    closes: Closes
    costs: CostModel
    lot: float


def make_tape(seed: int, outages: frozenset[int] = frozenset(), interval: int = 8) -> tuple[Tape, Closes]:
    """Return a four-day hourly market; the spot does not trade in the hours `outages`."""
    perp, spot = random_walk(HOURS, seed)
    hours = START_NS + np.arange(HOURS, dtype=np.int64) * HOUR_NS
    traded = np.array([hour not in outages for hour in range(HOURS)])
    rng = np.random.default_rng(seed)
    column = {
        name: spot[name].to_numpy(dtype=np.float64)[traded] for name in ("open", "high", "low", "close")
    }
    perp_open = perp["open"].to_numpy(dtype=np.float64)
    settle_ns = hours[::interval]
    tape = Tape(
        pair="BTC/USDT:USDT",
        spot_ns=hours[traded],
        spot_open=column["open"],
        spot_high=column["high"],
        spot_low=column["low"],
        spot_close=column["close"],
        perp_ns=hours,
        perp_open=perp_open,
        settle_ns=settle_ns,
        settle_rate=rng.normal(0.0001, 0.0005, settle_ns.size),
        settle_mark_px=perp_open[::interval] * 1.0002,
        settle_hole=settlement_holes(settle_ns),
    )
    spot_close = np.where(traded, spot["close"].to_numpy(dtype=np.float64), math.nan)
    return tape, Closes(hours + HOUR_NS, perp["close"].to_numpy(dtype=np.float64), spot_close)


@st.composite
def cases(draw: st.DrawFn, off_open: bool = True) -> Case:
    """Return a random short trade: entries, partial exits and re-entries, several at one instant."""
    outages = draw(st.frozensets(st.integers(1, HOURS - 8), max_size=12))
    tape, closes = make_tape(draw(st.integers(0, 50)), outages)
    hours = sorted(draw(st.lists(st.integers(0, HOURS - 8), min_size=1, max_size=7)))
    held, rows = 0, list[tuple[int, int, bool]]()
    for hour in hours:  # milli-units, so that a position is an exact number of thousandths
        thousandths = draw(st.integers(1, 4000))
        leave = held > thousandths and draw(st.booleans())
        held += -thousandths if leave else thousandths
        rows.append(
            (hour, thousandths if leave else -thousandths, leave and off_open and draw(st.booleans()))
        )
    last = draw(st.integers(hours[-1], HOURS - 6))
    rows.append((last + 1, held, off_open and draw(st.booleans())))
    candle = np.array([row[0] for row in rows])
    inside = np.array([row[2] for row in rows], dtype=np.bool_)
    moved = np.array([draw(st.floats(0.98, 1.02)) if row[2] else 1.0 for row in rows])
    qty = np.array([row[1] / 1000.0 for row in rows])
    fills = Fills(
        at_ns=START_NS + candle.astype(np.int64) * HOUR_NS,
        qty=qty,
        px=tape.perp_open[candle] * moved,
        fee_rate=np.where(qty < 0.0, 0.0004, 0.0006),
        off_open=inside,
    )
    costs = CostModel(
        spot_taker_bps=draw(st.floats(0, 20)),
        perp_slippage_bps=draw(st.floats(0, 20)),
        spot_slippage_bps=draw(st.floats(0, 20)),
        fixed_per_trade=draw(st.floats(0, 3)),
        borrow_daily_bps=draw(st.sampled_from([0.0, 2.5])),
    )
    return Case(fills, tape, closes, costs, draw(st.sampled_from([1e-8, 0.001, 0.01, 0.3])))

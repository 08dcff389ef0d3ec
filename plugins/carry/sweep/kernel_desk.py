"""What happens to a pair at one open, in the kernel: it is opened, resized, closed; the desk's tables follow.

`Desk` is the state of one run. These functions are called only where something may happen; most candles need
none of them.
"""

import math
from typing import NamedTuple

import numpy as np

from carry.sweep import layout as at
from carry.sweep import market as on
from carry.sweep.compiling import compiled, inlined
from carry.sweep.kernel_books import enter, leave, round_to
from carry.sweep.kernel_exits import LIQUIDATION, NONE, ROLL, STOP, TRAILING_STOP, V_WIDTH, exit_reason, watch
from carry.sweep.kernel_resize import lower_stop, note_fill, recalculate, resize, wanted_exposure
from carry.sweep.kernel_stake import entry_amount, liquidation_price
from carry.sweep.layout import Bools, Floats, Ints, Limits, Reason, Sizes, Terms
from carry.sweep.market import MarketArrays

_FORCED = int(Reason.FORCE_EXIT)
OPEN, TRADES, FILLED = 0, 1, 2  # of `Desk.counts`
PEAK, DEEPEST, EXPOSED, MARKS = 0, 1, 2, 3  # of `Desk.tally`


class Desk(NamedTuple):
    """One run: `states` and `views` per pair, open pairs in `order` of opening, what was done so far."""

    states: Floats  # (pairs, STATE_WIDTH)
    views: Floats  # (pairs, V_WIDTH)
    held: Bools
    order: Ints  # the first counts[OPEN] are open pairs
    turn: Ints  # the order in which the pairs are processed
    rolled: Ints  # row of the last roll, per pair
    counts: Ints  # open pairs, closed trades, fills
    money: Floats  # profit of closed trades
    tally: Floats  # highest equity, deepest drawdown as a fraction, sum of perp values held, marks
    records: Floats
    fills: Floats


def new_desk(pairs: int, trades: int) -> Desk:
    """Return the tables for runs over so many pairs, with room for so many trades; runs may share it."""
    return Desk(
        states=np.zeros((pairs, at.STATE_WIDTH)),
        views=np.zeros((pairs, V_WIDTH)),
        held=np.zeros(pairs, dtype=np.bool_),
        order=np.zeros(pairs, dtype=np.int64),
        turn=np.zeros(pairs, dtype=np.int64),
        rolled=np.zeros(pairs, dtype=np.int64),
        counts=np.zeros(3, dtype=np.int64),
        money=np.zeros(1),
        tally=np.zeros(4),
        records=np.empty((trades, at.RECORD_WIDTH)),
        fills=np.empty((4 * trades, 4)),
    )


@compiled
def begin(desk: Desk, wallet: float) -> None:
    """Clear the desk: nothing held, nothing done, the wallet marked once."""
    desk.tally[:] = 0.0
    desk.tally[PEAK], desk.tally[MARKS] = wallet, 1.0
    desk.states[:], desk.views[:] = 0.0, 0.0
    desk.counts[:], desk.money[:] = 0, 0.0
    for pair in range(desk.held.shape[0]):
        desk.held[pair], desk.turn[pair], desk.rolled[pair] = False, pair, -2


@compiled
def note_equity(tally: Floats, equity: float) -> None:
    """Follow the highest equity and the deepest drawdown from it."""
    if equity > tally[PEAK]:
        tally[PEAK] = equity
    elif tally[PEAK] - equity > tally[DEEPEST] * tally[PEAK]:
        tally[DEEPEST] = (tally[PEAK] - equity) / tally[PEAK]


@inlined
def try_open(
    desk: Desk,
    market: MarketArrays,
    terms: Terms,
    limits: Limits,
    sizes: Sizes,
    pair: int,
    row: int,
    step_ms: float,
    fresh: bool,
) -> int:
    """Open the pair if spot trades and there is capital; return OK, NOT_OPENED or STAKE_TOO_HIGH."""
    if not market.cold[row, pair, on.C_SPOT_NOW] > 0.0:
        return at.NOT_OPENED
    px = market.hot[row, pair, on.H_OPEN]
    count = desk.counts[OPEN]
    exposure = sizes.opening[pair, row - 1] if sizes.sized else 1.0
    amount, leverage = entry_amount(desk.states, desk.order, count, desk.money[0], terms, pair, px, exposure)
    if math.isnan(amount):
        return at.STAKE_TOO_HIGH
    if amount == 0.0:
        return at.NOT_OPENED
    state = desk.states[pair]
    tag = at.TAG_CARRY if fresh else at.TAG_ROLL
    open_pair(state, market, terms, pair, row, amount, leverage, tag)
    state[at.TRADE] = desk.counts[TRADES] + count + 1.0
    state[at.FULL_QTY] = amount / exposure
    desk.counts[FILLED] = note_fill(desk.fills, desk.counts[FILLED], state[at.TRADE], row, amount, px)
    if sizes.sized:
        recalculate(state, desk.fills, desk.counts[FILLED])
    desk.order[count] = pair
    desk.held[pair] = True
    desk.counts[OPEN] = count + 1
    watch(desk.views[pair], state, market, terms, limits, pair, step_ms)
    return at.OK


@compiled
def try_resize(
    desk: Desk,
    market: MarketArrays,
    terms: Terms,
    limits: Limits,
    sizes: Sizes,
    pair: int,
    row: int,
    step_ms: float,
) -> bool:
    """Resize a held pair where its rule wants another exposure and spot trades; return whether it was."""
    state, count = desk.states[pair], desk.counts[FILLED]
    share = state[at.AMOUNT] / state[at.FULL_QTY]
    wanted = wanted_exposure(share, sizes.grow_to[pair, row - 1], sizes.shrink_to[pair, row - 1], sizes.band)
    if math.isnan(wanted) or not market.cold[row, pair, on.C_SPOT_NOW] > 0.0:
        return False
    closed, opened = desk.money[0], desk.counts[OPEN]
    desk.counts[FILLED] = resize(
        desk.states, desk.order, opened, closed, market, terms, pair, row, wanted, desk.fills, count
    )
    if desk.counts[FILLED] == count:
        return False
    watch(desk.views[pair], state, market, terms, limits, pair, step_ms)
    return True


@inlined
def try_close(
    desk: Desk,
    market: MarketArrays,
    terms: Terms,
    limits: Limits,
    pair: int,
    row: int,
    entering: bool,
    entry_on: bool,
    holding: bool,
) -> bool:
    """Close the pair if there is a reason at this open; return whether it was."""
    state = desk.states[pair]
    reason = exit_reason(state, market, terms, limits, pair, row, entering, entry_on, holding)
    if reason == NONE or not _closed(desk, market, terms, pair, row, reason):
        return False
    if reason == ROLL:
        desk.rolled[pair] = row
    desk.held[pair] = False
    desk.counts[OPEN] = _drop(desk.order, desk.counts[OPEN], pair)
    return True


@inlined
def _closed(desk: Desk, market: MarketArrays, terms: Terms, pair: int, row: int, reason: int) -> bool:
    """Close and record the pair's trade; False where its price cannot be had."""
    state, trades = desk.states[pair], desk.counts[TRADES]
    amount, record = state[at.AMOUNT], desk.records[trades]
    if not close_pair(state, market, terms, pair, row, reason, record):
        return False
    desk.counts[TRADES] = trades + 1
    desk.counts[FILLED] = note_fill(
        desk.fills, desk.counts[FILLED], state[at.TRADE], row, -amount, record[at.R_CLOSE_RATE]
    )
    desk.money[0] += state[at.FT_PROFIT]
    return True


@inlined
def force_exits(desk: Desk, market: MarketArrays, terms: Terms) -> None:
    """Close what is left at each pair's last open, earliest listed pair first."""
    for pair in market.leaving:
        if desk.held[pair]:
            _closed(desk, market, terms, pair, market.last[pair], _FORCED)


@inlined
def open_pair(
    state: Floats,
    market: MarketArrays,
    terms: Terms,
    pair: int,
    row: int,
    amount: float,
    leverage: float,
    tag: int,
) -> None:
    """Open the pair's trade at this open."""
    px = market.hot[row, pair, on.H_OPEN]
    state[:] = 0.0
    state[at.LAST_ROW] = -1.0
    state[at.OPEN_ROW], state[at.TAG], state[at.LEVERAGE] = row, tag, leverage
    digits = market.cold[row, pair, on.C_DIGITS]
    state[at.PRICE_NUM] = 1.0 if digits >= 0 else terms.pairs[pair, at.T_PRICE_NUM]
    state[at.PRICE_DEN] = 10.0**digits if digits >= 0 else terms.pairs[pair, at.T_PRICE_DEN]
    enter(state, market, terms, pair, row, amount, px)
    state[at.OPEN_RATE] = round_to(px, state[at.PRICE_NUM], state[at.PRICE_DEN])
    lower_stop(state)
    price = liquidation_price(state, terms, pair)
    state[at.LIQUIDATION] = round_to(price, state[at.PRICE_NUM], state[at.PRICE_DEN])


@inlined
def close_pair(
    state: Floats, market: MarketArrays, terms: Terms, pair: int, row: int, reason: int, record: Floats
) -> bool:
    """Close the pair's trade; False where its price, cut to the trade's tick, is outside the candle."""
    px = market.hot[row, pair, on.H_OPEN]
    if reason in (LIQUIDATION, STOP, TRAILING_STOP):
        level = state[at.LIQUIDATION] if reason == LIQUIDATION else state[at.STOP]
        px = level if level >= market.cold[row, pair, on.C_LOW] else px
    px = round_to(px, state[at.PRICE_NUM], state[at.PRICE_DEN])
    if px < market.cold[row, pair, on.C_LOW] or px > market.cold[row, pair, on.C_HIGH]:
        return False
    off_open = reason in (LIQUIDATION, STOP, TRAILING_STOP)
    amount = state[at.AMOUNT]
    record[at.R_PAIR], record[at.R_AMOUNT], record[at.R_STAKE] = pair, amount, state[at.STAKE]
    record[at.R_OPEN_ROW], record[at.R_CLOSE_ROW] = state[at.OPEN_ROW], row
    record[at.R_LEVERAGE], record[at.R_OPEN_RATE] = state[at.LEVERAGE], state[at.OPEN_RATE]
    record[at.R_CLOSE_RATE], record[at.R_REASON], record[at.R_TAG] = px, reason, state[at.TAG]
    leave(state, market, terms, pair, row, amount, px, not off_open)
    record[at.R_TRADE] = state[at.TRADE]
    record[at.R_PROFIT] = state[at.FT_PROFIT]
    record[at.R_RATIO] = state[at.FT_PROFIT] / state[at.FT_ENTERED] * state[at.LEVERAGE]
    return True


@compiled
def set_turns(held: Bools, order: Ints, count: int, turn: Ints) -> None:
    """Write the order in which the pairs are processed: open ones first."""
    size = 0
    for k in range(count):
        turn[k] = order[k]
        size += 1
    for pair in range(held.shape[0]):
        if not held[pair]:
            turn[size] = pair
            size += 1


@compiled
def _drop(order: Ints, count: int, pair: int) -> int:
    """Take a closed pair out of the order of opening."""
    size = 0
    for k in range(count):
        if order[k] != pair:
            order[size] = order[k]
            size += 1
    return size

"""freqtrade's backtest of one parameter set, as one pass over the candles. Cost is linear in candles.

At each open, pairs with an open trade come first, in the order in which they were opened, then the others in
the order of the whitelist; per pair first the entry, then the exits. Entries and exits fill at that open from
signals of the candle before; on the last candle nothing opens, and what is left is closed. Sources: freqtrade
2026.9 optimize/backtesting.py (`backtest_loop`), hedge_leg.freqtrade_host, hedge_leg.pair_exit.
"""

import math

import numpy as np

from carry.sweep import layout as at
from carry.sweep.kernel_books import enter, leave, round_to
from carry.sweep.kernel_exits import (
    LIQUIDATION,
    NONE,
    ROLL,
    V_BASE,
    V_BORROW,
    V_LAST_MS,
    V_NET,
    V_PERP,
    V_SPOT,
    V_WIDTH,
    exit_reason,
    is_quiet,
    watch,
)
from carry.sweep.kernel_stake import entry_amount, liquidation_price
from carry.sweep.layout import Bools, Floats, Ints, Limits, Reason, Terms, compiled
from carry.sweep.market import MarketArrays

_FORCED = int(Reason.FORCE_EXIT)


@compiled
def run(
    market: MarketArrays,
    terms: Terms,
    limits: Limits,
    entry: Bools,
    hold: Bools,
    known: Bools,
    fillable: Bools,
    records: Floats,
    equity: Floats,
) -> tuple[int, int]:
    """Simulate one parameter set; return (status, number of trades) and fill `records` and `equity`.

    `entry`, `hold`, `known`, `fillable`: (pairs, candles), decided at each candle's close. `equity` (candles,
    2): quote of all capital marked at each close and the perp value held; NaN where it cannot be marked.
    """
    pairs, candles = market.open.shape
    step_ms = float(market.at_ms[1] - market.at_ms[0]) if candles > 1 else 1.0
    states, views = np.zeros((pairs, at.STATE_WIDTH)), np.zeros((pairs, V_WIDTH))
    order, turn, held = np.zeros(pairs, np.int64), np.arange(pairs), np.zeros(pairs, np.bool_)
    rolled = np.full(pairs, -2, np.int64)
    first, last, opens, highs = market.first, market.last, market.open, market.liquidation_high
    settlements, flipped_h = market.settlements, market.negative_funding_h
    count, trades, closed = 0, 0, 0.0
    equity[0, 0], equity[0, 1] = terms.wallet, 0.0
    for row in range(1, candles):
        before, changed = row - 1, False
        for k in range(pairs):
            pair = turn[k]
            if row <= first[pair] or row > last[pair]:
                continue
            holding, fresh = hold[pair, before], entry[pair, before]
            if not held[pair]:
                again = rolled[pair] == before and known[pair, before]
                if not (holding and fillable[pair, before] and (fresh or again)):
                    continue
                if row == candles - 1 or count >= terms.slots:
                    continue
                tag = at.TAG_CARRY if fresh else at.TAG_ROLL
                status = _try_open(states, order, count, closed, market, terms, pair, row, tag)
                if status == at.STAKE_TOO_HIGH:
                    return status, trades
                if status != at.OK:
                    continue
                order[count], held[pair], changed = pair, True, True
                count += 1
                watch(views[pair], states[pair], market, terms, limits, pair, step_ms)
            if holding and is_quiet(
                views[pair],
                row,
                opens[pair, row],
                highs[pair, row],
                settlements[pair, row],
                flipped_h[pair, before],
            ):
                continue
            entering = (fresh or (holding and known[pair, before])) and fillable[pair, before]
            entry_on = fresh and fillable[pair, before]
            reason = exit_reason(states[pair], market, terms, limits, pair, row, entering, entry_on, holding)
            if reason == NONE:
                continue
            if trades >= records.shape[0]:
                return at.FULL, trades
            if close_pair(states[pair], market, terms, pair, row, reason, records[trades]):
                closed += states[pair, at.FT_PROFIT]
                trades += 1
                rolled[pair] = row if reason == ROLL else rolled[pair]
                count = _drop(order, count, pair)
                held[pair], changed = False, True
        if changed:
            _turns(held, order, count, turn)
        equity[row, 0], equity[row, 1] = terms.wallet + closed, 0.0
        if count > 0:
            _mark(views, held, market.close, market.spot_close, market.funding_close, row, equity)
            if terms.borrow_per_ms > 0.0:
                _charge(views, held, market.at_ms[row] + step_ms, row, equity)
    return _force_exits(market, terms, states, records, trades, closed, equity)


@compiled
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
    px = market.open[pair, row]
    state[:] = 0.0
    state[at.LAST_ROW] = -1.0
    state[at.OPEN_ROW], state[at.TAG], state[at.LEVERAGE] = row, tag, leverage
    digits = market.tick_digits[pair, row]
    state[at.PRICE_NUM] = 1.0 if digits >= 0 else terms.price_num[pair]
    state[at.PRICE_DEN] = 10.0**digits if digits >= 0 else terms.price_den[pair]
    enter(state, market, terms, pair, row, amount, px)
    state[at.OPEN_RATE] = round_to(px, state[at.PRICE_NUM], state[at.PRICE_DEN])
    price = liquidation_price(state, terms, pair)
    state[at.LIQUIDATION] = round_to(price, state[at.PRICE_NUM], state[at.PRICE_DEN])


@compiled
def close_pair(
    state: Floats, market: MarketArrays, terms: Terms, pair: int, row: int, reason: int, record: Floats
) -> bool:
    """Close the pair's trade; False where its price, cut to the trade's tick, is outside the candle."""
    px = market.open[pair, row]
    if reason == LIQUIDATION and state[at.LIQUIDATION] >= market.low[pair, row]:
        px = state[at.LIQUIDATION]
    px = round_to(px, state[at.PRICE_NUM], state[at.PRICE_DEN])
    if px < market.low[pair, row] or px > market.high[pair, row]:
        return False
    amount = state[at.AMOUNT]
    record[at.R_PAIR], record[at.R_AMOUNT], record[at.R_STAKE] = pair, amount, state[at.STAKE]
    record[at.R_OPEN_ROW], record[at.R_CLOSE_ROW] = state[at.OPEN_ROW], row
    record[at.R_LEVERAGE], record[at.R_OPEN_RATE] = state[at.LEVERAGE], state[at.OPEN_RATE]
    record[at.R_CLOSE_RATE], record[at.R_REASON], record[at.R_TAG] = px, reason, state[at.TAG]
    leave(state, market, terms, pair, row, amount, px, reason != LIQUIDATION)
    record[at.R_PROFIT] = state[at.FT_PROFIT]
    record[at.R_RATIO] = state[at.FT_PROFIT] / state[at.FT_ENTERED] * state[at.LEVERAGE]
    return True


@compiled
def _try_open(
    states: Floats,
    order: Ints,
    count: int,
    closed: float,
    market: MarketArrays,
    terms: Terms,
    pair: int,
    row: int,
    tag: int,
) -> int:
    """Open the pair if spot trades and there is capital; return OK, NOT_OPENED or STAKE_TOO_HIGH."""
    if not market.spot_now[pair, row]:
        return at.NOT_OPENED
    px = market.open[pair, row]
    amount, leverage = entry_amount(states, order, count, closed, terms, pair, px)
    if math.isnan(amount):
        return at.STAKE_TOO_HIGH
    if amount == 0.0:
        return at.NOT_OPENED
    open_pair(states[pair], market, terms, pair, row, amount, leverage, tag)
    return at.OK


@compiled
def _mark(
    views: Floats, held: Bools, close: Floats, spot: Floats, funding: Floats, row: int, equity: Floats
) -> None:
    """Mark the held pairs at the row's close, NaN where spot was not traded, and add them to the equity."""
    for pair in range(held.shape[0]):
        if held[pair]:
            view = views[pair]
            perp_px = close[pair, row]
            net = (
                view[V_BASE] + view[V_SPOT] * spot[pair, row] - view[V_PERP] * (perp_px - funding[pair, row])
            )
            view[V_NET] = net
            equity[row, 0] += net
            equity[row, 1] += view[V_PERP] * perp_px


@compiled
def _charge(views: Floats, held: Bools, now_ms: float, row: int, equity: Floats) -> None:
    """Take the borrow cost that has run up since the last fill off the equity."""
    for pair in range(held.shape[0]):
        if held[pair]:
            equity[row, 0] -= views[pair, V_BORROW] * (now_ms - views[pair, V_LAST_MS])


@compiled
def _turns(held: Bools, order: Ints, count: int, turn: Ints) -> None:
    """Write the order in which the pairs are processed: open ones first."""
    turn[:count] = order[:count]
    size = count
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


@compiled
def _force_exits(
    market: MarketArrays,
    terms: Terms,
    states: Floats,
    records: Floats,
    trades: int,
    closed: float,
    equity: Floats,
) -> tuple[int, int]:
    """Close what is left at each pair's last open, earliest listed pair first."""
    for pair in np.argsort(market.first, kind="mergesort"):
        if states[pair, at.AMOUNT] == 0.0:
            continue
        if trades >= records.shape[0]:
            return at.FULL, trades
        row = market.last[pair]
        if close_pair(states[pair], market, terms, pair, row, _FORCED, records[trades]):
            closed += states[pair, at.FT_PROFIT]
            trades += 1
    equity[market.open.shape[1] - 1, 0] = terms.wallet + closed
    equity[market.open.shape[1] - 1, 1] = 0.0
    return at.OK, trades

"""freqtrade's backtest of one parameter set, as one pass over the candles. Cost is linear in candles.

At each open, pairs with an open trade come first, in the order in which they were opened, then the others in
the order of the whitelist; per pair first the entry, then the exits. Entries and exits fill at that open from
signals of the candle before; on the last candle nothing opens, and what is left is closed. Sources: freqtrade
2026.9 optimize/backtesting.py (`backtest_loop`), hedge_leg.freqtrade_host, hedge_leg.pair_exit.
"""

import math

import numpy as np

from carry.sweep import layout as at
from carry.sweep import market as on
from carry.sweep.kernel_books import enter, leave, round_to
from carry.sweep.kernel_exits import (
    LIQUIDATION,
    NONE,
    ROLL,
    V_BASE,
    V_BORROW,
    V_FLIP_H,
    V_FLIP_NET,
    V_HIGH,
    V_HIGH_NET,
    V_LAST_MS,
    V_LOW_NET,
    V_NET,
    V_OPEN,
    V_PERP,
    V_ROW,
    V_SETTLED,
    V_SPOT,
    V_WIDTH,
    exit_reason,
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
    daily: Floats,
    figures: Floats,
) -> tuple[int, int]:
    """Simulate one parameter set; return (status, number of trades) and fill the last three.

    `entry`, `hold`, `known`, `fillable`: (pairs, candles), decided at each candle's close. All capital is
    marked at each close where every held pair's spot was traded: `daily` (days,) has the last mark of each
    day, NaN without one; `figures` the deepest drawdown, the mean perp value held, the final balance.
    """
    candles, pairs = market.hot.shape[:2]
    step_ms = float(market.at_ms[1] - market.at_ms[0]) if candles > 1 else 1.0
    states, views = np.zeros((pairs, at.STATE_WIDTH)), np.zeros((pairs, V_WIDTH))
    order, turn, held = np.zeros(pairs, np.int64), np.arange(pairs), np.zeros(pairs, np.bool_)
    rolled = np.full(pairs, -2, np.int64)
    first, last, days, hot = market.first, market.last, market.day, market.hot
    count, trades, closed = 0, 0, 0.0
    peak, deepest, exposed, marks = terms.wallet, 0.0, 0.0, 1
    daily[:] = math.nan
    daily[days[0]] = terms.wallet
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
            net = views[pair, V_NET]
            quiet = holding and row < views[pair, V_ROW] and hot[row, pair, on.H_OPEN] <= views[pair, V_OPEN]
            quiet = quiet and hot[row, pair, on.H_HIGH] < views[pair, V_HIGH]
            quiet = quiet and hot[row, pair, on.H_SETTLED] <= views[pair, V_SETTLED]
            paid = net <= views[pair, V_LOW_NET] or net >= views[pair, V_HIGH_NET]
            flipped = net >= views[pair, V_FLIP_NET] and hot[row, pair, on.H_FLIPPED] >= views[pair, V_FLIP_H]
            if quiet and not paid and not flipped:
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
        equity, value = terms.wallet + closed, 0.0
        for k in range(count):
            pair = order[k]
            perp_px = hot[row, pair, on.H_CLOSE]
            net = views[pair, V_BASE] + views[pair, V_SPOT] * hot[row, pair, on.H_SPOT]
            views[pair, V_NET] = net - views[pair, V_PERP] * (perp_px - hot[row, pair, on.H_FUNDING])
            elapsed = market.at_ms[row] + step_ms - views[pair, V_LAST_MS]
            equity += views[pair, V_NET] - views[pair, V_BORROW] * elapsed
            value += views[pair, V_PERP] * perp_px
        if not math.isnan(equity):
            daily[days[row]] = equity
            if equity > peak:
                peak = equity
            elif peak - equity > deepest * peak:
                deepest = (peak - equity) / peak
            exposed += value
            marks += 1
    status, trades, closed = _force_exits(market, terms, states, records, trades, closed)
    balance = terms.wallet + closed
    daily[days[candles - 1]] = balance
    figures[0], figures[1], figures[2] = max(deepest, (peak - balance) / peak), exposed / marks, balance
    return status, trades


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
    px = market.hot[row, pair, on.H_OPEN]
    state[:] = 0.0
    state[at.LAST_ROW] = -1.0
    state[at.OPEN_ROW], state[at.TAG], state[at.LEVERAGE] = row, tag, leverage
    digits = market.cold[row, pair, on.C_DIGITS]
    state[at.PRICE_NUM] = 1.0 if digits >= 0 else terms.pairs[pair, at.T_PRICE_NUM]
    state[at.PRICE_DEN] = 10.0**digits if digits >= 0 else terms.pairs[pair, at.T_PRICE_DEN]
    enter(state, market, terms, pair, row, amount, px)
    state[at.OPEN_RATE] = round_to(px, state[at.PRICE_NUM], state[at.PRICE_DEN])
    price = liquidation_price(state, terms, pair)
    state[at.LIQUIDATION] = round_to(price, state[at.PRICE_NUM], state[at.PRICE_DEN])


@compiled
def close_pair(
    state: Floats, market: MarketArrays, terms: Terms, pair: int, row: int, reason: int, record: Floats
) -> bool:
    """Close the pair's trade; False where its price, cut to the trade's tick, is outside the candle."""
    px = market.hot[row, pair, on.H_OPEN]
    if reason == LIQUIDATION and state[at.LIQUIDATION] >= market.cold[row, pair, on.C_LOW]:
        px = state[at.LIQUIDATION]
    px = round_to(px, state[at.PRICE_NUM], state[at.PRICE_DEN])
    if px < market.cold[row, pair, on.C_LOW] or px > market.cold[row, pair, on.C_HIGH]:
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
    if not market.cold[row, pair, on.C_SPOT_NOW] > 0.0:
        return at.NOT_OPENED
    px = market.hot[row, pair, on.H_OPEN]
    amount, leverage = entry_amount(states, order, count, closed, terms, pair, px)
    if math.isnan(amount):
        return at.STAKE_TOO_HIGH
    if amount == 0.0:
        return at.NOT_OPENED
    open_pair(states[pair], market, terms, pair, row, amount, leverage, tag)
    return at.OK


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
    market: MarketArrays, terms: Terms, states: Floats, records: Floats, trades: int, closed: float
) -> tuple[int, int, float]:
    """Close what is left at each pair's last open, earliest listed pair first."""
    for pair in np.argsort(market.first, kind="mergesort"):
        if states[pair, at.AMOUNT] == 0.0:
            continue
        if trades >= records.shape[0]:
            return at.FULL, trades, closed
        row = market.last[pair]
        if close_pair(states[pair], market, terms, pair, row, _FORCED, records[trades]):
            closed += states[pair, at.FT_PROFIT]
            trades += 1
    return at.OK, trades, closed

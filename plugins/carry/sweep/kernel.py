"""freqtrade's backtest of one parameter set, as one pass over the candles. Cost is linear in candles.

At each open, pairs with an open trade come first, in the order in which they were opened, then the others in
the order of the whitelist; per pair first the entry, then the exits. Entries and exits fill at that open from
signals of the candle before; on the last candle nothing opens, and what is left is closed. Sources: freqtrade
2026.9 optimize/backtesting.py (`backtest_loop`), hedge_leg.freqtrade_host, hedge_leg.pair_exit.
"""

import math

from carry.sweep import layout as at
from carry.sweep import market as on
from carry.sweep.compiling import compiled
from carry.sweep.kernel_desk import (
    FILLED,
    OPEN,
    TRADES,
    Desk,
    begin,
    force_exits,
    set_turns,
    try_close,
    try_open,
    try_resize,
)
from carry.sweep.kernel_exits import (
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
)
from carry.sweep.layout import Bools, Floats, Limits, Sizes, Terms
from carry.sweep.market import MarketArrays


@compiled
def run(
    market: MarketArrays,
    terms: Terms,
    limits: Limits,
    sizes: Sizes,
    entry: Bools,
    hold: Bools,
    known: Bools,
    fillable: Bools,
    desk: Desk,
    daily: Floats,
    figures: Floats,
) -> tuple[int, int, int]:
    """Simulate one parameter set; return (status, trades, fills) and fill the last three.

    `entry`, `hold`, `known`, `fillable`: (pairs, candles), decided at each candle's close. All capital is
    marked at each close where every held pair's spot was traded: `daily` (days,) has the last mark of each
    day, NaN without one; `figures` the deepest drawdown, the mean perp value held, the final balance.
    """
    candles, pairs = market.hot.shape[:2]
    step_ms = float(market.at_ms[1] - market.at_ms[0]) if candles > 1 else 1.0
    views, held, order, counts, money = desk.views, desk.held, desk.order, desk.counts, desk.money
    rolled, turn, records, fills = desk.rolled, desk.turn, desk.records, desk.fills
    begin(desk)
    first, last, days, hot = market.first, market.last, market.day, market.hot
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
                if row == candles - 1 or counts[OPEN] >= terms.slots:
                    continue
                status = try_open(desk, market, terms, limits, sizes, pair, row, step_ms, fresh)
                if status == at.NOT_OPENED:
                    continue
                if status != at.OK:
                    return status, counts[TRADES], counts[FILLED]
                changed = True
            resized = sizes.sized and try_resize(desk, market, terms, limits, sizes, pair, row, step_ms)
            net = views[pair, V_NET]
            quiet = holding and row < views[pair, V_ROW] and hot[row, pair, on.H_OPEN] <= views[pair, V_OPEN]
            quiet = quiet and hot[row, pair, on.H_HIGH] < views[pair, V_HIGH] and not resized
            quiet = quiet and hot[row, pair, on.H_SETTLED] <= views[pair, V_SETTLED]
            paid = net <= views[pair, V_LOW_NET] or net >= views[pair, V_HIGH_NET]
            flipped = net >= views[pair, V_FLIP_NET] and hot[row, pair, on.H_FLIPPED] >= views[pair, V_FLIP_H]
            if quiet and not paid and not flipped:
                continue
            entering = (fresh or (holding and known[pair, before])) and fillable[pair, before]
            entry_on = fresh and fillable[pair, before]
            if try_close(desk, market, terms, limits, pair, row, entering, entry_on, holding):
                changed = True
        if changed:
            set_turns(held, order, counts[OPEN], turn)
        if counts[TRADES] + pairs > records.shape[0] or counts[FILLED] + 3 * pairs > fills.shape[0]:
            return at.FULL, counts[TRADES], counts[FILLED]
        equity, value = terms.wallet + money[0], 0.0
        for k in range(counts[OPEN]):
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
    force_exits(desk, market, terms)
    balance = terms.wallet + money[0]
    daily[days[candles - 1]] = balance
    figures[0], figures[1], figures[2] = max(deepest, (peak - balance) / peak), exposed / marks, balance
    return at.OK, counts[TRADES], counts[FILLED]

"""freqtrade's backtest of one parameter set, as one pass over the candles. Cost is linear in candles.

At each open, pairs with an open trade come first, in the order in which they were opened, then the others in
the order of the whitelist; per pair first the entry, then the exits. Entries and exits fill at that open from
signals of the candle before; on the last candle nothing opens, and what is left is closed. Candles on which
nothing is held and nothing can open are passed over. Sources: freqtrade 2026.9
optimize/backtesting.py (`backtest_loop`), hedge_leg.freqtrade_host, hedge_leg.pair_exit.
"""

import math

from carry.sweep import layout as at
from carry.sweep import market as on
from carry.sweep.compiling import compiled, inlined
from carry.sweep.kernel_desk import (
    DEEPEST,
    EXPOSED,
    FILLED,
    MARKS,
    OPEN,
    PEAK,
    TRADES,
    Desk,
    begin,
    force_exits,
    note_equity,
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
from carry.sweep.layout import Floats, Limits, Signals, Sizes, Terms
from carry.sweep.market import MarketArrays


@compiled
def run(
    market: MarketArrays,
    terms: Terms,
    limits: Limits,
    sizes: Sizes,
    signals: Signals,
    desk: Desk,
    daily: Floats,
    figures: Floats,
) -> tuple[int, int, int]:
    """Simulate one parameter set; return (status, trades, fills) and fill the last three.

    All capital is marked at each close where every held pair's spot was traded: `daily` (days,) has the last
    mark of each day, NaN without one; `figures` the deepest drawdown, the mean perp value held, the final
    balance.
    """
    candles, pairs = market.hot.shape[:2]
    step_ms = float(market.at_ms[1] - market.at_ms[0]) if candles > 1 else 1.0
    counts, money, records, fills = desk.counts, desk.money, desk.records, desk.fills
    begin(desk, terms.wallet)
    daily[:] = math.nan
    daily[market.day[0]] = terms.wallet
    row, coming, changed = 1, 0, False
    while row < candles:
        if counts[OPEN] == 0 and not changed:  # a pair that was rolled on the row before may come back
            while coming < signals.openings.shape[0] and signals.openings[coming] < row:
                coming += 1
            following = signals.openings[coming] if coming < signals.openings.shape[0] else candles
            if following > row:
                _mark_cash(desk, market, terms, row, following, daily)
                row = following
                continue
        status, changed = _open_and_close(desk, market, terms, limits, sizes, signals, row, step_ms)
        if status != at.OK:
            return status, counts[TRADES], counts[FILLED]
        if counts[TRADES] + pairs > records.shape[0] or counts[FILLED] + 3 * pairs > fills.shape[0]:
            return at.FULL, counts[TRADES], counts[FILLED]
        _mark(desk, market, terms, row, step_ms, daily)
        row += 1
    force_exits(desk, market, terms)
    tally, balance = desk.tally, terms.wallet + money[0]
    daily[market.day[candles - 1]] = balance
    figures[0] = max(tally[DEEPEST], (tally[PEAK] - balance) / tally[PEAK])
    figures[1], figures[2] = tally[EXPOSED] / tally[MARKS], balance
    return at.OK, counts[TRADES], counts[FILLED]


@inlined
def _open_and_close(
    desk: Desk,
    market: MarketArrays,
    terms: Terms,
    limits: Limits,
    sizes: Sizes,
    signals: Signals,
    row: int,
    step_ms: float,
) -> tuple[int, bool]:
    """Do what is due at one open, pair by pair; return (OK or STAKE_TOO_HIGH, whether anything was)."""
    before, changed, hot, views = row - 1, False, market.hot, desk.views
    candles, pairs = hot.shape[:2]
    for k in range(pairs):
        pair = desk.turn[k]
        if row <= market.first[pair] or row > market.last[pair]:
            continue
        holding, fresh = signals.hold[pair, before], signals.entry[pair, before]
        known, fillable = signals.known[pair, before], signals.fillable[pair, before]
        if not desk.held[pair]:
            again = desk.rolled[pair] == before and known
            if not (holding and fillable and (fresh or again)):
                continue
            if row == candles - 1 or desk.counts[OPEN] >= terms.slots:
                continue
            status = try_open(desk, market, terms, limits, sizes, pair, row, step_ms, fresh)
            if status == at.NOT_OPENED:
                continue
            if status != at.OK:
                return status, changed
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
        entering, entry_on = (fresh or (holding and known)) and fillable, fresh and fillable
        if try_close(desk, market, terms, limits, pair, row, entering, entry_on, holding):
            changed = True
    if changed:
        set_turns(desk.held, desk.order, desk.counts[OPEN], desk.turn)
    return at.OK, changed


@inlined
def _mark(desk: Desk, market: MarketArrays, terms: Terms, row: int, step_ms: float, daily: Floats) -> None:
    """Mark all capital at one close, if every held pair's spot was traded."""
    equity, value, views, tally = terms.wallet + desk.money[0], 0.0, desk.views, desk.tally
    for k in range(desk.counts[OPEN]):
        pair = desk.order[k]
        perp_px = market.hot[row, pair, on.H_CLOSE]
        net = views[pair, V_BASE] + views[pair, V_SPOT] * market.hot[row, pair, on.H_SPOT]
        views[pair, V_NET] = net - views[pair, V_PERP] * (perp_px - market.hot[row, pair, on.H_FUNDING])
        elapsed = market.at_ms[row] + step_ms - views[pair, V_LAST_MS]
        equity += views[pair, V_NET] - views[pair, V_BORROW] * elapsed
        value += views[pair, V_PERP] * perp_px
    if not math.isnan(equity):
        daily[market.day[row]] = equity
        note_equity(tally, equity)
        tally[EXPOSED] += value
        tally[MARKS] += 1.0


@inlined
def _mark_cash(
    desk: Desk, market: MarketArrays, terms: Terms, row: int, following: int, daily: Floats
) -> None:
    """Mark the closes of rows [row, following), on none of which anything is held."""
    equity = terms.wallet + desk.money[0]
    for day in range(market.day[row], market.day[following - 1] + 1):
        daily[day] = equity
    note_equity(desk.tally, equity)
    desk.tally[MARKS] += following - row

"""When an open pair is left, in the kernel: `carry.rules.decide_exit` and freqtrade's own exits.

`watch` notes for a held pair the levels that a candle has to cross before anything can happen; only then is
`exit_reason` asked, which decides. That is why holding costs a few comparisons per candle.
"""

import math

from carry.sweep import layout as at
from carry.sweep import market as on
from carry.sweep.compiling import inlined
from carry.sweep.kernel_books import marked_net
from carry.sweep.layout import Floats, Limits, Reason, Terms
from carry.sweep.market import MarketArrays

NONE, ROLL, LIQUIDATION = int(Reason.NONE), int(Reason.ROLL), int(Reason.LIQUIDATION)
STOP, TRAILING_STOP = int(Reason.PERP_STOP), int(Reason.PERP_TRAILING_STOP)
_STOP, _TAKE = int(Reason.STOP_LOSS), int(Reason.TAKE_PROFIT)
_FLIPPED, _SETTLED = int(Reason.FUNDING_FLIPPED), int(Reason.AFTER_SETTLEMENT)
_MAXIMUM, _WINDOW = int(Reason.MAXIMUM_HOLDING), int(Reason.HOLDING_WINDOW)
_SIGNAL_OFF = int(Reason.SIGNAL_OFF)
_MAX_ROLL_SHARE = 0.8  # hedge_leg.trade_view
_HOUR_MS = 3_600_000.0

# What the loop compares of a held pair.
V_HIGH, V_OPEN, V_ROW, V_SETTLED, V_LOW_NET, V_HIGH_NET, V_FLIP_NET, V_FLIP_H = 0, 1, 2, 3, 4, 5, 6, 7
V_BASE, V_PERP, V_SPOT, V_BORROW, V_LAST_MS, V_NET = 8, 9, 10, 11, 12, 13
V_WIDTH = 14


@inlined
def policy_exit(
    state: Floats, market: MarketArrays, terms: Terms, limits: Limits, pair: int, row: int, entry_on: bool
) -> int:
    """Return `carry.rules.decide_exit` for one open pair at one open."""
    distance = state[at.LIQUIDATION] / market.hot[row, pair, on.H_OPEN] - 1.0
    at_entry = _MAX_ROLL_SHARE * (state[at.LIQUIDATION] / state[at.OPEN_RATE] - 1.0)
    if distance < min(at_entry, terms.roll_distance):
        return ROLL
    opened, last = int(state[at.OPEN_ROW]), int(state[at.LAST_ROW])
    pnl = math.nan
    known = row - 1 >= opened and not math.isnan(market.hot[row - 1, pair, on.H_SPOT])
    if known and (limits.stop_loss_bps > 0 or limits.take_profit_bps > 0 or limits.flip_tolerance_h > 0):
        earned = market.cold[row, pair, on.C_FUNDING_SUM] - market.cold[last, pair, on.C_FUNDING_SUM]
        closes = market.hot[row - 1, pair, on.H_CLOSE], market.hot[row - 1, pair, on.H_SPOT]
        pnl = marked_net(state, terms, closes[0], closes[1], earned, 0.0) / state[at.NOTIONAL] * 1e4
    if 0 < limits.stop_loss_bps <= -pnl:
        return _STOP
    if 0 < limits.take_profit_bps <= pnl - terms.side_bps:
        return _TAKE
    if 0 < limits.flip_tolerance_h <= market.hot[row, pair, on.H_FLIPPED] and pnl >= terms.side_bps:
        return _FLIPPED
    if (
        limits.after_settlement
        and market.hot[row, pair, on.H_SETTLED] > market.hot[opened, pair, on.H_SETTLED]
    ):
        return _SETTLED
    held_h = (market.at_ms[row] - market.at_ms[opened]) / _HOUR_MS
    if 0 < limits.maximum_holding_h <= held_h:
        return _MAXIMUM
    if 0 < limits.holding_window_h <= held_h and not entry_on:
        return _WINDOW
    return NONE


@inlined
def exit_reason(
    state: Floats,
    market: MarketArrays,
    terms: Terms,
    limits: Limits,
    pair: int,
    row: int,
    entering: bool,
    entry_on: bool,
    hold: bool,
) -> int:
    """Return why the pair is left at this open, or NONE; a liquidation needs no spot market."""
    if not hold and not entering:
        reason = _SIGNAL_OFF
    else:
        reason = policy_exit(state, market, terms, limits, pair, row, entry_on)
    can_leave = market.cold[row, pair, on.C_SPOT_NOW] > 0.0
    if reason != NONE and can_leave:
        return reason
    return _forced(state, market, pair, row, can_leave)


@inlined
def _forced(state: Floats, market: MarketArrays, pair: int, row: int, can_leave: bool) -> int:
    """Return LIQUIDATION, or freqtrade's own stop on the perp where that lies below, or NONE."""
    liquidation, stop = state[at.LIQUIDATION], state[at.STOP]
    high = market.hot[row, pair, on.H_HIGH]
    if high >= liquidation:
        high = market.cold[row, pair, on.C_MARK_HIGH]
    if stop <= high:
        if state[at.TRAILING] > 0.0:
            return TRAILING_STOP if can_leave else NONE
        if liquidation <= min(high, stop):
            return LIQUIDATION
        return STOP if can_leave else NONE
    return LIQUIDATION if liquidation <= high else NONE


@inlined
def watch(
    view: Floats, state: Floats, market: MarketArrays, terms: Terms, limits: Limits, pair: int, step_ms: float
) -> None:
    """Note what the loop over candles has to compare while the pair is held, so that most need no call.

    Levels are a little wider than the rules'; `exit_reason` then decides.
    """
    last, opened = int(state[at.LAST_ROW]), int(state[at.OPEN_ROW])
    liquidation = state[at.LIQUIDATION]
    threshold = min(_MAX_ROLL_SHARE * (liquidation / state[at.OPEN_RATE] - 1.0), terms.roll_distance)
    held_h = math.inf
    if limits.maximum_holding_h > 0:
        held_h = limits.maximum_holding_h
    if limits.holding_window_h > 0:
        held_h = min(held_h, limits.holding_window_h)
    unit = state[at.NOTIONAL] * 1e-4
    view[V_HIGH] = min(liquidation, state[at.STOP])
    view[V_OPEN] = liquidation / (1.0 + threshold) * (1.0 - 1e-9)
    view[V_ROW] = opened + max(held_h * _HOUR_MS / step_ms - 1.0, 0.0)
    view[V_SETTLED] = market.hot[opened, pair, on.H_SETTLED] if limits.after_settlement else math.inf
    view[V_LOW_NET] = -limits.stop_loss_bps * unit + 1e-6 if limits.stop_loss_bps > 0 else -math.inf
    view[V_HIGH_NET] = math.inf
    if limits.take_profit_bps > 0:
        view[V_HIGH_NET] = (limits.take_profit_bps + terms.side_bps) * unit - 1e-6
    view[V_FLIP_NET] = math.inf
    view[V_FLIP_H] = limits.flip_tolerance_h
    if limits.flip_tolerance_h > 0:
        view[V_FLIP_NET] = terms.side_bps * unit - 1e-6
    view[V_BASE] = state[at.NET] + state[at.ENTRY_VALUE] - state[at.SPOT_COST]
    view[V_BASE] -= state[at.AMOUNT] * market.cold[last, pair, on.C_FUNDING_SUM]
    view[V_PERP], view[V_SPOT] = state[at.AMOUNT], state[at.SPOT_QTY]
    view[V_BORROW] = state[at.SPOT_COST] * terms.borrow_per_ms
    view[V_LAST_MS] = market.at_ms[last]
    view[V_NET] = math.nan  # nothing marked yet

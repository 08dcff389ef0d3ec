"""Resizing an open pair in the kernel: hedge_leg.sized_strategy, then freqtrade's position adjustment.

Exposure is counted in quantity. Growing is an entry at this open within the capital that is free, shrinking
an exit of a part; spot follows in the same instant. Sources: freqtrade 2026.9 optimize/backtesting.py
(`_check_adjust_trade_for_candle`), hedge_leg.freqtrade_host (`adjust_trade_position`).
"""

import math

from numba import objmode

from carry.sweep import layout as at
from carry.sweep import market as on
from carry.sweep.compiling import allocating, compiled
from carry.sweep.decimals import recalculated, reduction
from carry.sweep.kernel_books import enter, floor_to, leave, round_to
from carry.sweep.kernel_stake import balances, checked_amount, liquidation_price, stake_bounds, stake_for
from carry.sweep.layout import Floats, Ints, Terms
from carry.sweep.market import MarketArrays


@compiled
def wanted_exposure(held: float, grow_to: float, shrink_to: float, band: float) -> float:
    """Return `carry.regime_rules.resized_exposure`, NaN for no change."""
    if grow_to > held + band:
        return grow_to
    if shrink_to < held - band:
        return shrink_to
    return math.nan


@compiled
def note_fill(fills: Floats, count: int, trade: float, row: int, qty: float, px: float) -> int:
    """Append a fill; return the new count, or the same where there is no room."""
    if count >= fills.shape[0]:
        return count
    fills[count, 0], fills[count, 1], fills[count, 2], fills[count, 3] = trade, row, qty, px
    return count + 1


@allocating
def recalculate(state: Floats, fills: Floats, count: int) -> None:
    """Set freqtrade's stake and opening rate from the trade's fills, and lower its stop."""
    own = fills[:count]
    own = own[own[:, 0] == state[at.TRADE]][:, 2:4].copy()
    with objmode(totals="float64[::1]"):
        totals = recalculated(own)
    state[at.STAKE] = totals[0] / state[at.LEVERAGE]
    state[at.OPEN_RATE] = round_to(totals[1], state[at.PRICE_NUM], state[at.PRICE_DEN])
    lower_stop(state)


@compiled
def lower_stop(state: Floats) -> None:
    """Move freqtrade's stop to the opening rate's, if that is lower: a short's stop never rises."""
    stop = state[at.OPEN_RATE] * (1.0 + at.STOP_LOSS / state[at.LEVERAGE])
    stop = floor_to(stop, state[at.PRICE_NUM], state[at.PRICE_DEN])
    if state[at.STOP] == 0.0:
        state[at.STOP] = stop
    elif stop < state[at.STOP]:
        state[at.STOP], state[at.TRAILING] = stop, 1.0


@compiled
def resize(
    states: Floats,
    order: Ints,
    count: int,
    closed: float,
    market: MarketArrays,
    terms: Terms,
    pair: int,
    row: int,
    wanted: float,
    fills: Floats,
    filled: int,
) -> int:
    """Bring a pair to the exposure wanted as far as freqtrade allows; return the number of fills after it."""
    state = states[pair]
    held = state[at.AMOUNT] / state[at.FULL_QTY]
    if wanted > held:
        amount = _growth(states, order, count, closed, market, terms, pair, row, wanted - held)
        if not amount > 0.0:
            return filled
        px = market.hot[row, pair, on.H_OPEN]
        filled = note_fill(fills, filled, state[at.TRADE], row, amount, px)
        enter(state, market, terms, pair, row, amount, px)
        recalculate(state, fills, filled)
        price = liquidation_price(state, terms, pair)
        state[at.LIQUIDATION] = round_to(price, state[at.PRICE_NUM], state[at.PRICE_DEN])
        return filled
    amount = _cut(state, market, terms, pair, row, wanted / held)
    px = round_to(market.hot[row, pair, on.H_OPEN], state[at.PRICE_NUM], state[at.PRICE_DEN])
    if amount == 0.0 or px < market.cold[row, pair, on.C_LOW] or px > market.cold[row, pair, on.C_HIGH]:
        return filled
    price = liquidation_price(state, terms, pair)  # freqtrade: before the trade is reduced
    filled = note_fill(fills, filled, state[at.TRADE], row, -amount, px)
    leave(state, market, terms, pair, row, amount, px, True)
    recalculate(state, fills, filled)
    state[at.LIQUIDATION] = round_to(price, state[at.PRICE_NUM], state[at.PRICE_DEN])
    return filled


@compiled
def _growth(
    states: Floats,
    order: Ints,
    count: int,
    closed: float,
    market: MarketArrays,
    terms: Terms,
    pair: int,
    row: int,
    share: float,
) -> float:
    """Return the base units to add for `share` of the full quantity, valued at the last close."""
    state, px = states[pair], market.hot[row, pair, on.H_OPEN]
    leverage = state[at.LEVERAGE]
    total, tied, both, free = balances(states, order, count, closed, terms)
    available = min(total - tied, free)
    _, most = stake_bounds(terms, pair, px, 1.0, 0.1)
    allowed = min(most, available, stake_for(terms, max(total - both, 0.0), leverage))
    change = share * state[at.FULL_QTY] * market.hot[row - 1, pair, on.H_CLOSE] / leverage
    change = min(change, allowed)
    return checked_amount(terms, pair, px, leverage, change, available, 0.0, state[at.STAKE])


@allocating
def _cut(state: Floats, market: MarketArrays, terms: Terms, pair: int, row: int, kept: float) -> float:
    """Return the base units to take off so that the share `kept` is left; 0 where too little would be."""
    margin, amount, stake = state[at.STAKE] * (1.0 - kept), state[at.AMOUNT], state[at.STAKE]
    with objmode(units="float64"):
        units = reduction(margin, amount, stake)
    less = floor_to(units, terms.pairs[pair, at.T_STEP_NUM], terms.pairs[pair, at.T_STEP_DEN])
    px = market.hot[row, pair, on.H_OPEN]
    least, _ = stake_bounds(terms, pair, px, 1.0, 0.1)
    left = (amount - less) * px
    return 0.0 if least > 0.0 and left != 0.0 and left < least else less

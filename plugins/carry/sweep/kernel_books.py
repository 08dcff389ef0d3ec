"""Both legs' books in the kernel: `docs/accounting.md` in float64, one fill at a time.

Fills of one instant are netted before spot follows, so the books before the instant are kept and worked out
again for each further fill. Amounts are decimal numbers: lots and ticks are compared as such, because a
float is the nearest to exactly one short decimal.
"""

import math

from carry.sweep import layout as at
from carry.sweep import market as on
from carry.sweep.compiling import compiled
from carry.sweep.layout import Floats, Terms
from carry.sweep.market import MarketArrays


@compiled
def floor_to(value: float, num: float, den: float) -> float:
    """Return the largest multiple of num/den that does not exceed the decimal that `value` stands for."""
    count = float(math.floor(value * den / num + 0.5))
    while count * num / den > value:
        count -= 1.0
    return count * num / den


@compiled
def round_to(value: float, num: float, den: float) -> float:
    """Return the multiple of num/den nearest to the decimal that `value` (> 0) stands for, halves up."""
    count = float(math.floor(value * den / num + 0.5))
    if value >= (2.0 * count + 1.0) * num / (2.0 * den):
        count += 1.0
    elif value < (2.0 * count - 1.0) * num / (2.0 * den):
        count -= 1.0
    return count * num / den


@compiled
def begin_instant(state: Floats, market: MarketArrays, terms: Terms, pair: int, row: int) -> None:
    """Accrue funding and borrow up to the row and keep the books as they are, unless that is done."""
    if state[at.LAST_ROW] == row:
        return
    if state[at.LAST_ROW] < 0:
        state[at.NET] = -terms.fixed
    else:
        last = int(state[at.LAST_ROW])
        earned = market.cold[row, pair, on.C_FUNDING_SUM] - market.cold[last, pair, on.C_FUNDING_SUM]
        state[at.NET] += state[at.AMOUNT] * earned
        elapsed = market.at_ms[row] - market.at_ms[last]
        state[at.NET] -= state[at.SPOT_COST] * terms.borrow_per_ms * elapsed
    state[at.LAST_ROW] = row
    kept = (at.AMOUNT, at.ENTRY_VALUE, at.SPOT_QTY, at.SPOT_COST, at.NET, at.REALIZED, at.NOTIONAL)
    for k in range(7):
        state[at.BEFORE + k] = state[kept[k]]
    state[at.IN_QTY : at.AT_OPEN] = 0.0
    state[at.AT_OPEN] = 1.0


@compiled
def settle_instant(state: Floats, market: MarketArrays, terms: Terms, pair: int, row: int) -> None:
    """Work out the books after all fills of the row's instant."""
    amount, entry_value = state[at.BEFORE], state[at.BEFORE + 1]
    spot_qty, spot_cost = state[at.BEFORE + 2], state[at.BEFORE + 3]
    net, realized, notional = state[at.BEFORE + 4], state[at.BEFORE + 5], state[at.BEFORE + 6]
    in_qty, in_value = state[at.IN_QTY], state[at.IN_VALUE]
    out_qty, out_value = state[at.OUT_QTY], state[at.OUT_VALUE]
    fees = (in_value + out_value) * terms.fee
    amount += in_qty
    entry_value += in_value
    notional += in_value
    gain = 0.0
    if out_qty > 0.0:
        whole = not state[at.AMOUNT] > 0.0
        left = entry_value if whole else entry_value * out_qty / amount
        gain = left - out_value
        entry_value -= left
    amount = state[at.AMOUNT]
    px = (in_value + out_value) / (in_qty + out_qty)
    net += gain - fees - abs(in_qty - out_qty) * px * terms.perp_slip
    realized += gain - fees
    target = floor_to(amount, terms.pairs[pair, at.T_LOT_NUM], terms.pairs[pair, at.T_LOT_DEN])
    if target != spot_qty:
        raw = spot_price(market, pair, row, px, state[at.AT_OPEN] > 0.0)
        if target > spot_qty:
            value = (target - spot_qty) * raw * (1.0 + terms.spot_slip)
            spot_cost += value
        else:
            value = (spot_qty - target) * raw * (1.0 - terms.spot_slip)
            cost = spot_cost if target == 0.0 else spot_cost * (spot_qty - target) / spot_qty
            net += value - cost
            spot_cost -= cost
        net -= value * terms.spot_fee
    state[at.ENTRY_VALUE] = entry_value
    state[at.SPOT_QTY], state[at.SPOT_COST] = target, spot_cost
    state[at.NET], state[at.REALIZED], state[at.NOTIONAL] = net, realized, notional


@compiled
def spot_price(market: MarketArrays, pair: int, row: int, perp_px: float, at_open: bool) -> float:
    """Return the spot price, before slippage, that mirrors a perp fill in the row's candle."""
    if at_open or not market.cold[row, pair, on.C_SPOT_NOW] > 0.0:
        return market.cold[row, pair, on.C_SPOT_PX]
    scaled = perp_px * market.cold[row, pair, on.C_SPOT_PX] / market.cold[row, pair, on.C_PERP_PX]
    return min(max(scaled, market.cold[row, pair, on.C_SPOT_LOW]), market.cold[row, pair, on.C_SPOT_HIGH])


@compiled
def enter(
    state: Floats, market: MarketArrays, terms: Terms, pair: int, row: int, amount: float, px: float
) -> None:
    """Add a short entry of `amount` at the row's open."""
    begin_instant(state, market, terms, pair, row)
    value = amount * px
    state[at.IN_QTY] += amount
    state[at.IN_VALUE] += value
    state[at.AMOUNT] = floor_to(
        state[at.AMOUNT]
        + amount
        + 0.25 * terms.pairs[pair, at.T_STEP_NUM] / terms.pairs[pair, at.T_STEP_DEN],
        terms.pairs[pair, at.T_STEP_NUM],
        terms.pairs[pair, at.T_STEP_DEN],
    )
    settle_instant(state, market, terms, pair, row)
    state[at.FT_ENTERED] += value - value * terms.fee
    state[at.STAKE] = state[at.ENTRY_VALUE] / state[at.LEVERAGE]


@compiled
def leave(
    state: Floats,
    market: MarketArrays,
    terms: Terms,
    pair: int,
    row: int,
    amount: float,
    px: float,
    at_open: bool,
) -> float:
    """Buy `amount` of the short back; return freqtrade's profit of this exit, quote, rounded to 1e-8."""
    average = state[at.ENTRY_VALUE] / state[at.AMOUNT]
    begin_instant(state, market, terms, pair, row)
    state[at.OUT_QTY] += amount
    state[at.OUT_VALUE] += amount * px
    if not at_open:
        state[at.AT_OPEN] = 0.0
    state[at.AMOUNT] = floor_to(
        state[at.AMOUNT]
        - amount
        + 0.25 * terms.pairs[pair, at.T_STEP_NUM] / terms.pairs[pair, at.T_STEP_DEN],
        terms.pairs[pair, at.T_STEP_NUM],
        terms.pairs[pair, at.T_STEP_DEN],
    )
    settle_instant(state, market, terms, pair, row)
    booked = state[at.NET] - state[at.REALIZED]
    opened = amount * average
    closed = amount * px
    profit = (opened - opened * terms.fee) - (closed + closed * terms.fee - (booked - state[at.FT_BOOKED]))
    profit = round(profit * 1e8) / 1e8
    state[at.STAKE] = state[at.ENTRY_VALUE] / state[at.LEVERAGE]
    state[at.FT_BOOKED] = booked
    state[at.FT_PROFIT] += profit
    return profit


@compiled
def marked_net(
    state: Floats, terms: Terms, perp_px: float, spot_px: float, funding: float, elapsed_ms: float
) -> float:
    """Return the pair's net if both legs were worth these prices; `funding` per unit since the last fill."""
    perp = state[at.ENTRY_VALUE] - state[at.AMOUNT] * perp_px
    spot = state[at.SPOT_QTY] * spot_px - state[at.SPOT_COST]
    borrow = state[at.SPOT_COST] * terms.borrow_per_ms * elapsed_ms
    return state[at.NET] + perp + spot + state[at.AMOUNT] * funding - borrow

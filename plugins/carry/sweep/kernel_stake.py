"""How large a pair is opened, in the kernel: our sizing for both legs, then freqtrade's own checks.

Order of operations as in hedge_leg.sizing and freqtrade 2026.9 (wallets.py, exchange.py), because a stake is
cut to whole lots and the last bit can decide a lot.
"""

import math

from carry.sweep import layout as at
from carry.sweep.compiling import compiled
from carry.sweep.kernel_books import floor_to
from carry.sweep.layout import Floats, Ints, Terms

NO_LEVERAGE = -1.0


@compiled
def max_leverage(tiers: Floats, stake: float) -> float:
    """Return freqtrade's highest leverage for a margin of `stake`, NO_LEVERAGE where it refuses."""
    if stake == 0.0:
        return tiers[0, 2]
    for k in range(tiers.shape[0]):
        if not math.isnan(tiers[k, 0]) and stake <= tiers[k, 1] / tiers[k, 2]:
            return tiers[k, 2]
    return NO_LEVERAGE


@compiled
def stake_bounds(terms: Terms, pair: int, px: float, leverage: float, stop: float) -> tuple[float, float]:
    """Return the least and the most margin that the exchange takes, as freqtrade reckons it with a stop."""
    margin = 1.0 + terms.amount_reserve
    spare = max(min(margin / (1.0 - stop), 1.5), 1.0)
    least = max(terms.pairs[pair, at.T_MIN_COST] * spare, terms.pairs[pair, at.T_MIN_AMOUNT] * px * margin)
    most = min(terms.pairs[pair, at.T_MAX_COST], terms.pairs[pair, at.T_MAX_AMOUNT] * px)
    tiers = terms.tiers[pair]
    for k in range(tiers.shape[0] - 1, -1, -1):
        if not math.isnan(tiers[k, 0]) and tiers[k, 2] >= leverage:
            most = min(most, tiers[k, 1])
            break
    return least / leverage, most / leverage


@compiled
def liquidation_price(state: Floats, terms: Terms, pair: int) -> float:
    """Return the short's liquidation price, with freqtrade's buffer, at the trade's price step."""
    amount, rate, stake = state[at.AMOUNT], state[at.OPEN_RATE], state[at.STAKE]
    tiers = terms.tiers[pair]
    maintenance, deduction = 0.0, 0.0
    for k in range(tiers.shape[0] - 1, -1, -1):
        if not math.isnan(tiers[k, 0]) and stake >= tiers[k, 0]:
            maintenance, deduction = tiers[k, 3], tiers[k, 4]
            break
    price = (stake + deduction + amount * rate) / (amount * maintenance + amount)
    return max(price - abs(rate - price) * terms.liquidation_buffer, 0.0)


@compiled
def balances(
    states: Floats, order: Ints, count: int, closed: float, terms: Terms
) -> tuple[float, float, float, float]:
    """Return (total, tied margin, tied by both legs, free wallet), quote; `order`: pairs by opening."""
    tied, both, realized = 0.0, 0.0, 0.0
    kept = 1.0 + terms.reserve
    for k in range(count):
        state = states[order[k]]
        realized += state[at.FT_PROFIT]
        tied += state[at.STAKE]
        both += state[at.STAKE] + state[at.AMOUNT] * state[at.OPEN_RATE] * kept
    free = terms.wallet + (closed + realized) - tied
    return (tied + free) * terms.ratio, tied, both, free


@compiled
def stake_for(terms: Terms, capital: float, leverage: float) -> float:
    """Return the perp margin that lets `capital` pay for both legs (hedge_leg.config)."""
    notional = (capital - terms.fixed) / (1.0 / leverage + 1.0 + terms.reserve)
    return max(notional, 0.0) / leverage


@compiled
def entry_amount(
    states: Floats,
    order: Ints,
    count: int,
    closed: float,
    terms: Terms,
    pair: int,
    px: float,
    exposure: float,
) -> tuple[float, float]:
    """Return (base units, leverage) of a new short at `px`; 0 units for none, NaN where freqtrade stops.

    `exposure`: share of the full stake.
    """
    total, tied, both, wallet = balances(states, order, count, closed, terms)
    available = min(total - tied, wallet)
    if math.isnan(terms.stake):
        proposed = min((available + tied) / terms.slots, available)
    else:
        proposed = terms.stake
        if terms.amend:
            proposed = min(proposed, available) if available > proposed * terms.amend_share else 0.0
    if available < proposed:
        return 0.0, 0.0
    allowed = max_leverage(terms.tiers[pair], max(proposed, 0.0))
    if allowed == NO_LEVERAGE:
        return math.nan, 0.0
    leverage = min(max(min(terms.leverage, allowed), 1.0), allowed)
    free = max(total - both, 0.0)
    if math.isnan(terms.stake):
        share = total / terms.slots if terms.slots < math.inf else free
    elif free < terms.stake and not terms.amend:
        return 0.0, 0.0
    else:
        share = terms.stake
    stake = stake_for(terms, min(share, free), leverage) * exposure
    return checked_amount(terms, pair, px, leverage, stake, available, 0.05, 0.0), leverage


@compiled
def checked_amount(
    terms: Terms,
    pair: int,
    px: float,
    leverage: float,
    stake: float,
    available: float,
    stop: float,
    invested: float,
) -> float:
    """Return the base units of a margin after freqtrade's checks and the cut to whole steps.

    `stop` of the stop-loss reserve; `invested`: the margin that the trade has already.
    """
    least, most = stake_bounds(terms, pair, px, leverage, stop)
    allowed = min(most, available)
    if invested > 0.0:
        allowed = min(allowed, most - invested)
    if stake <= 0.0 or least > allowed:
        return 0.0
    if stake < least:
        if stake * 1.3 < least:
            return 0.0
        stake = least
    stake = min(stake, allowed)
    if stake < least:
        return 0.0
    return floor_to(stake / px * leverage, terms.pairs[pair, at.T_STEP_NUM], terms.pairs[pair, at.T_STEP_DEN])

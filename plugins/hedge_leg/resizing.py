"""How much the perp of an open pair is changed now: what the strategy asks, within what guard and cash allow.

freqtrade places the order and spot follows its fill, so the two legs change as at every other resize.
"""

import logging
from datetime import datetime
from typing import Any

from hedge_leg.errors import HedgeError
from hedge_leg.sizing import most_stake
from hedge_leg.trade_view import epoch_ms_of

logger = logging.getLogger(__name__)


def stake_change(strategy: Any, trade: Any, now: datetime, max_stake: float, rate: float) -> float | None:
    """Return the change of the perp's margin (quote) of a `HedgedStrategy`, None for none.

    Never while spot is not traded, and growth never beyond the cash. The guard's shrinking comes first.
    """
    leg = strategy.leg
    if not leg.may_resize(trade.pair, epoch_ms_of(now)):
        return None
    most = leg.size_limit(trade.pair, trade.amount)
    if most < trade.amount:
        change: float | None = -float(trade.stake_amount) * (1.0 - most / trade.amount)
    elif strategy.resizes:
        change = _wanted(strategy, trade, now, max_stake)
        if change is not None and change > 0 and most <= trade.amount:
            return None
    else:
        return None
    qty = -(change or 0.0) * trade.leverage / rate
    return change if change and leg.resize_asked(trade.pair, qty) else None


def _wanted(strategy: Any, trade: Any, now: datetime, max_stake: float) -> float | None:
    """Return what the strategy asks for, growth cut to what both accounts have."""
    try:
        there = strategy._capital()
    except HedgeError as error:
        logger.warning("%s: not resized, the spot account cannot be read: %s", trade.pair, error)
        return None
    allowed = min(max_stake, most_stake(strategy.hedge, there, trade.leverage, there.free))
    change: float | None = strategy.resize(trade, now, allowed)
    return change if change is None or change < 0 else min(change, allowed)

"""Whether an open pair is left at this open, from what was known when the last candle closed.

The same code decides in backtest, dry-run and live; the rules themselves are `carry.rules`.
"""

from datetime import datetime
from typing import Any

from carry.rules import ExitReason, PairView, decide_exit
from hedge_leg.config import HedgeLegConfig
from hedge_leg.leg import Leg
from hedge_leg.recorded import SignalRows
from hedge_leg.trade_view import epoch_ms_of, liquidation_distance, roll_distance

_HOUR_MS = 3_600_000


def pair_exit(
    leg: Leg, settings: HedgeLegConfig, rows: SignalRows, trade: Any, rate: float, now: datetime
) -> ExitReason | None:
    """Return the first reason to close freqtrade's `trade` at `rate`, or None to hold."""
    distance = liquidation_distance(trade, rate)
    threshold = roll_distance(trade, settings.roll_distance)
    if rows.open_ended and distance >= threshold:
        return None  # what `decide_exit` would say, without asking it at every candle
    now_ms, opened_ms = epoch_ms_of(now), epoch_ms_of(trade.open_date_utc)
    row = rows.last_closed(now_ms)
    pnl = float("nan")
    if rows.policy.needs_pnl and rows.at_ms[row] >= opened_ms:  # a candle has closed since the entry
        pnl = leg.pnl_bps(trade, rows, now_ms)
    view = PairView(
        held_h=(now_ms - opened_ms) / _HOUR_MS,
        entry_on=bool(rows.entry_on[row]),
        settled=leg.settled_between(trade.pair, opened_ms, now_ms),
        negative_funding_h=float(rows.negative_funding_h[row]),
        pnl_bps=pnl,
        exit_cost_bps=settings.costs.side_bps,
        liquidation_distance=distance,
        roll_distance=threshold,
    )
    return decide_exit(rows.policy, view)

"""What the spot leg reads from freqtrade's trades and orders, without importing freqtrade.

The protocols name the few attributes that are used; `Trade`, `LocalTrade` and `Order` have them.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import numpy as np

from carry.costs import BPS
from hedge_leg.core.amounts import exact
from hedge_leg.core.mirror import MirroredTrade, PerpFill
from hedge_leg.recorded import RecordedMarket, SignalRows

_OFF_OPEN_TAGS = frozenset({"liquidation", "stop_loss", "trailing_stop_loss", "stoploss_on_exchange", "roi"})
# Share of the entry's own distance to liquidation that may be used up, whatever `roll_distance` says.
_MAX_ROLL_SHARE = 0.8


class OrderView(Protocol):
    """An order of freqtrade."""

    order_id: str
    ft_is_open: bool
    ft_order_side: str
    ft_order_tag: str | None
    filled: float | None
    funding_fee: float | None
    safe_amount_after_fee: float
    safe_price: float
    order_filled_utc: datetime | None
    order_date_utc: datetime


class TradeView(Protocol):
    """A trade of freqtrade."""

    orders: Sequence[OrderView]
    entry_side: str
    is_short: bool
    fee_open: float | None
    fee_close: float | None
    open_rate: float
    liquidation_price: float | None


def epoch_ms_of(moment: datetime) -> int:
    """Return a moment in milliseconds since the epoch."""
    return round(moment.timestamp() * 1000)


def filled_orders(trade: TradeView) -> list[OrderView]:
    """Return the orders that changed the position."""
    return [order for order in trade.orders if not order.ft_is_open and order.filled]


def perp_fills(trade: TradeView) -> list[PerpFill]:
    """Return a trade's filled orders as the mirror takes them: short entries negative."""
    return [_perp_fill(trade, order) for order in filled_orders(trade)]


def _perp_fill(trade: TradeView, order: OrderView) -> PerpFill:
    enters = order.ft_order_side == trade.entry_side
    amount = exact(order.safe_amount_after_fee)
    return PerpFill(
        at_ms=epoch_ms_of(order.order_filled_utc or order.order_date_utc),
        qty=-amount if enters == bool(trade.is_short) else amount,
        px=exact(order.safe_price),
        fee_rate=exact((trade.fee_open if enters else trade.fee_close) or 0.0),
        at_open=order.ft_order_tag not in _OFF_OPEN_TAGS,
    )


def liquidation_distance(trade: TradeView, rate: float) -> float:
    """Return liquidation price / rate - 1; inf while freqtrade knows no liquidation price."""
    return trade.liquidation_price / rate - 1.0 if trade.liquidation_price else float("inf")


def roll_distance(trade: TradeView, configured: float) -> float:
    """Return the distance to liquidation below which the pair is rolled.

    Never more than 80 % of the distance at the entry, or a pair with little room would roll at once.
    """
    at_entry = _MAX_ROLL_SHARE * liquidation_distance(trade, trade.open_rate)
    return at_entry if at_entry < configured else configured


def pnl_bps(mirrored: MirroredTrade, market: RecordedMarket, rows: SignalRows, now_ms: int) -> float:
    """Return the pair's net P&L marked at the last closed candle, in bps of the entry notional.

    NaN where that candle's spot was not traded.
    """
    row = rows.last_closed(now_ms)
    perp_px, spot_px = float(rows.perp_close[row]), float(rows.spot_close[row])
    if np.isnan(spot_px):
        return float("nan")
    earned = market.funding_per_unit(mirrored.last_ms, now_ms)
    net = mirrored.marked_net(exact(perp_px), exact(spot_px), earned)
    return float(net / mirrored.books.entry_notional) / BPS

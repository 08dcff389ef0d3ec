"""freqtrade's trade table as the live leg reads it, and the one thing it repairs there.

ccxt makes an order without an id of an answer that cannot be read, and freqtrade keeps asking the exchange
for "None" for ever: the trade can then neither be filled, nor left, nor cancelled. The order itself may well
exist. It is looked for on the exchange, and its id is written down where exactly one order fits.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from hedge_leg.core.amounts import exact
from hedge_leg.engine import Engine
from hedge_leg.errors import VenueUnavailable
from hedge_leg.live_booking import LiveTrade
from hedge_leg.trade_view import OrderView, epoch_ms_of
from hedge_leg.watch import HostOrder, HostTrade

logger = logging.getLogger(__name__)

_NO_ID = frozenset({"", "None", None})
_ABOUT_MS = 60_000  # how far apart freqtrade and the exchange may date the same order


class TradeBook(Protocol):
    """freqtrade's trade table."""

    def of_pair(self, pair: str, since: datetime) -> LiveTrade | None:
        """Return the newest trade of a pair that was opened at or after a time."""
        ...

    def of_id(self, trade_id: int) -> LiveTrade | None:
        """Return a trade by id; None when it was deleted."""
        ...

    def open_trades(self) -> Sequence[LiveTrade]:
        """Return the open trades."""
        ...

    def commit(self) -> None:
        """Write changes down."""
        ...


def repair_order_ids(engine: Engine, trades: TradeBook) -> None:
    """Give freqtrade's open orders without an id the one that the exchange knows."""
    for trade in trades.open_trades():
        for order in trade.orders:
            if order.ft_is_open and order.order_id in _NO_ID:
                _repair(engine, trades, trade, order)


def _repair(engine: Engine, trades: TradeBook, trade: LiveTrade, order: OrderView) -> None:
    placed_ms = epoch_ms_of(order.order_date_utc)
    try:
        seen = engine.perp.orders_since(trade.pair, placed_ms - _ABOUT_MS)
    except VenueUnavailable as error:
        logger.warning("pair=%s an order without an id cannot be looked up: %s", trade.pair, error)
        return
    sells = order.ft_order_side == "sell"
    known = {other.order_id for other in trade.orders}
    found = [
        one.order_id
        for one in seen
        if one.qty and (one.qty < 0) == sells and one.order_id not in known and not one.liquidation
        if abs(one.created_ms - placed_ms) <= _ABOUT_MS
    ]
    if len(found) == 1:
        order.order_id = found[0]
        trades.commit()
        engine.notify(f"{trade.pair}: freqtrade's order without an id is {found[0]} on the exchange")


def host_trade(trade: LiveTrade) -> HostTrade:
    """Return a trade of freqtrade as the loop takes it; partial fills of open orders count."""
    orders = [_host_order(trade, order) for order in trade.orders if order.filled]
    working = any(order.ft_is_open and order.ft_order_side == trade.entry_side for order in trade.orders)
    return HostTrade(trade.id, trade.is_open, working, tuple(orders))


def _host_order(trade: LiveTrade, order: OrderView) -> HostOrder:
    enters = order.ft_order_side == trade.entry_side
    qty, px = exact(order.safe_amount_after_fee), exact(order.safe_price)
    rate = exact((trade.fee_open if enters else trade.fee_close) or 0.0)
    filled = order.order_filled_utc or order.order_date_utc
    signed = -qty if enters == bool(trade.is_short) else qty
    return HostOrder(order.order_id, signed, px, qty * px * rate, epoch_ms_of(filled))

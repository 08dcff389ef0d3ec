"""Spot's order filters: -1013 with the name of the filter, as `exchangeInfo` lists it."""

from decimal import Decimal

from paper_exchange.errors import RefusedRequestError
from paper_exchange.instruments import SPOT_MOST_NOTIONAL, Filters
from paper_exchange.orders import OrderType, Ticket

MOST_OPEN_ORDERS = 200


def check_filters(ticket: Ticket, last_px: Decimal, open_orders: int) -> None:
    """Refuse a ticket that breaks one of its symbol's filters.

    `last_px` (quote) stands in for Binance's 5-minute average; `open_orders`: open already on the symbol.
    """
    filters = ticket.item.filters
    if ticket.limit_px is not None:
        _check_price(ticket.limit_px, filters, last_px)
    if ticket.qty is not None:
        _check_qty(ticket.qty, filters, market=ticket.order_type is OrderType.MARKET)
    reference_px = last_px if ticket.limit_px is None else ticket.limit_px
    notional = ticket.spend_notional if ticket.qty is None else ticket.qty * reference_px
    if notional is not None and notional < filters.min_notional:
        raise _failure("NOTIONAL")
    if ticket.limit_px is not None and notional is not None and notional > SPOT_MOST_NOTIONAL:
        raise _failure("NOTIONAL")
    if ticket.order_type is not OrderType.MARKET and open_orders >= MOST_OPEN_ORDERS:
        raise _failure("MAX_NUM_ORDERS")


def _check_price(px: Decimal, filters: Filters, last_px: Decimal) -> None:
    if not filters.min_px <= px <= filters.max_px or px % filters.tick:
        raise _failure("PRICE_FILTER")
    if not last_px * filters.px_down <= px <= last_px * filters.px_up:
        raise _failure("PERCENT_PRICE_BY_SIDE")


def _check_qty(qty: Decimal, filters: Filters, *, market: bool) -> None:
    if not filters.min_qty <= qty <= filters.max_qty or qty % filters.lot:
        raise _failure("LOT_SIZE")
    if market and qty > filters.market_max_qty:
        raise _failure("MARKET_LOT_SIZE")


def _failure(name: str) -> RefusedRequestError:
    return RefusedRequestError(-1013, f"Filter failure: {name}")

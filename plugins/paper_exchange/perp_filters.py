"""USD-M's order filters, each with its own code."""

from decimal import Decimal

from paper_exchange.book import Level
from paper_exchange.errors import RefusedRequestError
from paper_exchange.instruments import Filters
from paper_exchange.orders import OrderType, Ticket
from paper_exchange.rows import plain

MOST_OPEN_ORDERS = 200


def check_perp_filters(ticket: Ticket, mark_px: Decimal, open_orders: int) -> None:
    """Refuse a ticket that breaks one of its symbol's filters.

    `mark_px` (quote) is the reference of the price band and of a market order's notional; `open_orders`: open
    already on the symbol. Reduce-only orders have no minimum notional.
    """
    filters = ticket.item.filters
    assert ticket.qty is not None, "futures orders are bounded by quantity"
    _check_qty(ticket.qty, filters, market=ticket.order_type is OrderType.MARKET)
    if ticket.limit_px is not None:
        _check_price(ticket.limit_px, filters, mark_px)
    notional = ticket.qty * (ticket.limit_px or mark_px)
    if not ticket.reduce_only and notional < filters.min_notional:
        least = plain(filters.min_notional)
        raise RefusedRequestError(
            -4164, f"Order's notional must be no smaller than {least} (unless you choose reduce only)."
        )
    if ticket.order_type is not OrderType.MARKET and open_orders >= MOST_OPEN_ORDERS:
        raise RefusedRequestError(-2025, "Reach max open order limit.")


def check_counterparty(ticket: Ticket, levels: list[Level], mark_px: Decimal) -> None:
    """Refuse a market order (-4131) whose best price lies outside of the price band around the mark."""
    if ticket.order_type is not OrderType.MARKET or not levels:
        return
    px, filters = levels[0].px, ticket.item.filters
    if not mark_px * filters.px_down <= px <= mark_px * filters.px_up:
        raise RefusedRequestError(
            -4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit"
        )


def _check_qty(qty: Decimal, filters: Filters, *, market: bool) -> None:
    if qty % filters.lot:
        raise RefusedRequestError(-1111, "Precision is over the maximum defined for this asset.")
    if qty < filters.min_qty:
        raise RefusedRequestError(-4004, "Quantity less than min quantity.")
    if qty > (filters.market_max_qty if market else filters.max_qty):
        raise RefusedRequestError(-4005, "Quantity greater than max quantity.")


def _check_price(px: Decimal, filters: Filters, mark_px: Decimal) -> None:
    if px % filters.tick:
        raise RefusedRequestError(-4014, "Price not increased by tick size.")
    highest_px = min(filters.max_px, mark_px * filters.px_up).quantize(filters.tick)
    lowest_px = max(filters.min_px, mark_px * filters.px_down).quantize(filters.tick)
    if px > highest_px:
        raise RefusedRequestError(-4016, f"Limit price can't be higher than {plain(highest_px)}.")
    if px < lowest_px:
        raise RefusedRequestError(-4024, f"Limit price can't be lower than {plain(lowest_px)}.")

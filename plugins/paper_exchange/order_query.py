"""Which orders and trades a signed request asks for."""

from typing import TypeVar

from paper_exchange import query
from paper_exchange.errors import RefusedRequestError
from paper_exchange.instruments import Venue
from paper_exchange.orders import Fill, Order
from paper_exchange.signing import SignedRequest
from paper_exchange.store import CandleStore

_Row = TypeVar("_Row")


def wanted(signed: SignedRequest, store: CandleStore, venue: Venue) -> tuple[str, int | None, str | None]:
    """Return symbol, order id and client id of a request; -1102 when both ids are missing."""
    item = query.symbol(signed, store, venue)
    order_id = query.integer(signed, "orderId")
    own_id = signed.query_params.get("origClientOrderId") or None
    if order_id is None and own_id is None:
        raise RefusedRequestError(
            -1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
        )
    return item.name, order_id, own_id


def orders(signed: SignedRequest, recorded: list[Order]) -> list[Order]:
    """Return the orders of a history request: from `orderId` on, within its times, one page."""
    first_id = query.integer(signed, "orderId")
    found = [
        order
        for order in recorded
        if within(signed, order.created_ms) and (first_id is None or order.order_id >= first_id)
    ]
    return page(signed, found, first_id)


def fills(signed: SignedRequest, recorded: list[Fill]) -> list[Fill]:
    """Return the fills of a trades request: of `orderId`, from `fromId` on, within its times, one page."""
    order_id, first_id = query.integer(signed, "orderId"), query.integer(signed, "fromId")
    found = [
        fill
        for fill in recorded
        if within(signed, fill.at_ms)
        and (order_id is None or fill.order_id == order_id)
        and (first_id is None or fill.trade_id >= first_id)
    ]
    return page(signed, found, first_id)


def within(signed: SignedRequest, at_ms: int) -> bool:
    """Return whether a moment lies in [startTime, endTime], as far as they are given."""
    start_ms, end_ms = query.integer(signed, "startTime"), query.integer(signed, "endTime")
    return (start_ms is None or at_ms >= start_ms) and (end_ms is None or at_ms <= end_ms)


def page(signed: SignedRequest, found: list[_Row], first_id: int | None, default: int = 500) -> list[_Row]:
    """Return the first `limit` rows from a given id or start on, else the last `limit`."""
    most = query.limit(signed, default=default, most=1000, strict=False)
    from_start = first_id is not None or query.integer(signed, "startTime") is not None
    return found[:most] if from_start else found[-most:]

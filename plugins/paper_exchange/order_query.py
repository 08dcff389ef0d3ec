"""Which orders and trades a signed request asks for."""

from typing import TypeVar

from paper_exchange import query
from paper_exchange.errors import RefusedRequestError
from paper_exchange.instruments import Venue
from paper_exchange.orders import Fill, Order
from paper_exchange.signing import SignedRequest
from paper_exchange.store import CandleStore

_FOREVER_MS = 1 << 62
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
    start_ms, end_ms = times(signed)
    found = [
        order
        for order in recorded
        if start_ms <= order.created_ms <= end_ms and (first_id is None or order.order_id >= first_id)
    ]
    return page(signed, found, first_id)


def fills(signed: SignedRequest, recorded: list[Fill]) -> list[Fill]:
    """Return the fills of a trades request: of `orderId`, from `fromId` on, within its times, one page."""
    order_id, first_id = query.integer(signed, "orderId"), query.integer(signed, "fromId")
    start_ms, end_ms = times(signed)
    found = [
        fill
        for fill in recorded
        if start_ms <= fill.at_ms <= end_ms
        and (order_id is None or fill.order_id == order_id)
        and (first_id is None or fill.trade_id >= first_id)
    ]
    return page(signed, found, first_id)


def times(signed: SignedRequest) -> tuple[int, int]:
    """Return startTime and endTime (ms, both inclusive); without them everything is within."""
    start_ms, end_ms = query.integer(signed, "startTime"), query.integer(signed, "endTime")
    return start_ms or 0, _FOREVER_MS if end_ms is None else end_ms


def page(signed: SignedRequest, found: list[_Row], first_id: int | None, default: int = 500) -> list[_Row]:
    """Return the first `limit` rows from a given id or start on, else the last `limit`."""
    most = query.limit(signed, default=default, most=1000, strict=False)
    from_start = first_id is not None or query.integer(signed, "startTime") is not None
    return found[:most] if from_start else found[-most:]

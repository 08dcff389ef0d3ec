"""Signed spot endpoints of orders: place, query, cancel, list, and the account's trades."""

from typing import TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from paper_exchange import query
from paper_exchange.errors import RefusedRequestError
from paper_exchange.instruments import Venue
from paper_exchange.orders import OrderType
from paper_exchange.private_spot import Enter
from paper_exchange.signing import SignedRequest
from paper_exchange.spot_market import SpotMarket
from paper_exchange.spot_rows import canceled_row, fill_row, order_row, taken_row
from paper_exchange.tickets import client_id, ticket

_Row = TypeVar("_Row")
_FORMS = ("ACK", "RESULT", "FULL")


def spot_order_router(market: SpotMarket, enter: Enter) -> APIRouter:
    """Return the router of `/api/v3`'s orders.

    `enter` checks the signature and lets the market catch up with the clock.
    """
    router = APIRouter(prefix="/api/v3")
    _add_order(router, market, enter)
    _add_lists(router, market, enter)
    return router


def _add_order(router: APIRouter, market: SpotMarket, enter: Enter) -> None:
    store = market.view.store

    @router.post("/order")
    async def place(request: Request) -> JSONResponse:
        signed = await enter(request)
        wanted = ticket(signed, store, Venue.SPOT)
        usual = "ACK" if wanted.order_type is OrderType.LIMIT_MAKER else "FULL"
        form = signed.query_params.get("newOrderRespType") or usual
        if form not in _FORMS:
            raise RefusedRequestError(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")
        return JSONResponse(taken_row(market.place(wanted), form))

    @router.get("/order")
    async def read(request: Request) -> JSONResponse:
        signed = await enter(request)
        name, order_id, own_id = _wanted(signed, market)
        order = market.log.find(name, order_id, own_id)
        if order is None:
            raise RefusedRequestError(-2013, "Order does not exist.")
        return JSONResponse(order_row(order))

    @router.delete("/order")
    async def cancel(request: Request) -> JSONResponse:
        signed = await enter(request)
        name, order_id, own_id = _wanted(signed, market)
        cancel_id = client_id(signed, "newClientOrderId")
        return JSONResponse(canceled_row(market.cancel(name, order_id, own_id, cancel_id)))


def _add_lists(router: APIRouter, market: SpotMarket, enter: Enter) -> None:
    store = market.view.store

    @router.get("/openOrders")
    async def open_orders(request: Request) -> JSONResponse:
        signed = await enter(request)
        name = signed.query_params.get("symbol") or None
        if name is not None:
            query.listed(store, Venue.SPOT, name)
        return JSONResponse([order_row(order) for order in market.log.open(name)])

    @router.delete("/openOrders")
    async def cancel_all(request: Request) -> JSONResponse:
        signed = await enter(request)
        name = query.symbol(signed, store, Venue.SPOT).name
        found = market.log.open(name)
        if not found:
            raise RefusedRequestError(-2011, "Unknown order sent.")
        return JSONResponse([canceled_row(market.cancel(name, order.order_id, None, "")) for order in found])

    @router.get("/allOrders")
    async def all_orders(request: Request) -> JSONResponse:
        signed = await enter(request)
        item = query.symbol(signed, store, Venue.SPOT)
        first_id = query.integer(signed, "orderId")
        found = [
            order
            for order in market.log.of(item.name)
            if _within(signed, order.created_ms) and (first_id is None or order.order_id >= first_id)
        ]
        return JSONResponse([order_row(order) for order in _page(signed, found, first_id)])

    @router.get("/myTrades")
    async def trades(request: Request) -> JSONResponse:
        signed = await enter(request)
        item = query.symbol(signed, store, Venue.SPOT)
        order_id, first_id = query.integer(signed, "orderId"), query.integer(signed, "fromId")
        found = [
            fill
            for fill in market.log.fills(item.name)
            if _within(signed, fill.at_ms)
            and (order_id is None or fill.order_id == order_id)
            and (first_id is None or fill.trade_id >= first_id)
        ]
        return JSONResponse([fill_row(fill) for fill in _page(signed, found, first_id)])


def _wanted(signed: SignedRequest, market: SpotMarket) -> tuple[str, int | None, str | None]:
    """Return symbol, order id and client id of a request; -1102 when both ids are missing."""
    item = query.symbol(signed, market.view.store, Venue.SPOT)
    order_id = query.integer(signed, "orderId")
    own_id = signed.query_params.get("origClientOrderId") or None
    if order_id is None and own_id is None:
        raise RefusedRequestError(
            -1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
        )
    return item.name, order_id, own_id


def _within(signed: SignedRequest, at_ms: int) -> bool:
    start_ms, end_ms = query.integer(signed, "startTime"), query.integer(signed, "endTime")
    return (start_ms is None or at_ms >= start_ms) and (end_ms is None or at_ms <= end_ms)


def _page(signed: SignedRequest, found: list[_Row], first_id: int | None) -> list[_Row]:
    """Return the first `limit` rows from a given id or start on, else the last `limit`."""
    most = query.limit(signed, default=500, most=1000, strict=False)
    from_start = first_id is not None or query.integer(signed, "startTime") is not None
    return found[:most] if from_start else found[-most:]

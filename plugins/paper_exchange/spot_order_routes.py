"""Signed spot endpoints of orders: place, query, cancel, list, and the account's trades."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from paper_exchange import order_query, query
from paper_exchange.errors import RefusedRequestError
from paper_exchange.instruments import Venue
from paper_exchange.orders import OrderType
from paper_exchange.signing import Enter
from paper_exchange.spot_market import SpotMarket
from paper_exchange.spot_rows import canceled_row, fill_row, order_row, taken_row
from paper_exchange.tickets import client_id, ticket

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
        name, order_id, own_id = order_query.wanted(signed, store, Venue.SPOT)
        order = market.log.find(name, order_id, own_id)
        if order is None:
            raise RefusedRequestError(-2013, "Order does not exist.")
        return JSONResponse(order_row(order))

    @router.delete("/order")
    async def cancel(request: Request) -> JSONResponse:
        signed = await enter(request)
        name, order_id, own_id = order_query.wanted(signed, store, Venue.SPOT)
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
        found = order_query.orders(signed, market.log.of(item.name))
        return JSONResponse([order_row(order) for order in found])

    @router.get("/myTrades")
    async def trades(request: Request) -> JSONResponse:
        signed = await enter(request)
        item = query.symbol(signed, store, Venue.SPOT)
        found = order_query.fills(signed, market.log.fills(item.name))
        return JSONResponse([fill_row(fill) for fill in found])

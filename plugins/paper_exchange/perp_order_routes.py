"""Signed USD-M endpoints of orders: place, query, cancel, list, and the account's trades and income."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from paper_exchange import order_query, query
from paper_exchange.errors import RefusedRequestError
from paper_exchange.instruments import Venue
from paper_exchange.perp_forced import ADL_ID, LIQUIDATION_ID
from paper_exchange.perp_market import PerpMarket
from paper_exchange.perp_order_rows import acknowledged_row, income_row, perp_fill_row, perp_order_row
from paper_exchange.signing import Enter, SignedRequest
from paper_exchange.tickets import ticket

_FORMS = ("ACK", "RESULT")
_SEARCH_MS = 90 * 86_400_000
_FORCED_IDS = {"LIQUIDATION": LIQUIDATION_ID, "ADL": ADL_ID}


def usdm_order_router(market: PerpMarket, enter: Enter) -> APIRouter:
    """Return the router of `/fapi/v1`'s orders.

    `enter` checks the signature and lets the market catch up with the clock.
    """
    router = APIRouter(prefix="/fapi/v1")
    _add_order(router, market, enter)
    _add_open_orders(router, market, enter)
    _add_history(router, market, enter)
    return router


def _add_order(router: APIRouter, market: PerpMarket, enter: Enter) -> None:
    store = market.view.store

    @router.post("/order")
    async def place(request: Request) -> JSONResponse:
        signed = await enter(request)
        wanted = ticket(signed, store, Venue.PERP)
        form = signed.query_params.get("newOrderRespType") or "ACK"
        if form not in _FORMS:
            raise RefusedRequestError(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")
        order = market.place(wanted)
        return JSONResponse(acknowledged_row(order) if form == "ACK" else perp_order_row(order))

    @router.get("/order")
    async def read(request: Request) -> JSONResponse:
        order = market.log.find(*order_query.wanted(await enter(request), store, Venue.PERP))
        if order is None:
            raise RefusedRequestError(-2013, "Order does not exist.")
        return JSONResponse(perp_order_row(order))

    @router.delete("/order")
    async def cancel(request: Request) -> JSONResponse:
        wanted = order_query.wanted(await enter(request), store, Venue.PERP)
        return JSONResponse(perp_order_row(market.cancel(*wanted)))


def _add_open_orders(router: APIRouter, market: PerpMarket, enter: Enter) -> None:
    store = market.view.store

    @router.get("/openOrder")
    async def open_order(request: Request) -> JSONResponse:
        order = market.log.find(*order_query.wanted(await enter(request), store, Venue.PERP))
        if order is None or not order.open:
            raise RefusedRequestError(-2013, "Order does not exist.")
        return JSONResponse(perp_order_row(order))

    @router.get("/openOrders")
    async def open_orders(request: Request) -> JSONResponse:
        signed = await enter(request)
        name = signed.query_params.get("symbol") or None
        if name is not None:
            query.listed(store, Venue.PERP, name)
        return JSONResponse([perp_order_row(order) for order in market.log.open(name)])

    @router.delete("/allOpenOrders")
    async def cancel_all(request: Request) -> JSONResponse:
        name = query.symbol(await enter(request), store, Venue.PERP).name
        for order in market.log.open(name):
            market.cancel(name, order.order_id, None)
        return JSONResponse({"code": 200, "msg": "The operation of cancel all open order is done."})


def _add_history(router: APIRouter, market: PerpMarket, enter: Enter) -> None:
    store = market.view.store

    async def recent(request: Request) -> SignedRequest:
        """Let a request in; -4166 when it begins more than 90 days ago."""
        signed = await enter(request)
        start_ms = query.integer(signed, "startTime")
        if start_ms is not None and start_ms < market.view.now_ms() - _SEARCH_MS:
            raise RefusedRequestError(-4166, "Search window is restricted to recent 90 days only.")
        return signed

    @router.get("/allOrders")
    async def all_orders(request: Request) -> JSONResponse:
        signed = await recent(request)
        item = query.symbol(signed, store, Venue.PERP)
        return JSONResponse(list(map(perp_order_row, order_query.orders(signed, market.log.of(item.name)))))

    @router.get("/userTrades")
    async def trades(request: Request) -> JSONResponse:
        signed = await recent(request)
        item = query.symbol(signed, store, Venue.PERP)
        found = order_query.fills(signed, market.log.fills(item.name))
        return JSONResponse([perp_fill_row(fill) for fill in found])

    @router.get("/forceOrders")
    async def forced_orders(request: Request) -> JSONResponse:
        signed = await enter(request)
        name, kind = (signed.query_params.get(field) or None for field in ("symbol", "autoCloseType"))
        if kind is not None and kind not in _FORCED_IDS:
            raise RefusedRequestError(-1130, "Data sent for parameter 'autoCloseType' is not valid.")
        start_ms, end_ms = order_query.times(signed)
        found = [
            order
            for order in market.forced.sent
            if start_ms <= order.created_ms <= end_ms
            and name in {None, order.ticket.item.name}
            and order.client_id.startswith(_FORCED_IDS[kind] if kind else "")
        ]
        most = query.limit(signed, default=50, most=100, strict=True)
        return JSONResponse([perp_order_row(order) for order in found[-most:]])

    @router.get("/income")
    async def incomes(request: Request) -> JSONResponse:
        signed = await enter(request)
        name, kind = (signed.query_params.get(field) or None for field in ("symbol", "incomeType"))
        start_ms, end_ms = order_query.times(signed)
        found = [
            income
            for income in market.wallet.incomes
            if start_ms <= income.at_ms <= end_ms
            and name in {None, income.name}
            and kind in {None, income.kind.value}
        ]
        number = query.integer(signed, "page")
        if number:  # counted from the oldest; without it the newest, or those after startTime
            most = query.limit(signed, default=100, most=1000, strict=False)
            chosen = found[(number - 1) * most : number * most]
        else:
            chosen = order_query.page(signed, found, None, default=100)
        return JSONResponse([income_row(income) for income in chosen])

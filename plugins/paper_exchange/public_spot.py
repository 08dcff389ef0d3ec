"""Spot market data without a signature: Binance's `/api/v3`."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from paper_exchange import rows
from paper_exchange.candles import Kind
from paper_exchange.instruments import Instrument, Venue
from paper_exchange.market_routes import MarketRules, add_common_routes, add_ticker_routes
from paper_exchange.rows import JsonObject
from paper_exchange.symbol_rows import spot_exchange_info
from paper_exchange.view import MarketView

PREFIX = "/api/v3"
_RULES = MarketRules(
    venue=Venue.SPOT,
    kind=Kind.SPOT,
    most_klines=1000,
    strict_limits=False,
    most_depth=5000,
    exchange_info=spot_exchange_info,
)


def system_router() -> APIRouter:
    """Return the router of `/sapi/v1`'s one public endpoint: ccxt's `fetch_status` asks for it."""
    router = APIRouter(prefix="/sapi/v1")

    @router.get("/system/status")
    async def system_status() -> JSONResponse:
        return JSONResponse({"status": 0, "msg": "normal"})

    return router


def spot_router(view: MarketView) -> APIRouter:
    """Return the router of `/api/v3`'s public endpoints."""
    router = APIRouter(prefix=PREFIX)
    add_common_routes(router, view, _RULES)

    def day(item: Instrument, now_ms: int) -> JsonObject | None:
        statistics = view.day(item, now_ms)
        book = view.book(item, now_ms, 1)
        if statistics is None or book is None:
            return None
        ticker = rows.day_ticker(item, statistics)
        return ticker | rows.book_ticker(item, book) | {"prevClosePrice": ticker["openPrice"]}

    def book(item: Instrument, now_ms: int) -> JsonObject | None:
        found = view.book(item, now_ms, 1)
        return None if found is None else rows.book_ticker(item, found)

    def last(item: Instrument, now_ms: int) -> JsonObject | None:
        px = view.last_px(Kind.SPOT, item.name, now_ms)
        return None if px is None else {"symbol": item.name, "price": rows.number(px)}

    add_ticker_routes(router, view, Venue.SPOT, day=day, book=book, last=last)
    return router

"""The public endpoints that spot and USD-M have in common; the two differ in limits and a few fields."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from paper_exchange import query, rows
from paper_exchange.candles import Kind, Series
from paper_exchange.instruments import Instrument, Venue
from paper_exchange.kline_text import KlineTexts
from paper_exchange.rows import JsonObject
from paper_exchange.trades import Trade, aggregate_row, trade_row, trades_between
from paper_exchange.view import MarketView

_HALTED = "BREAK"
Describe = Callable[[list[Instrument], int], JsonObject]
Row = Callable[[Instrument, int], JsonObject | None]


@dataclass(frozen=True, slots=True)
class MarketRules:
    """How one market's public endpoints differ from the other's."""

    venue: Venue
    kind: Kind
    most_klines: int
    strict_limits: bool
    most_depth: int
    exchange_info: Describe


def add_common_routes(router: APIRouter, view: MarketView, rules: MarketRules) -> None:
    """Add ping, time, exchangeInfo, klines, depth, aggTrades and trades to a market's router."""
    store, texts = view.store, KlineTexts()

    @router.get("/ping")
    async def ping() -> JSONResponse:
        return JSONResponse({})

    @router.get("/time")
    async def time() -> JSONResponse:
        return JSONResponse({"serverTime": view.shown.now_ms()})

    @router.get("/exchangeInfo")
    async def exchange_info(request: Request) -> JSONResponse:
        wanted = request.query_params.get("symbol")
        items = [query.listed(store, rules.venue, wanted)] if wanted else store.listed(rules.venue)
        info = rules.exchange_info(items, view.now_ms())
        for row in cast(list[JsonObject], info["symbols"]):
            if view.halts.active(rules.venue, str(row["symbol"]), view.now_ms()):
                row["status"] = _HALTED
        return JSONResponse(info)

    @router.get("/klines")
    async def klines(request: Request) -> Response:
        item = query.symbol(request, store, rules.venue)
        return kline_response(
            request, view, texts, rules.kind, item.name, rules.most_klines, strict=rules.strict_limits
        )

    @router.get("/depth")
    async def depth(request: Request) -> JSONResponse:
        item = query.symbol(request, store, rules.venue)
        levels = query.limit(request, default=100, most=rules.most_depth, strict=rules.strict_limits)
        now_ms = view.now_ms()
        book = view.book(item, now_ms, levels)
        sides: JsonObject = {"lastUpdateId": now_ms, "bids": [], "asks": []}
        if book is not None:
            sides = rows.book_sides(book, now_ms)
        if rules.venue is Venue.PERP:
            sides |= {"E": now_ms, "T": now_ms}
        return JSONResponse(sides)

    @router.get("/aggTrades")
    async def aggregate_trades(request: Request) -> JSONResponse:
        return JSONResponse([aggregate_row(trade) for trade in _trades(request, view, rules)])

    @router.get("/trades")
    async def trades(request: Request) -> JSONResponse:
        return JSONResponse([trade_row(trade) for trade in _trades(request, view, rules)])


def add_ticker_routes(
    router: APIRouter, view: MarketView, venue: Venue, *, day: Row, book: Row, last: Row
) -> None:
    """Add ticker/24hr, ticker/bookTicker and ticker/price: one symbol gives an object, else a list."""

    def answer(request: Request, row: Row) -> JSONResponse:
        now_ms = view.now_ms()
        name = request.query_params.get("symbol")
        if name:
            return JSONResponse(row(query.listed(view.store, venue, name), now_ms) or {})
        found = (row(item, now_ms) for item in view.store.listed(venue))
        return JSONResponse([ticker for ticker in found if ticker is not None])

    @router.get("/ticker/24hr")
    async def day_tickers(request: Request) -> JSONResponse:
        return answer(request, day)

    @router.get("/ticker/bookTicker")
    async def book_tickers(request: Request) -> JSONResponse:
        return answer(request, book)

    @router.get("/ticker/price")
    async def price_tickers(request: Request) -> JSONResponse:
        return answer(request, last)


def kline_response(
    request: Request,
    view: MarketView,
    texts: KlineTexts,
    kind: Kind,
    name: str,
    most: int,
    *,
    strict: bool,
    transform: Callable[[Series], Series] | None = None,
) -> Response:
    """Answer a klines request for a listed symbol: candles opened up to now, at most `most` of them.

    `transform` is applied to the chosen candles before they are written out; `texts` are the endpoint's own.
    """
    interval, now_ms = query.interval(request), view.now_ms()
    series = view.candles(
        kind,
        name,
        interval,
        now_ms,
        start_ms=query.integer(request, "startTime"),
        end_ms=query.integer(request, "endTime"),
        limit=query.limit(request, default=500, most=most, strict=strict),
    )
    if series is None:
        return JSONResponse([])
    text = texts.text(name, series if transform is None else transform(series), now_ms)
    return Response(text, media_type="application/json")


def _trades(request: Request, view: MarketView, rules: MarketRules) -> list[Trade]:
    item = query.symbol(request, view.store, rules.venue)
    return trades_between(
        view,
        rules.kind,
        item.name,
        start_ms=query.integer(request, "startTime"),
        end_ms=query.integer(request, "endTime"),
        first_id=query.integer(request, "fromId"),
        limit=query.limit(request, default=500, most=1000, strict=rules.strict_limits),
    )

"""USD-M futures market data without a signature: Binance's `/fapi/v1`, and `/fapi/v2/ticker/price`."""

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from paper_exchange import query, rows
from paper_exchange.candles import HOUR_MS, Kind, Series
from paper_exchange.funding import INTEREST_RATE, SETTLEMENT_HOURS
from paper_exchange.instruments import Instrument, Venue
from paper_exchange.kline_text import KlineTexts
from paper_exchange.market_routes import MarketRules, add_common_routes, add_ticker_routes, kline_response
from paper_exchange.rows import JsonObject
from paper_exchange.symbol_rows import perp_exchange_info
from paper_exchange.view import MarketView

PREFIX = "/fapi/v1"
MOST_KLINES = 1500
_RULES = MarketRules(
    venue=Venue.PERP,
    kind=Kind.PERP,
    most_klines=MOST_KLINES,
    strict_limits=True,
    most_depth=1000,
    exchange_info=perp_exchange_info,
)


def usdm_router(view: MarketView) -> APIRouter:
    """Return the router of `/fapi/v1`'s public endpoints."""
    router = APIRouter(prefix=PREFIX)
    add_common_routes(router, view, _RULES)
    _add_tickers(router, view)
    _add_price_klines(router, view)
    _add_funding(router, view)
    return router


def usdm_v2_router(view: MarketView) -> APIRouter:
    """Return the router of `/fapi/v2`'s public endpoints: the tickers, of which ccxt uses `ticker/price`."""
    router = APIRouter(prefix="/fapi/v2")
    _add_tickers(router, view)
    return router


def _add_tickers(router: APIRouter, view: MarketView) -> None:
    def day(item: Instrument, now_ms: int) -> JsonObject | None:
        statistics = view.day(item, now_ms)
        return None if statistics is None else rows.day_ticker(item, statistics)

    def book(item: Instrument, now_ms: int) -> JsonObject | None:
        found = view.book(item, now_ms, 1)
        return None if found is None else rows.book_ticker(item, found) | {"time": now_ms}

    def last(item: Instrument, now_ms: int) -> JsonObject | None:
        px = view.last_px(Kind.PERP, item.name, now_ms)
        return None if px is None else {"symbol": item.name, "price": rows.number(px), "time": now_ms}

    add_ticker_routes(router, view, Venue.PERP, day=day, book=book, last=last)


def _add_price_klines(router: APIRouter, view: MarketView) -> None:
    """Add the klines of mark price, index price (the spot's candles) and premium index (perp / spot - 1)."""
    mark_texts, index_texts, premium_texts = KlineTexts(), KlineTexts(), KlineTexts()

    @router.get("/markPriceKlines")
    async def mark_klines(request: Request) -> Response:
        item = query.symbol(request, view.store, Venue.PERP)
        return kline_response(request, view, mark_texts, Kind.MARK, item.name, MOST_KLINES, strict=True)

    @router.get("/indexPriceKlines")
    async def index_klines(request: Request) -> Response:
        item = query.symbol(request, view.store, Venue.PERP, "pair")
        return kline_response(
            request,
            view,
            index_texts,
            Kind.SPOT,
            item.name,
            MOST_KLINES,
            strict=True,
            transform=_without_volume,
        )

    @router.get("/premiumIndexKlines")
    async def premium_klines(request: Request) -> Response:
        item = query.symbol(request, view.store, Venue.PERP)

        def premium(perp: Series) -> Series:
            if not len(perp):
                return perp
            start_ms = int(perp.open_ms[0])
            spot = view.candles(Kind.SPOT, item.name, perp.interval, view.now_ms(), start_ms=start_ms)
            return perp.rows(0, 0) if spot is None else premium_series(perp, spot)

        return kline_response(
            request, view, premium_texts, Kind.PERP, item.name, MOST_KLINES, strict=True, transform=premium
        )


def _add_funding(router: APIRouter, view: MarketView) -> None:
    @router.get("/premiumIndex")
    async def premium_index(request: Request) -> JSONResponse:
        name = request.query_params.get("symbol")
        now_ms = view.now_ms()
        if name:
            return JSONResponse(_premium_index(view, query.listed(view.store, Venue.PERP, name), now_ms))
        found = (_premium_index(view, item, now_ms) for item in view.store.listed(Venue.PERP))
        return JSONResponse([row for row in found if row])

    @router.get("/fundingRate")
    async def funding_rate(request: Request) -> JSONResponse:
        start_ms, end_ms = query.integer(request, "startTime"), query.integer(request, "endTime")
        limit = query.limit(request, default=100, most=1000, strict=True)
        name = request.query_params.get("symbol")
        items = [query.listed(view.store, Venue.PERP, name)] if name else view.store.listed(Venue.PERP)
        history = [row for item in items for row in _settled(view, item, start_ms, end_ms)]
        history.sort(key=lambda row: row[0])
        chosen = history[:limit] if start_ms is not None else history[-limit:]
        return JSONResponse([row for _, row in chosen])

    @router.get("/fundingInfo")
    async def funding_info() -> JSONResponse:
        return JSONResponse(
            [
                {
                    "symbol": item.name,
                    "adjustedFundingRateCap": f"{item.filters.funding_cap_rate:.8f}",
                    "adjustedFundingRateFloor": f"{-item.filters.funding_cap_rate:.8f}",
                    "fundingIntervalHours": funding_interval_ms(view, item.name) // HOUR_MS,
                    "disclaimer": False,
                }
                for item in view.store.listed(Venue.PERP)
            ]
        )


def funding_interval_ms(view: MarketView, name: str) -> int:
    """Return the time between settlements: the commonest recorded one in full hours, else 8 h."""
    at_ms = view.store.settlements(name).at_ms
    if len(at_ms) < 2:
        return SETTLEMENT_HOURS * HOUR_MS
    hours, counts = np.unique(np.round(np.diff(at_ms) / HOUR_MS), return_counts=True)
    return max(int(hours[np.argmax(counts)]), 1) * HOUR_MS


def premium_series(perp: Series, spot: Series) -> Series:
    """Return candles of perp / spot - 1 at opens and closes; their larger and smaller are high and low.

    Only candles that both series have count. The volume is 0.
    """
    common, in_perp, in_spot = np.intersect1d(perp.open_ms, spot.open_ms, return_indices=True)
    ratio = perp.ohlcv[in_perp] / spot.ohlcv[in_spot, :] - 1.0 if len(common) else np.empty((0, 5))
    opens, closes = np.round(ratio[:, 0], 8), np.round(ratio[:, 3], 8)
    columns = [opens, np.maximum(opens, closes), np.minimum(opens, closes), closes, np.zeros(len(common))]
    return Series(perp.interval, common, np.column_stack(columns))


def _without_volume(series: Series) -> Series:
    ohlcv = series.ohlcv.copy()
    ohlcv[:, 4] = 0.0
    return Series(series.interval, series.open_ms, ohlcv)


def _premium_index(view: MarketView, item: Instrument, now_ms: int) -> JsonObject:
    """Return mark, index and funding as of now; empty before the first candle.

    `lastFundingRate` is the last settled rate: Binance shows the rate that is being accrued there, which
    recorded candles do not tell.
    """
    mark_px, index_px = view.mark_px(item.name, now_ms), view.index_px(item.name, now_ms)
    if mark_px is None or index_px is None:
        return {}
    settled = view.settlements(item.name, now_ms)
    interval_ms = funding_interval_ms(view, item.name)
    return {
        "symbol": item.name,
        "markPrice": rows.amount(mark_px),
        "indexPrice": rows.amount(index_px),
        "estimatedSettlePrice": rows.amount(index_px),
        "lastFundingRate": rows.amount(float(settled.rates[-1])) if len(settled.rates) else "0.00000000",
        "interestRate": rows.amount(INTEREST_RATE),
        "nextFundingTime": (now_ms // interval_ms + 1) * interval_ms,
        "time": now_ms,
    }


def _settled(
    view: MarketView, item: Instrument, start_ms: int | None, end_ms: int | None
) -> list[tuple[int, JsonObject]]:
    """Return (time, row) of the settlements up to now in [start_ms, end_ms]."""
    settled = view.settlements(item.name, view.now_ms())
    low = 0 if start_ms is None else int(np.searchsorted(settled.at_ms, start_ms, side="left"))
    high = len(settled.at_ms) if end_ms is None else int(np.searchsorted(settled.at_ms, end_ms, side="right"))
    mark = view.store.finest(Kind.MARK, item.name)
    found: list[tuple[int, JsonObject]] = []
    for at_ms, rate in zip(settled.at_ms[low:high].tolist(), settled.rates[low:high].tolist(), strict=True):
        position = -1 if mark is None else mark.position(at_ms)
        at_mark = mark is not None and position >= 0 and at_ms - int(mark.open_ms[position]) < HOUR_MS
        row: JsonObject = {
            "symbol": item.name,
            "fundingTime": at_ms,
            "fundingRate": rows.number(rate),
            "markPrice": rows.number(float(mark.ohlcv[position, 0])) if mark is not None and at_mark else "",
        }
        found.append((at_ms, row))
    return found

"""Request weights: counted per market and minute, reported in Binance's header, enforced where wanted."""

from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paper_exchange.clock import Clock
from paper_exchange.limits import MINUTE_MS, WEIGHT_LIMITS, Limiter, OrderCounter, TooMuch

HEADER = "X-MBX-USED-WEIGHT-1M"
# Binance's documented weights by the path's last part; the ones that depend on `limit` at their default, the
# ones that depend on `symbol` with one. What is not listed, and every POST and DELETE, weighs 1.
_SPOT_WEIGHTS = {
    "exchangeInfo": 20,
    "depth": 5,
    "trades": 25,
    "aggTrades": 4,
    "klines": 2,
    "24hr": 80,
    "price": 4,
    "bookTicker": 4,
    "account": 20,
    "order": 4,
    "openOrders": 6,
    "allOrders": 20,
    "myTrades": 20,
}
_PERP_WEIGHTS = {
    "depth": 5,
    "trades": 5,
    "aggTrades": 20,
    "klines": 2,
    "markPriceKlines": 2,
    "indexPriceKlines": 2,
    "premiumIndexKlines": 2,
    "premiumIndex": 10,
    "24hr": 40,
    "price": 2,
    "bookTicker": 5,
    "account": 5,
    "balance": 5,
    "positionRisk": 5,
    "allOrders": 5,
    "userTrades": 5,
    "income": 30,
    "dual": 30,
    "multiAssetsMargin": 30,
}


def market_of(path: str) -> str | None:
    """Return the market whose limits a path counts for, "api" or "fapi"; None for other paths."""
    market = path.lstrip("/").partition("/")[0]
    return market if market in WEIGHT_LIMITS else None


class WeightMeter:
    """Weight used per market in the clock's present minute."""

    def __init__(self, clock: Clock) -> None:
        """Start with nothing used."""
        self._clock = clock
        self._minute = 0
        self._used: dict[str, int] = {}

    def charge(self, market: str, method: str, path: str) -> int:
        """Charge one request and return what its market has used this minute."""
        minute = self._clock.now_ms() // MINUTE_MS
        if minute != self._minute:
            self._minute, self._used = minute, {}
        weights = _SPOT_WEIGHTS if market == "api" else _PERP_WEIGHTS
        weight = weights.get(path.rsplit("/", 1)[-1], 1) if method == "GET" else 1
        self._used[market] = self._used.get(market, 0) + weight
        return self._used[market]


class WeightMiddleware:
    """ASGI middleware that puts the used weight into every answer's header, and refuses who uses too much."""

    def __init__(self, app: ASGIApp, clock: Clock, limiter: Limiter, enforce: bool = False) -> None:
        """Wrap `app`; `limiter` refuses what it is told to, the documented limits count if `enforce`."""
        self._app = app
        self._clock = clock
        self._meter = WeightMeter(clock)
        self._orders = OrderCounter(clock)
        self._limiter = limiter
        self._enforce = enforce

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Charge the request, then answer it."""
        market = market_of(scope["path"]) if scope["type"] == "http" else None
        if market is None:
            await self._app(scope, receive, send)
            return
        used = self._meter.charge(market, scope["method"], scope["path"])

        async def send_with_weight(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = str(used)
            await send(message)

        if (refusal := self._refusal(market, scope, used)) is None:
            await self._app(scope, receive, send_with_weight)
        else:
            await too_much(refusal)(scope, receive, send_with_weight)

    def _refusal(self, market: str, scope: Scope, used: int) -> TooMuch | None:
        refusal = self._limiter.refusal(market)
        if refusal is not None or not self._enforce:
            return refusal
        if used > WEIGHT_LIMITS[market]:
            now_ms = self._clock.now_ms()
            self._limiter.limit(market, now_ms - now_ms % MINUTE_MS + MINUTE_MS)
            return self._limiter.refusal(market)
        if scope["method"] == "POST" and scope["path"].endswith("/order"):
            return self._orders.refusal(market)
        return None


def too_much(refusal: TooMuch) -> JSONResponse:
    """Return the answer to who asked too much."""
    return JSONResponse(
        {"code": refusal.code, "msg": refusal.message},
        status_code=refusal.status,
        headers={"Retry-After": str(refusal.retry_after_s)},
    )

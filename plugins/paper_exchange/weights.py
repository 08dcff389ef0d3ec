"""Request weights: counted per market and minute, reported in Binance's header, not yet enforced."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paper_exchange.clock import Clock

HEADER = "X-MBX-USED-WEIGHT-1M"
_MINUTE_MS = 60_000
# Binance's documented weights of the market data endpoints; the ones that depend on `limit` at their default.
_SPOT_WEIGHTS = {
    "exchangeInfo": 20,
    "depth": 5,
    "trades": 25,
    "aggTrades": 4,
    "klines": 2,
    "24hr": 80,
    "price": 4,
    "bookTicker": 4,
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
}


class WeightMeter:
    """Weight used per market in the clock's present minute."""

    def __init__(self, clock: Clock) -> None:
        """Start with nothing used."""
        self._clock = clock
        self._minute = 0
        self._used: dict[str, int] = {}

    def charge(self, path: str) -> int | None:
        """Charge one request and return what its market has used this minute; None for other paths."""
        market, _, rest = path.lstrip("/").partition("/")
        if market not in {"api", "fapi"}:
            return None
        minute = self._clock.now_ms() // _MINUTE_MS
        if minute != self._minute:
            self._minute, self._used = minute, {}
        weights = _SPOT_WEIGHTS if market == "api" else _PERP_WEIGHTS
        self._used[market] = self._used.get(market, 0) + weights.get(rest.rsplit("/", 1)[-1], 1)
        return self._used[market]


class WeightMiddleware:
    """ASGI middleware that puts the used weight into the header of every answer, refusals included."""

    def __init__(self, app: ASGIApp, meter: WeightMeter) -> None:
        """Wrap `app`."""
        self._app = app
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Charge the request, then answer it."""
        used = self._meter.charge(scope["path"]) if scope["type"] == "http" else None
        if used is None:
            await self._app(scope, receive, send)
            return

        async def send_with_weight(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = str(used)
            await send(message)

        await self._app(scope, receive, send_with_weight)

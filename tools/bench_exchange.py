"""Time the paper exchange's hot endpoints: milliseconds of server work per request, without the network.

    python tools/bench_exchange.py [--requests N] [--json FILE]

The mix is what freqtrade's live mode asks in a loop. The application is called in process, a request at a
time, the clock moving on between requests, so nothing is answered from the moment before.
"""

import argparse
import asyncio
import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean, median
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI

from paper_exchange.clock import MarketClock
from paper_exchange.sample import write_sample_market
from paper_exchange.server import create_app
from paper_exchange.signing import KEY_HEADER, REHEARSAL
from paper_exchange.store import CandleStore

START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 60
NOW = START + timedelta(days=40, hours=12, minutes=7)
COINS = ("BTC", "ETH", "SOL")
STEP_MS = 7_919
Query = dict[str, object]

PUBLIC: dict[str, tuple[str, Query]] = {
    "klines perp 1h x500": ("/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "1h", "limit": 500}),
    "klines spot 1h x500": ("/api/v3/klines", {"symbol": "BTCUSDT", "interval": "1h", "limit": 500}),
    "klines mark 1h x500": (
        "/fapi/v1/markPriceKlines",
        {"symbol": "BTCUSDT", "interval": "1h", "limit": 500},
    ),
    "klines perp 5m x300": ("/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "5m", "limit": 300}),
    "premium klines 1h x500": (
        "/fapi/v1/premiumIndexKlines",
        {"symbol": "BTCUSDT", "interval": "1h", "limit": 500},
    ),
    "fundingRate x1000": ("/fapi/v1/fundingRate", {"symbol": "BTCUSDT", "limit": 1000}),
    "premiumIndex": ("/fapi/v1/premiumIndex", {"symbol": "BTCUSDT"}),
    "depth spot x20": ("/api/v3/depth", {"symbol": "BTCUSDT", "limit": 20}),
    "depth perp x20": ("/fapi/v1/depth", {"symbol": "BTCUSDT", "limit": 20}),
    "bookTicker": ("/fapi/v1/ticker/bookTicker", {"symbol": "BTCUSDT"}),
    "bookTicker all": ("/fapi/v1/ticker/bookTicker", {}),
    "24hr all": ("/fapi/v1/ticker/24hr", {}),
    "time": ("/fapi/v1/time", {}),
}
SIGNED: dict[str, tuple[str, Query]] = {
    "positionRisk v2": ("/fapi/v2/positionRisk", {}),
    "positionRisk v3": ("/fapi/v3/positionRisk", {}),
    "balance v3": ("/fapi/v3/balance", {}),
    "account v3": ("/fapi/v3/account", {}),
    "account spot": ("/api/v3/account", {}),
    "openOrders": ("/fapi/v1/openOrders", {"symbol": "BTCUSDT"}),
    "allOrders": ("/fapi/v1/allOrders", {"symbol": "BTCUSDT"}),
    "userTrades": ("/fapi/v1/userTrades", {"symbol": "BTCUSDT"}),
    "income": ("/fapi/v1/income", {"symbol": "BTCUSDT", "incomeType": "FUNDING_FEE"}),
}
ORDERS: dict[str, tuple[str, Query]] = {
    "order perp": ("/fapi/v1/order", {"symbol": "BTCUSDT", "type": "MARKET", "quantity": "0.01"}),
    "order spot": ("/api/v3/order", {"symbol": "BTCUSDT", "type": "MARKET", "quantity": "0.01"}),
}


class Caller:
    """Sends requests straight into the application."""

    def __init__(self, app: FastAPI, clock: MarketClock) -> None:
        self._app = app
        self._clock = clock

    async def send(self, method: str, path: str, params: Query, *, signed: bool) -> bytes:
        """Return the answer's body; it must be a success."""
        if signed:
            params = params | {"timestamp": self._clock.now_ms()}
            text = urlencode(params)
            text += f"&signature={REHEARSAL.signature(text)}"
        else:
            text = urlencode(params)
        told: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            told.append(message)

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
            "scheme": "http", "path": path, "raw_path": path.encode(), "root_path": "",
            "query_string": text.encode(), "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8411),
            "headers": [(b"host", b"127.0.0.1"), (KEY_HEADER.lower().encode(), REHEARSAL.key.encode())],
        }  # fmt: skip
        await self._app(scope, receive, send)
        body = b"".join(message.get("body", b"") for message in told)
        assert told[0]["status"] == 200, body
        return body


async def timed(
    caller: Caller, clock: MarketClock, count: int, method: str, path: str, params: Query, *, signed: bool
) -> list[float]:
    """Return the milliseconds of `count` requests, after two that are not counted; orders alternate sides."""
    found: list[float] = []
    for number in range(count + 2):
        clock.advance_ms(STEP_MS)
        own = params | ({"side": ("BUY", "SELL")[number % 2]} if method == "POST" else {})
        start = time.perf_counter()
        await caller.send(method, path, own, signed=signed)
        found.append((time.perf_counter() - start) * 1e3)
    return found[2:]


async def measure(app: FastAPI, clock: MarketClock, count: int) -> dict[str, list[float]]:
    """Return milliseconds by endpoint, with a position, a resting order and a history of 200 orders."""
    caller = Caller(app, clock)
    for number in range(200):
        side = ("SELL", "BUY")[number % 2]
        for path, params in ORDERS.values():
            if path.startswith("/fapi") or side == "BUY":
                await caller.send("POST", path, params | {"side": side}, signed=True)
        clock.advance_ms(60_000)
    path, params = ORDERS["order perp"]
    await caller.send("POST", path, params | {"side": "SELL"}, signed=True)
    found: dict[str, list[float]] = {}
    for table, method, signed in ((PUBLIC, "GET", False), (SIGNED, "GET", True), (ORDERS, "POST", True)):
        for name, (path, params) in table.items():
            found[name] = await timed(caller, clock, count, method, path, params, signed=signed)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--requests", type=int, default=100, help="requests per endpoint")
    parser.add_argument("--json", type=Path, help="write the medians (ms) to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_sample_market(Path(folder), start=START, end=START + timedelta(days=DAYS), coins=COINS)
        store = CandleStore.load(Path(folder))
    clock = MarketClock(round(NOW.timestamp() * 1000), running=False)
    found = asyncio.run(measure(create_app(store, clock), clock, options.requests))
    print(f"{'endpoint':26}{'median ms':>10}{'mean ms':>10}{'p95 ms':>10}")
    for name, times in found.items():
        p95 = sorted(times)[int(len(times) * 0.95)]
        print(f"{name:26}{median(times):10.2f}{mean(times):10.2f}{p95:10.2f}")
    if options.json is not None:
        options.json.write_text(json.dumps({name: median(times) for name, times in found.items()}) + "\n")


if __name__ == "__main__":
    main()

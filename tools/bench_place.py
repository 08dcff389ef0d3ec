"""Time one spot order over HTTP: our venue against the bare ccxt call, in turns, on a served paper exchange.

    python tools/bench_place.py [--orders N]

Prints medians in milliseconds of the whole round trip: request, matching, answer, and for ours the report
with its fills.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import ccxt
import httpx

from hedge_leg.adapters.ccxt_client import build_client
from hedge_leg.adapters.ccxt_venue import CcxtSpotVenue
from hedge_leg.adapters.credentials import Credentials
from hedge_leg.bootstrap import SystemClock
from hedge_leg.core.orders import OrderIntent, Purpose, Side
from paper_exchange.sample import write_sample_market
from paper_exchange.signing import REHEARSAL

START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC)
NOW_MS = round(datetime(2024, 1, 20, tzinfo=UTC).timestamp() * 1000)
SYMBOL, QTY = "BTC/USDT", Decimal("0.001")


def main() -> int:
    """Serve a sample market and measure."""
    parser = argparse.ArgumentParser(description="Time one spot order, bare ccxt against our venue")
    parser.add_argument("--orders", type=int, default=300)
    orders = parser.parse_args().orders
    with tempfile.TemporaryDirectory() as folder:
        data, ready = Path(folder), Path(folder) / "ready"
        write_sample_market(data, start=START, end=END, coins=("BTC",))
        command = [sys.executable, "-m", "paper_exchange", "serve", "--port", "0", "--data", folder]
        with subprocess.Popen([*command, "--ready-file", str(ready)], stdout=subprocess.DEVNULL) as server:
            while not ready.exists():
                if server.poll() is not None:
                    return 3
                time.sleep(0.05)
            try:
                measure(ready.read_text().strip(), orders)
            finally:
                server.terminate()
    return 0


def measure(url: str, orders: int) -> None:
    """Place orders both ways in turns and print the medians."""
    httpx.post(f"{url}/_control/clock", json={"now_ms": NOW_MS, "running": True}).raise_for_status()
    config = {
        "enableRateLimit": False,
        "options": {"adjustForTimeDifference": True, "fetchMarkets": {"types": ["spot"]}},
        "urls": {"api": {"public": f"{url}/api/v3", "private": f"{url}/api/v3"}},
    }
    config["options"] |= {"fetchCurrencies": False, "fetchMargins": False}  # type: ignore[operator]
    keys = Credentials(REHEARSAL.key, REHEARSAL.secret)
    bare = ccxt.binance({**config, "apiKey": keys.key, "secret": keys.secret})
    bare.load_markets()
    venue = CcxtSpotVenue(build_client("binance", keys, config), SystemClock())
    px = venue.book(SYMBOL).asks[0][0] * 2
    limit_px = px - px % venue.rules(SYMBOL).tick

    def by_ccxt(number: int) -> Any:
        params = {"clientOrderId": f"bare-{number}", "timeInForce": "IOC"}
        return bare.create_order(SYMBOL, "limit", "buy", float(QTY), float(limit_px), params)

    def by_venue(number: int) -> Any:
        return venue.place(OrderIntent(f"hl-{number}", SYMBOL, Side.BUY, QTY, limit_px, 0, Purpose.OPEN))

    times: dict[Callable[[int], Any], list[float]] = {by_ccxt: [], by_venue: []}
    for number in range(orders):
        for call in times if number % 2 else reversed(times):
            begun = time.perf_counter()
            call(number)
            times[call].append((time.perf_counter() - begun) * 1000)
    bare_ms, venue_ms = (median(times[call]) for call in (by_ccxt, by_venue))
    print(f"one spot order, median of {orders}: ccxt {bare_ms:.2f} ms, venue {venue_ms:.2f} ms")
    print(f"ratio {venue_ms / bare_ms:.3f}")


if __name__ == "__main__":
    sys.exit(main())

"""Measure the live spot leg: what lies between a perp fill and its spot order, and the loop.

Run by `make bench`. Four figures, on this machine, now:
1. engine overhead from "perp fill known" to "spot order bytes written", durable facts and intent included:
   SQLite with full sync, real ccxt request building and signing; the book comes from memory, so no network
   is in it;
2. the loop over 200 open carries, venue reads from memory;
3. journal replay from SQLite;
4. a whole spot order round trip through the engine's venue, with its two durable writes, against a bare
   `ccxt.create_order`, both on the same paper exchange over HTTP, in turns.
"""

import argparse
import json
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import numpy as np
from requests.adapters import HTTPAdapter
from tests.host.live_harness import served
from tests.paper_exchange.clients import ccxt_config
from tools.bench_venues import CLOCK, PX, TICK, MemoryPerp, MemoryVenue

from hedge_leg.adapters.ccxt_client import build_client
from hedge_leg.adapters.ccxt_venue import CcxtSpotVenue
from hedge_leg.adapters.credentials import Credentials
from hedge_leg.adapters.sql_journal import open_journal
from hedge_leg.core import events as ev
from hedge_leg.core.amounts import ZERO
from hedge_leg.core.carry import Carry
from hedge_leg.core.market import Book
from hedge_leg.core.orders import OrderIntent, Purpose, Side
from hedge_leg.core.plan import Policy
from hedge_leg.engine import Engine
from hedge_leg.watch import HostOrder, HostTrade, Watch, host_fills
from paper_exchange.signing import REHEARSAL


def announced(pair: str, base: str = "", qty: Decimal = Decimal("0.5")) -> ev.Announced:
    """Return the first event of a carry."""
    base = base or pair.partition("/")[0]
    return ev.Announced(
        *(CLOCK.now_ms(), pair, f"{base}/USDT", base, "USDT", qty, PX, Decimal(2)),
        base_before=ZERO, inherited_qty=ZERO, inherited_cost=ZERO,
    )  # fmt: skip


def engine_on(folder: Path, venue: Any, perp: MemoryPerp, name: str) -> Engine:
    """Return an engine on a fresh SQLite journal."""
    journal = open_journal(f"sqlite:///{folder}/{name}.sqlite")
    engine = Engine(journal, venue, perp, CLOCK, Policy(), lambda _text: None)
    engine.recovered = True
    return engine


def quantiles_ms(seconds: list[float]) -> tuple[float, float]:
    """Return p50 and p99 in ms."""
    p50, p99 = np.percentile(np.asarray(seconds) * 1000, [50, 99])
    return float(p50), float(p99)


class Timed(HTTPAdapter):
    """Notes when each signed order is handed to the socket."""

    def __init__(self) -> None:
        """Start with nothing written."""
        super().__init__()
        self.written: list[float] = []

    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Note the time, then send."""
        if request.method == "POST":
            self.written.append(time.perf_counter())
        return super().send(request, *args, **kwargs)


class KnownBook:
    """A venue whose book is in memory: what is measured shall not wait for the network."""

    def __init__(self, venue: CcxtSpotVenue) -> None:
        """Read the book once."""
        self._venue, self._book = venue, venue.book("BTC/USDT")

    def book(self, _symbol: str) -> Book:
        """Return the book as it was read."""
        return self._book

    def __getattr__(self, name: str) -> Any:
        """Leave everything else to the venue."""
        return getattr(self._venue, name)


def bench_overhead(folder: Path, client: Any, orders: int) -> tuple[float, float]:
    """Measure from the perp fill being known to the signed request being handed to the socket."""
    venue = CcxtSpotVenue(client, CLOCK)
    timed = Timed()
    venue._client.session.mount("http://", timed)
    engine = engine_on(folder, KnownBook(venue), MemoryPerp(), "overhead")
    took: list[float] = []
    for number in range(orders):
        carry = engine.record(Carry(f"C{number}"), announced(f"C{number}/USDT:USDT", "BTC", Decimal("0.01")))
        fill = HostOrder(str(number), Decimal("-0.01"), PX, ZERO, CLOCK.now_ms())
        began = time.perf_counter()
        carry = host_fills(engine, carry, HostTrade(number, True, False, (fill,)))
        engine.pump(carry.carry_id, patience_ms=0)
        took.append(timed.written[-1] - began)
    engine.journal.close()
    return quantiles_ms(took)


def bench_loop(folder: Path, carries: int, loops: int) -> tuple[float, float]:
    """Measure one loop over many open carries."""
    perp = MemoryPerp()
    engine = engine_on(folder, MemoryVenue(), perp, "loop")
    hosts: dict[str, HostTrade] = {}
    for number in range(carries):
        pair = f"L{number}/USDT:USDT"
        fill = HostOrder(str(number), Decimal("-0.5"), PX, ZERO, CLOCK.now_ms())
        hosts[pair] = HostTrade(number, True, False, (fill,))
        perp.short[pair] = Decimal("0.5")
        carry = engine.record(Carry(f"L{number}"), announced(pair))
        carry = host_fills(engine, carry, hosts[pair])
        engine.pump(carry.carry_id, patience_ms=0)
    watch = Watch(engine, perp_interval_ms=0, spot_interval_ms=0)
    took = []
    for _ in range(loops):
        began = time.perf_counter()
        watch.tick(hosts)
        took.append(time.perf_counter() - began)
    engine.journal.close()
    return quantiles_ms(took)


def bench_replay(folder: Path, carries: int) -> float:
    """Measure events per second from SQLite to living carries."""
    engine = engine_on(folder, MemoryVenue(), MemoryPerp(), "replay")
    for number in range(carries):
        carry = engine.record(Carry(f"R{number}"), announced(f"R{number}/USDT:USDT"))
        fill = HostOrder(str(number), Decimal("-0.5"), PX, ZERO, CLOCK.now_ms())
        carry = host_fills(engine, carry, HostTrade(number, True, False, (fill,)))
        carry = engine.pump(carry.carry_id, patience_ms=0)
        paid = (ev.FundingPaid(at, f"{number}-{at}", Decimal("1.23456789"), at) for at in range(90))
        engine.record(carry, *paid)
    began = time.perf_counter()
    engine.load()
    took = time.perf_counter() - began
    events = sum(carry.version for carry in engine.carries.values())
    engine.journal.close()
    return events / took


def rehearsal_client(exchange: Any, *, bare: bool) -> Any:
    """Return a client of the paper exchange whose time is the exchange's: stock ccxt, or as we build it."""
    offset_ms = exchange.post("clock", {"running": True})["now_ms"] - CLOCK.now_ms()
    config: dict[str, Any] = ccxt_config(exchange.url) | {"enableRateLimit": False}
    if bare:
        client: Any = ccxt.binance(config | {"apiKey": REHEARSAL.key, "secret": REHEARSAL.secret})
    else:
        client = build_client("binance", Credentials(REHEARSAL.key, REHEARSAL.secret), config)
    client.nonce = lambda: CLOCK.now_ms() + offset_ms
    client.load_markets()
    return client


def bench_round_trip(folder: Path, bare: Any, client: Any, orders: int) -> tuple[float, float]:
    """Measure (p50, ms) a buy through our venue with its durable writes, and a bare ccxt order, in turns."""
    venue = CcxtSpotVenue(client, CLOCK)
    px = venue.book("BTC/USDT").asks[0][0] * Decimal("1.05")
    limit = (px / TICK).to_integral_value() * TICK
    journal = open_journal(f"sqlite:///{folder}/trip.sqlite")
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(orders):
        began = time.perf_counter()
        params = {"newClientOrderId": f"bare-{number}", "timeInForce": "IOC"}
        bare.create_order("BTC/USDT", "limit", "buy", 0.001, float(limit), params)
        theirs.append(time.perf_counter() - began)
        intent = OrderIntent(
            f"hl-bench-{number}", "BTC/USDT", Side.BUY, Decimal("0.001"), limit, 0, Purpose.OPEN
        )
        journal.append(f"T{number}", 0, [announced("BTC/USDT:USDT")])
        began = time.perf_counter()
        journal.append(f"T{number}", 1, [ev.SpotIntended(CLOCK.now_ms(), intent)])
        report = venue.place(intent)
        answered = ev.SpotAnswered(CLOCK.now_ms(), intent.client_id, report.venue_id, report.fills, True)
        journal.append(f"T{number}", 2, [answered])
        ours.append(time.perf_counter() - began)
    journal.close()
    return quantiles_ms(ours)[0], quantiles_ms(theirs)[0]


def main() -> None:
    """Run all four and print them; `--json FILE` keeps the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--datadir", type=Path, default=Path("user_data/data/sample"))
    parser.add_argument("--at", default="2024-02-10T12:07:30", help="UTC time in the data to serve")
    parser.add_argument("--orders", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd()) as name,
        served(options.datadir, options.at, "--balance", "1e9") as exchange,
    ):
        folder = Path(name)
        p50, p99 = bench_overhead(folder, rehearsal_client(exchange, bare=False), options.orders)
        loop50, loop99 = bench_loop(folder, 200, 100)
        rate = bench_replay(folder, 1000)
        bare, built = (rehearsal_client(exchange, bare=bare) for bare in (True, False))
        ours, theirs = bench_round_trip(folder, bare, built, min(options.orders, 300))
    trip = f"{ours:.2f} ms, bare ccxt {theirs:.2f} ms: {ours / theirs:.2f}x"
    for what, figures, aim in (
        ("perp fill known -> spot order bytes", f"p50 {p50:.2f} ms, p99 {p99:.2f} ms", "p99 < 5 ms"),
        ("loop over 200 open carries", f"p50 {loop50:.1f} ms, p99 {loop99:.1f} ms", "< 50 ms"),
        ("journal replay", f"{rate:,.0f} events/s", "> 50,000 events/s"),
        ("spot order round trip", trip, "<= 1.3x"),
    ):
        print(f"{what:38}{figures:45}(aim {aim})")
    if options.json is not None:
        numbers = {
            "overhead_p50_ms": p50,
            "overhead_p99_ms": p99,
            "loop200_p50_ms": loop50,
            "loop200_p99_ms": loop99,
            "replay_events_per_s": rate,
            "round_trip_ms": ours,
            "bare_round_trip_ms": theirs,
        }
        options.json.write_text(json.dumps(numbers, indent=2) + "\n")


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    main()

"""Measure the journal: latency of a durable append, speed of replay, opening and verifying.

    .venv/bin/python tools/bench_journal.py [URL]

Without a URL: SQLite in the working folder, on the disk that a bot there would use; it is removed again.
"""

import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from hedge_leg.adapters.sql_journal import SqlJournal, open_journal, verify
from hedge_leg.core import events as ev
from hedge_leg.core.orders import OrderIntent, Purpose, Side, SpotFill

D = Decimal
ANNOUNCED = ev.Announced(
    1, "BTC/USDT:USDT", "BTC/USDT", "BTC", "USDT", D("0.1"), D("42000"), D(2), D("0.5"), D(0), D(0)
)
INTENDED = ev.SpotIntended(
    5, OrderIntent("hl-c1-1", "BTC/USDT", Side.BUY, D("0.10"), D("42000.5"), 0, Purpose.OPEN)
)
FILL = SpotFill("t1", Side.BUY, D("0.1"), D("42000"), D("0.0001"), "BTC", D("4.2"), 1_700_000_000_000)
ANSWERED = ev.SpotAnswered(5, "hl-c1-1", "v1", (FILL,), True)
FILLED = ev.PerpFilled(1, "7", D("-0.1"), D("42000"), D("1.26"), 2, ev.PerpSource.HOST, 3)
PAID = ev.FundingPaid(3, "settlement", D("0.12"), 3)
APPENDS = 3_000
CARRIES, FUNDINGS = 500, 55


def _append_ms(journal: SqlJournal) -> list[float]:
    """Return the milliseconds of each append of one event, sorted."""
    life: list[ev.Event] = [ANNOUNCED, FILLED, INTENDED, ANSWERED, ev.Hedged(9), *[PAID] * 10]
    spent = []
    for number in range(APPENDS):
        carry, version = divmod(number, len(life))
        began = time.perf_counter()
        journal.append(f"a{carry}", version, [life[version]])
        spent.append((time.perf_counter() - began) * 1e3)
    return sorted(spent)


def _measure(url: str) -> None:
    journal = open_journal(url)
    spent = _append_ms(journal)
    half, most = spent[len(spent) // 2], spent[int(len(spent) * 0.99)]
    print(f"append   p50 {half:.2f} ms, p99 {most:.2f} ms, slowest {spent[-1]:.2f} ms ({len(spent)} appends)")
    for number in range(CARRIES):
        journal.append(
            f"b{number}", 0, [ANNOUNCED, FILLED, INTENDED, ANSWERED, ev.Hedged(9), *[PAID] * FUNDINGS]
        )
    began = time.perf_counter()
    count = sum(1 for _ in journal.stream())
    print(f"replay   {count / (time.perf_counter() - began):,.0f} events/s ({count:,} events)")
    journal.close()
    began = time.perf_counter()
    open_journal(url, exclusive=False).close()
    print(f"open     {time.perf_counter() - began:.2f} s")
    began = time.perf_counter()
    found = verify(url)
    print(f"verify   {time.perf_counter() - began:.2f} s, {len(found)} findings")


def main() -> None:
    """Measure the journal at the URL that was given, which must be empty, or in a file."""
    if len(sys.argv) > 1:
        _measure(sys.argv[1])
        return
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        _measure(f"sqlite:///{folder}/bench.sqlite")


if __name__ == "__main__":
    main()

"""Looks of an observer, for tests: random books and funding, and series of looks with their settlements."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import strategies as st

from hedge_leg.core.judge import judge
from hedge_leg.core.market import Book
from hedge_leg.core.opportunity import (
    DAY_MS,
    HOUR_MS,
    FundingSeen,
    ObserverRules,
    Opportunity,
    Shadow,
    Sighting,
)
from hedge_leg.core.outcome import PairTerms
from hedge_leg.core.shadow import Settlement
from tests.hedge_leg.fakes import PAIR

D = Decimal
_CENT, _FIVE = Decimal("0.01"), Decimal(5)
AT_MS = 1_700_006_400_000  # a full 8 hours
RULES = ObserverRules(D("0.0002"), 3, D(0), 2 * HOUR_MS, D(30), D("0.001"))
TERMS = PairTerms(D(5), D(10), D(5), D(2), D(10), D(10), D("0.5"), D(1))


def book(mid: Decimal, half: Decimal = _CENT, size: Decimal = _FIVE, at_ms: int = AT_MS) -> Book:
    """Return a book of three levels a side, `size` base units each."""
    bids = tuple((mid - half * (rank + 1), size) for rank in range(3))
    asks = tuple((mid + half * (rank + 1), size) for rank in range(3))
    return Book(bids, asks, at_ms)


def funding(last: str = "0.0002", predicted: str | None = "0.0002", streak: int = 5) -> FundingSeen:
    """Return funding with 8 hours between settlements, the last one at `AT_MS`."""
    told = None if predicted is None else D(predicted)
    return FundingSeen(D(last), AT_MS, told, AT_MS + 8 * HOUR_MS, streak)


def sighting(at_ms: int = AT_MS + 1, *, perp: str = "100.1", spot: str = "100") -> Sighting:
    """Return a look at which the rule would open."""
    return Sighting(at_ms, PAIR, book(D(perp)), book(D(spot)), D(2), funding())


prices = st.integers(5_000, 20_000).map(lambda cents: D(cents) / 100)
rates = st.integers(-300, 300).map(lambda parts: D(parts) / 100_000)


@st.composite
def sightings(draw: st.DrawFn) -> Sighting:
    """Draw a look: any basis, depth, size, interval and funding."""
    spot = draw(prices)
    perp = (spot * (1 + D(draw(st.integers(-50, 50))) / 10_000)).quantize(D("0.01"))
    size = D(draw(st.integers(1, 40))) / 4
    hours = draw(st.sampled_from([1, 2, 4, 8]))
    told = draw(st.one_of(st.none(), rates))
    last_ms = AT_MS - draw(st.integers(0, hours - 1)) * HOUR_MS
    seen = FundingSeen(draw(rates), last_ms, told, last_ms + hours * HOUR_MS, draw(st.integers(0, 9)))
    blocked = draw(st.sampled_from(["", "", "", "halted"]))
    qty = D(draw(st.integers(1, 60))) / 10
    return Sighting(AT_MS + 1, PAIR, book(perp, size=size), book(spot, size=size), qty, seen, blocked)


def series(days: int, step_h: int = 1) -> tuple[list[Opportunity], list[Settlement]]:
    """Return looks every `step_h` hours over some days with settlements every 8 h; the basis moves."""
    shadow, looks = Shadow(0, PAIR), []
    settled = [
        Settlement(AT_MS + number * 8 * HOUR_MS, PAIR, D(number % 5 - 1) / 10_000, D(100 + number % 7))
        for number in range(days * 3 + 1)
    ]
    for hour in range(0, days * 24 + 1, step_h):
        at_ms = AT_MS + hour * HOUR_MS + 30_000
        last = max(one for one in range(len(settled)) if settled[one].at_ms <= at_ms)
        seen = FundingSeen(
            settled[last].rate, settled[last].at_ms, None, settled[last].at_ms + 8 * HOUR_MS, 3
        )
        spot = D(100) + D(hour % 13) / 10
        perp = spot + D((hour * 7) % 29 - 10) / 50
        look = replace(sighting(at_ms), perp=book(perp), spot=book(spot), funding=seen)
        looks.append(judge(look, TERMS, RULES, shadow))
    return looks, settled


__all__ = ["AT_MS", "DAY_MS", "RULES", "TERMS", "D", "book", "funding", "series", "sighting", "sightings"]

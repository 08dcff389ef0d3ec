"""Missing settlements of a held perp are seen; what was settled, flat or is not due yet is not."""

from decimal import Decimal

import pytest

from hedge_leg.core import events as ev
from hedge_leg.core.funding_gaps import HOUR_MS, missing_text, unbooked
from tests.hedge_leg.core.facts import carry, sold
from tests.hedge_leg.fakes import START_MS


def at(hours: float) -> int:
    return START_MS + int(hours * HOUR_MS)


def paid(*hours: float) -> list[ev.Event]:
    return [ev.FundingPaid(at(one), f"f{one}", Decimal("0.1"), at(one)) for one in hours]


@pytest.mark.parametrize(
    ("settled", "now", "missing"),
    [
        ((), 8.5, []),
        ((), 10, [(0, 10)]),
        ((8, 16, 24), 25, []),
        ((8, 24), 25, [(8, 24)]),
        ((8, 16), 40, [(16, 40)]),
        ((16, 8), 20, []),
        ((), 0, []),
    ],
    ids=["not due", "never", "all", "one left out", "no more", "booked late", "just opened"],
)
def test_a_stretch_without_a_settlement_is_seen(
    settled: tuple[float, ...], now: float, missing: list[tuple[float, float]]
) -> None:
    found = unbooked(carry(sold("1"), *paid(*settled)), at(now))
    assert found == [(at(since), at(until)) for since, until in missing]


def test_only_the_time_in_which_the_perp_was_held_counts() -> None:
    life = carry(
        sold("1"),
        *paid(8),
        sold("-1", "p2", at(9)),
        sold("1", "p3", at(50)),
        sold("-0.5", "p4", at(52)),
        sold("-0.5", "p5", at(61)),
    )
    assert unbooked(life, at(500)) == [(at(50), at(61))]


def test_it_is_told_in_hours() -> None:
    assert missing_text([]) == ""
    assert (
        missing_text([(at(0), at(10)), (at(20), at(36))]) == "26 h without a settlement: funding is missing"
    )

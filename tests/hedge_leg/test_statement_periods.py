"""Days, months and carries are groupings of one set of cells, which are the ledger's and nothing else's."""

from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from typing import Any, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from hedge_leg.core import events as ev
from hedge_leg.core.accounts import books, exposure
from hedge_leg.core.carry import Carry
from hedge_leg.core.opportunity import DAY_MS
from hedge_leg.core.position import replay
from hedge_leg.core.rebalancing import rebalancing_cost
from hedge_leg.statement import result_of
from hedge_leg.statement_periods import Cell, Period, Sums, Window, cells, rows
from tests.hedge_leg.core.facts import ANNOUNCED, HEDGED, bought, carry, sold
from tests.hedge_leg.core.lives import lives
from tests.hedge_leg.fakes import START_MS

LOT = Decimal("0.001")
_T = TypeVar("_T")


def stretched(fact: _T, factor: int) -> _T:
    """Return a fact whose times lie `factor` times as far from the start."""
    changes: dict[str, Any] = {}
    for one in fields(fact):  # type: ignore[arg-type]
        value = getattr(fact, one.name)
        if one.name.endswith("_ms") and isinstance(value, int):
            changes[one.name] = START_MS + (value - START_MS) * factor
        elif isinstance(value, tuple):
            changes[one.name] = tuple(
                stretched(part, factor) if is_dataclass(part) else part for part in value
            )
    return replace(fact, **changes)  # type: ignore[type-var]


@st.composite
def carries(draw: st.DrawFn) -> list[Carry]:
    """Draw carries that live for minutes up to three months."""
    return [
        replay(
            f"X{number}",
            [ANNOUNCED, *(stretched(fact, draw(st.sampled_from([1, 2_000, 40_000]))) for fact in facts)],
        )
        for number, facts in enumerate(draw(st.lists(lives(), min_size=1, max_size=3)))
    ]


def all_cells(found: Iterable[Carry], window: Window) -> list[Cell]:
    return [cell for one in found for cell in cells(one, LOT, window)]


def total(found: Iterable[Cell]) -> Sums:
    return sum((one.sums for one in found), Sums())


NOW_MS = START_MS + 200 * DAY_MS


@given(carries())
def test_days_months_and_carries_have_the_ledgers_total_exactly(found: list[Carry]) -> None:
    made = all_cells(found, Window(NOW_MS))
    for by in Period:
        assert sum((row.sums for row in rows(made, by)), Sums()) == total(made)
    for row in rows(made, Period.CARRY):
        assert row.carry is not None
        told = result_of(books(row.carry).ledger)
        for name in ("basis_pnl", "funding", "fees_perp", "fees_spot", "borrow", "fixed", "net"):
            assert getattr(row.sums, name) == getattr(told, name), name
        assert row.sums.unhedged_usd_s == exposure(row.carry, NOW_MS, LOT).total_usd_s
        assert row.sums.rebalancing == rebalancing_cost(row.carry)


@given(carries(), st.integers(START_MS - DAY_MS, START_MS + 100 * DAY_MS))
def test_two_ranges_that_meet_are_the_whole(found: list[Carry], at_ms: int) -> None:
    before, after = (
        total(all_cells(found, window)) for window in (Window(NOW_MS, None, at_ms), Window(NOW_MS, at_ms))
    )
    whole, both = total(all_cells(found, Window(NOW_MS))), before + after
    assert replace(both, unhedged_usd_s=Decimal(0)) == replace(whole, unhedged_usd_s=Decimal(0))
    assert abs(both.unhedged_usd_s - whole.unhedged_usd_s) <= len(found) * Decimal("2e-12")


def test_a_fact_at_midnight_belongs_to_the_day_it_begins_and_unhedged_time_is_cut_there() -> None:
    midnight_ms = (START_MS // DAY_MS + 1) * DAY_MS
    paid = ev.FundingPaid(midnight_ms, "f", Decimal("1.5"), midnight_ms)
    one = carry(sold("1", at_ms=midnight_ms - 3_000), paid)
    first, second = cells(one, LOT, Window(midnight_ms + 2_000))
    assert (first.at_ms, second.at_ms) == (midnight_ms - DAY_MS, midnight_ms)
    assert (first.sums.funding, second.sums.funding) == (Decimal(0), Decimal("1.5"))
    assert (first.sums.unhedged_usd_s, second.sums.unhedged_usd_s) == (Decimal(300), Decimal(200))
    assert (first.sums.opened, second.sums.opened) == (1, 0)
    assert [row.label for row in rows([second, first], Period.DAY)] == ["2023-11-14", "2023-11-15"]
    assert [row.label for row in rows([second, first], Period.MONTH)] == ["2023-11"]


def test_a_carry_that_never_began_counts_as_neither_opened_nor_closed() -> None:
    closed = ev.Closed(START_MS + 1, "no perp order", Decimal(0), Decimal(0), 0)
    assert cells(carry(closed), LOT, Window(NOW_MS)) == []
    whole = total(cells(carry(sold("1"), *bought("1"), HEDGED), LOT, Window(NOW_MS)))
    assert (whole.opened, whole.closed) == (1, 0)


def test_currencies_are_never_added_up() -> None:
    dollars = carry(sold("1"))
    euros = replay("Y", [replace(ANNOUNCED, quote="EUR"), sold("1", "p9")])
    made = all_cells([dollars, euros], Window(START_MS + 1))
    assert {(row.label, row.quote) for row in rows(made, Period.DAY)} == {
        ("2023-11-14", "USDT"),
        ("2023-11-14", "EUR"),
    }

"""What carries have earned and cost per carry, UTC day or month: one set of cells, three groupings of it.

A cell is what the ledger of one carry booked on one UTC day (00:00 belongs to the day it begins). Rows of
every kind are sums of the same cells, exact Decimals in quote, so days, months and carries always have one
total. Received is positive in `funding`, `basis_pnl` and `net`; costs are amounts paid. Realized only: an
open carry shows what it has paid and received so far. Pure.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Self

from hedge_leg.core.accounts import Span, books, unhedged_spans, usd_seconds
from hedge_leg.core.amounts import ZERO, money
from hedge_leg.core.carry import Carry
from hedge_leg.core.ledger import Account
from hedge_leg.core.opportunity import DAY_MS
from hedge_leg.core.rebalancing import rebalancing_fees, rebalancing_share


class Period(StrEnum):
    """What one row of a statement is about."""

    CARRY = "carry"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Sums:
    """Totals in quote; `rebalancing` is part of the fees; `opened`, `closed` count carries."""

    funding: Decimal = ZERO
    basis_pnl: Decimal = ZERO
    fees_perp: Decimal = ZERO
    fees_spot: Decimal = ZERO
    borrow: Decimal = ZERO
    fixed: Decimal = ZERO
    unhedged_usd_s: Decimal = ZERO
    rebalancing: Decimal = ZERO
    opened: int = 0
    closed: int = 0

    def __add__(self, other: Self) -> Self:
        """Return both together."""
        return type(self)(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def costs(self) -> Decimal:
        """Return everything that was paid."""
        return self.fees_perp + self.fees_spot + self.borrow + self.fixed

    @property
    def net(self) -> Decimal:
        """Return basis P&L + funding - costs."""
        return self.basis_pnl + self.funding - self.costs

    @property
    def rebalancing_share(self) -> Decimal | None:
        """Return rebalancing as a share of the net without it; None where that is not above zero."""
        return rebalancing_share(self.rebalancing, self.net)


@dataclass(frozen=True, slots=True)
class Cell:
    """One carry on one UTC day; `at_ms` is the day's beginning."""

    carry: Carry
    at_ms: int
    sums: Sums


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the statement: carry id, day (2026-11-01) or month (2026-11); `pair` of a carry only."""

    label: str
    quote: str
    sums: Sums
    carry: Carry | None = None


_BOOKED = {
    Account.FUNDING: "funding",
    Account.PRICE_PNL: "basis_pnl",
    Account.FEES_PERP: "fees_perp",
    Account.FEES_SPOT: "fees_spot",
    Account.BORROW: "borrow",
    Account.FIXED: "fixed",
}
_INCOME = (Account.FUNDING, Account.PRICE_PNL)  # run negative when money is received


@dataclass(frozen=True, slots=True)
class Window:
    """The facts that count: those in [since, until), ms; None is no limit. `now_ms` ends what still lasts."""

    now_ms: int
    since_ms: int | None = None
    until_ms: int | None = None

    def holds(self, at_ms: int) -> bool:
        """Return whether an instant counts."""
        return (self.since_ms is None or at_ms >= self.since_ms) and (
            self.until_ms is None or at_ms < self.until_ms
        )

    def cut(self, span: Span) -> Span:
        """Return the part of a stretch that counts, perhaps without any length."""
        since_ms, until_ms, notional = span
        since_ms = since_ms if self.since_ms is None else max(since_ms, self.since_ms)
        until_ms = until_ms if self.until_ms is None else min(until_ms, self.until_ms)
        return since_ms, max(since_ms, until_ms), notional


def cells(carry: Carry, within_qty: Decimal, window: Window) -> list[Cell]:
    """Return a carry's cells by day. `within_qty` base units: an imbalance up to it counts as hedged."""
    totals: dict[int, dict[str, Decimal | int]] = {}

    def add(at_ms: int, name: str, amount: Decimal | int) -> None:
        if window.holds(at_ms):
            of_day = totals.setdefault(at_ms // DAY_MS, {})
            of_day[name] = of_day.get(name, 0) + amount

    ledger = books(carry).ledger
    for entry in ledger.entries:
        for posting in entry.postings:
            name = _BOOKED.get(posting.account)
            if name is not None and posting.asset == ledger.quote:
                sign = -1 if posting.account in _INCOME else 1
                add(entry.at_ms, name, sign * posting.amount)
    for at_ms, fee in rebalancing_fees(carry):
        add(at_ms, "rebalancing", fee)
    first_ms = first_fill_ms(carry)
    if first_ms is not None:
        add(first_ms, "opened", 1)
        if carry.closed is not None:
            add(carry.closed.at_ms, "closed", 1)
    for day, seconds in _unhedged(carry, within_qty, window).items():
        add(max(day * DAY_MS, window.since_ms or 0), "unhedged_usd_s", seconds)
    return [Cell(carry, day * DAY_MS, _sums(totals[day])) for day in sorted(totals)]


def _sums(values: Mapping[str, Decimal | int]) -> Sums:
    kept = {name: Decimal(value) for name, value in values.items() if name not in ("opened", "closed")}
    return Sums(**kept, opened=int(values.get("opened", 0)), closed=int(values.get("closed", 0)))


def first_fill_ms(carry: Carry) -> int | None:
    """Return when the first leg filled; None for a carry that was announced and never began."""
    perp = (at_ms for one in carry.perp.values() for at_ms, _qty, _px in one.steps())
    return min([*perp, *(one.filled_ms for one in carry.fills.values())], default=None)


def _unhedged(carry: Carry, within_qty: Decimal, window: Window) -> dict[int, Decimal]:
    """Return quote x seconds by day number; together exactly what `core.accounts.exposure` says of them."""
    by_day: dict[int, list[Span]] = {}
    for span in unhedged_spans(carry, window.now_ms, within_qty):
        since_ms, until_ms, notional = window.cut(span)
        while since_ms < until_ms and notional:
            ends_ms = min(until_ms, (since_ms // DAY_MS + 1) * DAY_MS)
            by_day.setdefault(since_ms // DAY_MS, []).append((since_ms, ends_ms, notional))
            since_ms = ends_ms
    found: dict[int, Decimal] = {}
    so_far = ZERO
    for day in sorted(by_day):  # the total is rounded once, so each day gets what the total has grown by
        before, so_far = so_far, so_far + usd_seconds(by_day[day])
        found[day] = money(so_far) - money(before)
    return found


def rows(found: Iterable[Cell], by: Period) -> list[Row]:
    """Return the statement's lines by time, one for each carry, day or month and quote currency."""
    label = _LABELS[by]
    grouped: dict[tuple[str, str], Sums] = {}
    carries: dict[str, Carry] = {}
    for cell in sorted(found, key=lambda one: one.carry.began_ms if by is Period.CARRY else one.at_ms):
        key = (label(cell), cell.carry.facts.quote)
        grouped[key] = grouped.get(key, Sums()) + cell.sums
        carries[cell.carry.carry_id] = cell.carry
    return [
        Row(name, quote, sums, carries[name] if by is Period.CARRY else None)
        for (name, quote), sums in grouped.items()
    ]


def totals(found: Sequence[Cell]) -> dict[str, Sums]:
    """Return the sums of all cells by quote currency."""
    made: dict[str, Sums] = {}
    for cell in found:
        made[cell.carry.facts.quote] = made.get(cell.carry.facts.quote, Sums()) + cell.sums
    return made


def day_text(at_ms: int) -> str:
    """Return the UTC day of an instant."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d}"


_LABELS: dict[Period, Callable[[Cell], str]] = {
    Period.CARRY: lambda cell: cell.carry.carry_id,
    Period.DAY: lambda cell: day_text(cell.at_ms),
    Period.MONTH: lambda cell: day_text(cell.at_ms)[:7],
}

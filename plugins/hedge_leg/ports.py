"""What the engine asks of the outside. The docstrings are the contract; every adapter passes its tests.

Reads raise `VenueUnavailable` when they fail: a failed read is unknown, never zero or empty. Only
`SpotVenue.place` and `PerpVenue.close` change anything; each raises `VenueRefused` only with proof that no
order exists, and `OutcomeUnknown` for everything else that is not an answer.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, TypeVar

from hedge_leg.core.events import Event, PerpPart
from hedge_leg.core.guard.breakers import GuardRow
from hedge_leg.core.market import Book, MarketRules
from hedge_leg.core.opportunity import Opportunity, Shadow
from hedge_leg.core.orders import OrderIntent, OrderReport
from hedge_leg.core.shadow import Settlement

__all__ = [
    "Book",
    "Clock",
    "EntryAsked",
    "FundingMarket",
    "FundingNow",
    "FundingPayment",
    "GuardLog",
    "Journal",
    "MarketRules",
    "ObservationLog",
    "Observed",
    "PerpOrder",
    "PerpVenue",
    "Recorded",
    "SpotTrade",
    "SpotVenue",
]


@dataclass(frozen=True, slots=True)
class SpotTrade:
    """One of the account's own trades, with the venue's id of its order."""

    trade_id: str
    order_id: str
    qty: Decimal
    px: Decimal
    filled_ms: int


@dataclass(frozen=True, slots=True)
class PerpOrder:
    """A perp order on the venue, with exact books: signed filled `qty` (sells negative), base units.

    `value` = sum of price x |qty| and `fee` in quote. `liquidation`: forced by the venue (or ADL).
    `parts`: its executions by time; empty where the venue does not tell them.
    """

    order_id: str
    client_id: str
    qty: Decimal
    value: Decimal
    fee: Decimal
    created_ms: int
    filled_ms: int
    open: bool
    reduce_only: bool
    liquidation: bool
    parts: tuple[PerpPart, ...] = ()


@dataclass(frozen=True, slots=True)
class FundingPayment:
    """A settlement that was paid; received positive, quote units."""

    key: str
    amount: Decimal
    paid_ms: int


class SpotVenue(Protocol):
    """The account's spot side of one exchange."""

    def rules(self, symbol: str) -> MarketRules:
        """Return the market's filters; ConfigError when there is no such spot market."""
        ...

    def book(self, symbol: str) -> Book:
        """Return the present book, at least the levels that a carry's size needs."""
        ...

    def balances(self) -> Mapping[str, tuple[Decimal, Decimal]]:
        """Return (free, total) per asset; an asset that is absent from a successful answer is zero."""
        ...

    def place(self, intent: OrderIntent) -> OrderReport:
        """Send an IOC limit order once, never again. Raises VenueRefused or OutcomeUnknown."""
        ...

    def find(self, intent: OrderIntent) -> OrderReport | None:
        """Look an order up by its client id; None when the venue says that it does not know it."""
        ...

    def cancel(self, intent: OrderIntent) -> None:
        """Ask to cancel. Says nothing about the outcome: `find` tells; raises VenueUnavailable only."""
        ...

    def open_client_ids(self, symbol: str) -> frozenset[str]:
        """Return the client ids of the market's open orders."""
        ...

    def orders_of(self, symbol: str, client_ids: Set[str], since_ms: int) -> Sequence[OrderReport]:
        """Return every order since then that bears one of the client ids: a repeated request made two."""
        ...

    def trades_since(self, symbol: str, since_ms: int) -> Sequence[SpotTrade]:
        """Return the account's trades of the market from `since_ms` (venue time) on, oldest first."""
        ...


class PerpVenue(Protocol):
    """What the engine may know and do of the perp side, besides freqtrade."""

    def short_qty(self, pair: str) -> Decimal:
        """Return the position in base units, short positive, long negative, 0 flat."""
        ...

    def orders_since(self, pair: str, since_ms: int) -> Sequence[PerpOrder]:
        """Return the account's perp orders of the pair created from `since_ms` on, with exact books."""
        ...

    def funding_since(self, pair: str, since_ms: int) -> Sequence[FundingPayment]:
        """Return the settlements paid from `since_ms` on, oldest first."""
        ...

    def close(self, pair: str, qty: Decimal, client_id: str) -> PerpOrder:
        """Buy `qty` base units reduce-only at market. Raises VenueRefused or OutcomeUnknown."""
        ...

    def find(self, pair: str, client_id: str) -> PerpOrder | None:
        """Look one of our perp orders up by client id; None when the venue does not know it."""
        ...


@dataclass(frozen=True, slots=True)
class Recorded:
    """One event as the journal holds it; versions of a carry are 1..n without a gap."""

    carry_id: str
    version: int
    event: Event


class Journal(Protocol):
    """Append-only facts, keyed (carry, version)."""

    def append(self, carry_id: str, after_version: int, events: Sequence[Event]) -> None:
        """Make the events durable as versions after_version + 1 .., all or none, before returning.

        VersionConflict when the carry is not at `after_version`; JournalError when nothing was written.
        """
        ...

    def read(self, carry_id: str) -> Sequence[Recorded]:
        """Return a carry's events by version; empty for an unknown carry."""
        ...

    def stream(self) -> Iterable[Recorded]:
        """Yield everything, carries in the order they began, each by version."""
        ...

    def close(self) -> None:
        """Release the lease and the connection."""
        ...


class GuardLog(Protocol):
    """Append-only rows of the risk guard, numbered as they were written."""

    def append(self, *rows: GuardRow) -> None:
        """Make rows durable, all or none. JournalError: nothing was written."""
        ...

    def since(self, seq: int) -> Sequence[tuple[int, GuardRow]]:
        """Return (number, row) of the rows after a number, oldest first. Raises JournalError."""
        ...


@dataclass(frozen=True, slots=True)
class EntryAsked:
    """What the entry gate answered an observer. `would`: it would have been opened; `qty` base units."""

    at_ms: int
    pair: str
    would: bool
    reason: str
    qty: Decimal
    px: Decimal


Observed = Opportunity | Shadow | Settlement | EntryAsked
_Kind = TypeVar("_Kind", Opportunity, Shadow, Settlement, EntryAsked)


class ObservationLog(Protocol):
    """Append-only records of an observer."""

    def append(self, records: Sequence[Observed]) -> None:
        """Make them durable, all or none, before returning. JournalError otherwise."""
        ...

    def newest(self, kind: type[_Kind], pair: str, count: int = 1) -> list[_Kind]:
        """Return the newest records of a kind and pair by their time, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class FundingNow:
    """The rate that the venue predicts for the next settlement, and when that is; None: it does not tell."""

    predicted_rate: Decimal | None
    next_ms: int | None


class FundingMarket(Protocol):
    """A perp's public side: its book and its funding. Reads raise VenueUnavailable."""

    def book(self, pair: str) -> Book:
        """Return the present book in base units."""
        ...

    def funding_now(self, pair: str) -> FundingNow:
        """Return what is predicted."""
        ...

    def settlements_since(self, pair: str, since_ms: int) -> Sequence[Settlement]:
        """Return what the venue's history lists from then on, oldest first, stamps rounded to the minute."""
        ...


class Clock(Protocol):
    """Time, injected: nothing in the engine asks the machine."""

    def now_ms(self) -> int:
        """Return Unix milliseconds, UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

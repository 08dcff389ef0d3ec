"""Venues that are listened to: each call is passed on, and counted as answered or failed.

A refusal is an answer. What is listened for: failures in a row, when the account was last read, what the
account held then, and how far own spot orders slipped from the best price of the book that decided them.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from hedge_leg.core.amounts import ZERO
from hedge_leg.core.guard.limits import VenueSight
from hedge_leg.core.market import Book, MarketRules
from hedge_leg.core.orders import OrderIntent, OrderReport, Side
from hedge_leg.errors import OutcomeUnknown, VenueUnavailable
from hedge_leg.live_market import SpotPrices
from hedge_leg.ports import Clock, FundingPayment, PerpOrder, PerpVenue, SpotTrade, SpotVenue

_T = TypeVar("_T")


@dataclass(slots=True)
class Health:
    """How a venue answers. `read_ms`: when the account was last read, at first when listening began."""

    scope: str
    clock: Clock
    failures: int = 0
    last_error: str = ""
    account_known: bool = True  # whether the last read of the account succeeded
    read_ms: int = field(init=False)

    def __post_init__(self) -> None:
        """Begin now."""
        self.read_ms = self.clock.now_ms()

    def heard(self, call: Callable[[], _T]) -> _T:
        """Pass a call on and count how it ends."""
        try:
            answer = call()
        except (VenueUnavailable, OutcomeUnknown) as error:
            self.failures, self.last_error = self.failures + 1, str(error)
            raise
        self.failures = 0
        return answer

    def account(self, call: Callable[[], _T]) -> _T:
        """Pass a read of the account on; its success is remembered."""
        self.account_known = False
        answer = self.heard(call)
        self.account_known = True
        self.read_ms = self.clock.now_ms()
        return answer

    @property
    def answers(self) -> bool:
        """Return whether the last call and the last read of the account were answered."""
        return self.account_known and not self.failures

    def sight(self, *, account_due: bool) -> VenueSight:
        """Return what is seen of the venue; `account_due`: its account is read regularly now."""
        age_ms = self.clock.now_ms() - self.read_ms if account_due else None
        if not account_due:
            self.read_ms = self.clock.now_ms()
        return VenueSight(self.scope, self.failures, age_ms, self.last_error)


class HeardSpot:
    """A `SpotVenue` that is listened to."""

    def __init__(self, venue: SpotVenue, prices: SpotPrices, health: Health) -> None:
        """Listen to a venue, which is also where prices come from."""
        self._venue, self._prices, self.health = venue, prices, health
        self.held: Mapping[str, tuple[Decimal, Decimal]] | None = None  # of the newest read
        self._best: dict[tuple[str, Side], Decimal] = {}
        self._sent: dict[str, Decimal] = {}
        self._slipped: list[tuple[str, Decimal]] = []

    def rules(self, symbol: str) -> MarketRules:
        """Return the market's filters."""
        return self._venue.rules(symbol)

    def book(self, symbol: str) -> Book:
        """Return the present book."""
        book = self.health.heard(lambda: self._venue.book(symbol))
        for side, levels in ((Side.BUY, book.asks), (Side.SELL, book.bids)):
            if levels:
                self._best[symbol, side] = levels[0][0]
        return book

    def candles(self, symbol: str, timeframe: str, since_ms: int) -> Sequence[Sequence[float]]:
        """Return candles."""
        return self.health.heard(lambda: self._prices.candles(symbol, timeframe, since_ms))

    def balances(self) -> Mapping[str, tuple[Decimal, Decimal]]:
        """Return (free, total) per asset."""
        self.held = self.health.account(self._venue.balances)
        return self.held

    def place(self, intent: OrderIntent) -> OrderReport:
        """Send an order once."""
        best = self._best.get((intent.symbol, intent.side))
        if best is not None:
            self._sent[intent.client_id] = best
        return self._measured(intent, self.health.heard(lambda: self._venue.place(intent)))

    def find(self, intent: OrderIntent) -> OrderReport | None:
        """Look an order up."""
        found = self.health.heard(lambda: self._venue.find(intent))
        return None if found is None else self._measured(intent, found)

    def cancel(self, intent: OrderIntent) -> None:
        """Ask to cancel."""
        self.health.heard(lambda: self._venue.cancel(intent))

    def open_client_ids(self, symbol: str) -> frozenset[str]:
        """Return the client ids of open orders."""
        return self.health.heard(lambda: self._venue.open_client_ids(symbol))

    def orders_of(self, symbol: str, client_ids: Set[str], since_ms: int) -> Sequence[OrderReport]:
        """Return every order that bears one of the client ids."""
        return self.health.heard(lambda: self._venue.orders_of(symbol, client_ids, since_ms))

    def trades_since(self, symbol: str, since_ms: int) -> Sequence[SpotTrade]:
        """Return the account's trades."""
        return self.health.heard(lambda: self._venue.trades_since(symbol, since_ms))

    def slipped(self) -> list[tuple[str, Decimal]]:
        """Return (symbol, slippage, worse is positive) of orders that ended since the last call."""
        found, self._slipped = self._slipped, []
        return found

    def _measured(self, intent: OrderIntent, report: OrderReport) -> OrderReport:
        qty = sum((fill.qty for fill in report.fills), ZERO)
        if report.final:
            best = self._sent.pop(intent.client_id, None)
            if best and qty:
                average = sum((fill.qty * fill.px for fill in report.fills), ZERO) / qty
                worse = average / best - 1 if intent.side is Side.BUY else 1 - average / best
                self._slipped.append((intent.symbol, worse))
        return report


class HeardPerp:
    """A `PerpVenue` that is listened to."""

    def __init__(self, venue: PerpVenue, health: Health) -> None:
        """Listen to a venue."""
        self.venue, self.health = venue, health

    def short_qty(self, pair: str) -> Decimal:
        """Return the position, short positive."""
        return self.health.account(lambda: self.venue.short_qty(pair))

    def orders_since(self, pair: str, since_ms: int) -> Sequence[PerpOrder]:
        """Return the account's orders."""
        return self.health.heard(lambda: self.venue.orders_since(pair, since_ms))

    def funding_since(self, pair: str, since_ms: int) -> Sequence[FundingPayment]:
        """Return the settlements paid."""
        return self.health.heard(lambda: self.venue.funding_since(pair, since_ms))

    def close(self, pair: str, qty: Decimal, client_id: str) -> PerpOrder:
        """Buy reduce-only at market."""
        return self.health.heard(lambda: self.venue.close(pair, qty, client_id))

    def find(self, pair: str, client_id: str) -> PerpOrder | None:
        """Look one of our orders up."""
        return self.health.heard(lambda: self.venue.find(pair, client_id))

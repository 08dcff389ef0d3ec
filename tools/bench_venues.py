"""Venues in memory for the bench: they fill everything at once, so that what is measured is ours."""

from collections.abc import Set
from decimal import Decimal

from hedge_leg.bootstrap import SystemClock
from hedge_leg.core.amounts import ZERO
from hedge_leg.core.market import Book, MarketRules
from hedge_leg.core.orders import OrderIntent, OrderReport, Side, SpotFill
from hedge_leg.ports import FundingPayment, PerpOrder, SpotTrade

PX = Decimal("50000")
TICK = Decimal("0.01")
CLOCK = SystemClock()


class MemoryVenue:
    """A spot venue that fills everything at once from memory."""

    def __init__(self) -> None:
        """Start with much of everything."""
        self.held: dict[str, Decimal] = {"USDT": Decimal(10**9)}
        self._trades = 0

    def rules(self, symbol: str) -> MarketRules:
        """Return the one market's filters, for any symbol."""
        base = symbol.partition("/")[0]
        lot = Decimal("0.00001")
        most, least, fee_rate = Decimal(9000), Decimal(5), Decimal("0.001")
        return MarketRules(symbol, base, "USDT", lot, TICK, lot, most, least, fee_rate, True)

    def book(self, symbol: str) -> Book:
        """Return a deep book."""
        return Book(((PX, Decimal(100)),), ((PX + 1, Decimal(100)),), CLOCK.now_ms())

    def balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Return what is held."""
        return {asset: (qty, qty) for asset, qty in self.held.items()}

    def place(self, intent: OrderIntent) -> OrderReport:
        """Fill at once."""
        self._trades += 1
        base, fee = intent.symbol.partition("/")[0], intent.qty / 1000 if intent.side is Side.BUY else ZERO
        fill = SpotFill(
            str(self._trades), intent.side, intent.qty, intent.limit_px, fee, base, fee * PX, CLOCK.now_ms()
        )
        self.held[base] = self.held.get(base, ZERO) + fill.base_change(base)
        return OrderReport(intent.client_id, str(self._trades), intent.qty, True, (fill,))

    def find(self, intent: OrderIntent) -> OrderReport | None:
        """Know nothing."""
        return None

    def cancel(self, intent: OrderIntent) -> None:
        """Do nothing."""

    def open_client_ids(self, symbol: str) -> frozenset[str]:
        """Return none."""
        return frozenset()

    def orders_of(self, symbol: str, client_ids: Set[str], since_ms: int) -> list[OrderReport]:
        """Return none."""
        return []

    def trades_since(self, symbol: str, since_ms: int) -> list[SpotTrade]:
        """Return none."""
        return []


class MemoryPerp:
    """A perp venue that agrees with the host."""

    def __init__(self) -> None:
        """Start flat."""
        self.short: dict[str, Decimal] = {}

    def short_qty(self, pair: str) -> Decimal:
        """Return the position."""
        return self.short.get(pair, ZERO)

    def orders_since(self, pair: str, since_ms: int) -> list[PerpOrder]:
        """Return none."""
        return []

    def funding_since(self, pair: str, since_ms: int) -> list[FundingPayment]:
        """Return none."""
        return []

    def close(self, pair: str, qty: Decimal, client_id: str) -> PerpOrder:
        """Never asked here."""
        raise AssertionError

    def find(self, pair: str, client_id: str) -> PerpOrder | None:
        """Know nothing."""
        return None

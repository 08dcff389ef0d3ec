"""The perp side of a dry-run: freqtrade simulates its orders, so its own trades are the exchange.

Positions and orders are read from the host; settlements are reckoned from published rates and marks, with
the quantity held before each stamp, as in `docs/accounting.md`. Nothing is ever lost or unknown here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hedge_leg.core.amounts import ZERO, money
from hedge_leg.errors import VenueRefused
from hedge_leg.ports import FundingPayment, PerpOrder

# (settlement stamp ms, rate as a fraction, mark price in quote), of a pair since a time; VenueUnavailable
Settlements = Callable[[str, int], Sequence[tuple[int, Decimal, Decimal]]]
# all filled orders that the host keeps of a pair
Orders = Callable[[str], Sequence[PerpOrder]]


@dataclass(frozen=True, slots=True)
class DryPerpVenue:
    """A `PerpVenue` over the host's simulated trades."""

    orders: Orders
    settlements: Settlements

    def short_qty(self, pair: str) -> Decimal:
        """Return what the host's orders sum to."""
        return -sum((order.qty for order in self.orders(pair)), ZERO)

    def orders_since(self, pair: str, since_ms: int) -> Sequence[PerpOrder]:
        """Return the host's orders created from then on."""
        return [order for order in self.orders(pair) if order.created_ms >= since_ms]

    def funding_since(self, pair: str, since_ms: int) -> Sequence[FundingPayment]:
        """Return what the settlements from then on paid for the quantity held before each."""
        orders = self.orders(pair)
        paid: list[FundingPayment] = []
        for stamp_ms, rate, mark_px in self.settlements(pair, since_ms):
            short = -sum((order.qty for order in orders if order.filled_ms < stamp_ms), ZERO)
            if short and stamp_ms >= since_ms:
                paid.append(FundingPayment(f"dry-{stamp_ms}", money(rate * mark_px * short), stamp_ms))
        return paid

    def close(self, pair: str, qty: Decimal, client_id: str) -> PerpOrder:  # noqa: ARG002
        """Refuse: only the host closes what the host simulates."""
        raise VenueRefused(f"{pair}: freqtrade simulates this position, so only freqtrade can close it")

    def find(self, pair: str, client_id: str) -> PerpOrder | None:  # noqa: ARG002
        """Return None: no order of ours exists."""
        return None

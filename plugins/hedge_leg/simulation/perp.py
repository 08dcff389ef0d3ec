"""The futures exchange as it truly is: positions, orders, wallet, funding. Nothing here lies or fails.

One position per pair (one-way mode); quantities in base units, short positive in `short_qty`, and signed
by trade in orders (sells negative), as `ports.PerpOrder` has them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from hedge_leg.core.amounts import ZERO
from hedge_leg.core.events import PerpPart
from hedge_leg.errors import VenueRefused
from hedge_leg.ports import FundingPayment, PerpOrder
from hedge_leg.simulation.clock import SimClock
from hedge_leg.simulation.market import SimMarket

_MINUTE_MS = 60_000


@dataclass(slots=True)
class PerpDeal:
    """An order on the exchange: signed requested `qty`, signed `filled`; `value`, `fee` in quote."""

    order_id: str
    client_id: str
    pair: str
    qty: Decimal
    created_ms: int
    reduce_only: bool
    forced: bool = False
    open: bool = True
    filled: Decimal = ZERO
    value: Decimal = ZERO
    fee: Decimal = ZERO
    filled_ms: int = 0
    parts: list[PerpPart] = field(default_factory=list)
    hands: bool = False  # placed by a human

    def seen(self) -> PerpOrder:
        """Return what the exchange says of it now."""
        return PerpOrder(
            *(self.order_id, self.client_id, self.filled, self.value, self.fee),
            *(self.created_ms, self.filled_ms, self.open, self.reduce_only, self.forced),
            parts=tuple(self.parts),
        )


@dataclass(slots=True)
class Position:
    """A position: signed base units (short negative) and the sum of its entry values, quote."""

    qty: Decimal = ZERO
    entry_value: Decimal = ZERO


def _ignore(_pair: str, _change: Decimal, _at_ms: int) -> None:
    """See nothing."""


@dataclass(slots=True)
class PerpExchange:
    """The truth. `moved` hears of each change of the short quantity. `skew_ms`: its clock is ahead."""

    clock: SimClock
    markets: dict[str, SimMarket]
    wallet: Decimal
    fee_rate: Decimal = Decimal("0.0005")
    skew_ms: int = 0
    funding_every_ms: int = 8 * 3_600_000
    deals: dict[str, list[PerpDeal]] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    payments: dict[str, list[FundingPayment]] = field(default_factory=dict)
    moved: Callable[[str, Decimal, int], None] = _ignore
    _number: int = 0

    def short_qty(self, pair: str) -> Decimal:
        """Return the position, short positive."""
        found = self.positions.get(pair)
        return -found.qty if found is not None else ZERO

    def accept(
        self, pair: str, qty: Decimal, client_id: str = "", *, reduce_only: bool = False, forced: bool = False
    ) -> PerpDeal:
        """Take an order of signed `qty`, unfilled; VenueRefused when reduce-only has nothing to reduce."""
        short = self.short_qty(pair)
        if reduce_only:
            if qty * short <= ZERO:
                raise VenueRefused("ReduceOnly Order is rejected.", "-2022")
            qty = min(abs(qty), abs(short)) * (1 if qty > ZERO else -1)
        self._number += 1
        deal = PerpDeal(f"P{self._number}", client_id, pair, qty, self.stamp(), reduce_only, forced)
        self.deals.setdefault(pair, []).append(deal)
        return deal

    def fill(self, deal: PerpDeal, most: Decimal | None = None) -> None:
        """Execute up to `most` base units of what is left; a reduce-only order never turns a position."""
        left = abs(deal.qty - deal.filled)
        qty = left if most is None else min(most, left)
        if deal.reduce_only:
            qty = min(qty, abs(self.short_qty(deal.pair)))
        if not deal.open or not qty:
            return
        px = self.markets[deal.pair].perp_px()
        signed = qty if deal.qty > ZERO else -qty
        deal.filled += signed
        deal.value += qty * px
        fee = qty * px * self.fee_rate
        deal.fee += fee
        deal.filled_ms = self.stamp()
        deal.parts.append(PerpPart(deal.filled_ms, signed, px))
        self.wallet -= fee
        self._move(deal.pair, signed, px)
        if deal.filled == deal.qty:
            deal.open = False

    def end(self, deal: PerpDeal) -> None:
        """Expire or cancel what is left."""
        deal.open = False

    def stamp(self) -> int:
        """Return the exchange's own time, Unix ms."""
        return self.clock.now_ms() + self.skew_ms

    def _move(self, pair: str, change: Decimal, px: Decimal) -> None:
        held = self.positions.setdefault(pair, Position())
        if held.qty * change < ZERO:
            closed = min(abs(change), abs(held.qty))
            entry = held.entry_value * closed / abs(held.qty)
            gain = (closed * px - entry) if held.qty > ZERO else (entry - closed * px)
            self.wallet += gain
            held.entry_value -= entry
            opened = abs(change) - closed
        else:
            opened = abs(change)
        held.entry_value += opened * px
        held.qty += change
        self.moved(pair, -change, self.clock.now_ms())

    def settle(self, pair: str, rate: Decimal, jitter_ms: int) -> None:
        """Pay one funding settlement on the present position; shorts receive a positive rate."""
        short = self.short_qty(pair)
        if short:
            amount = short * self.markets[pair].perp_px() * rate
            self.wallet += amount
            at_ms = self.stamp() + jitter_ms
            key = f"{pair}@{(self.stamp() + _MINUTE_MS // 2) // _MINUTE_MS}"
            self.payments.setdefault(pair, []).append(FundingPayment(key, amount, at_ms))

    def force(self, pair: str, share: Decimal) -> None:
        """Liquidate or deleverage a share of the position."""
        short = self.short_qty(pair)
        lot = self.markets[pair].perp_lot
        qty = (abs(short) * share / lot).to_integral_value() * lot
        if qty:
            deal = self.accept(pair, qty if short > ZERO else -qty, "autoclose-x", forced=True)
            self.fill(deal)

    def hand(self, pair: str, qty: Decimal) -> None:
        """Let a human hand trade signed `qty` on the exchange's own screen."""
        deal = self.accept(pair, qty, "web-x")
        deal.hands = True
        self.fill(deal)

    def find(self, pair: str, order_id: str) -> PerpDeal | None:
        """Return an order by the exchange's own id."""
        return next((one for one in self.deals.get(pair, ()) if one.order_id == order_id), None)

"""Spot orders: the intent that is committed before anything is sent, its phases, its fills.

An order in flight has no venue id, so none of its phases carries a null one: data exists per phase.
`client_order_id` is a pure function of the carry and the number of the order, so that a restart looks up
exactly what was sent. It is a handle for looking up, never an idempotency key: Binance forgets a client
id as soon as the order is no longer open, and a second order with it fills a second time.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from hedge_leg.core.amounts import ZERO

CLIENT_ID_PREFIX = "hl-"
MOST_CLIENT_ID = 36  # characters; the smallest limit of the venues we ship configurations for


class Side(StrEnum):
    """Which way an order trades."""

    BUY = "buy"
    SELL = "sell"


class Purpose(StrEnum):
    """Why a spot order is sent."""

    OPEN = "open"
    REBALANCE = "rebalance"
    CLOSE = "close"
    UNWIND = "unwind"


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """What is committed before it is sent: `qty` base units, `limit_px` quote per base, always IOC limit.

    `attempt` counts from 0 within one gap: a later one may pay a wider price.
    """

    client_id: str
    symbol: str
    side: Side
    qty: Decimal
    limit_px: Decimal
    attempt: int
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class SpotFill:
    """One execution. `fee` in units of `fee_asset`; `fee_value` is its worth in quote when it was paid.

    Bought base arrives less a fee in base; sold quote less a fee in quote.
    """

    trade_id: str
    side: Side
    qty: Decimal
    px: Decimal
    fee: Decimal
    fee_asset: str
    fee_value: Decimal
    filled_ms: int

    def base_change(self, base: str) -> Decimal:
        """Return what the fill changes of the base inventory, fee in base included."""
        signed = self.qty if self.side is Side.BUY else -self.qty
        return signed - self.fee if self.fee_asset == base else signed


@dataclass(frozen=True, slots=True)
class OrderReport:
    """What the venue says of one order. `fills` are complete: their quantities sum to `filled_qty`.

    `final`: nothing more can be executed (filled, expired, cancelled, rejected after acceptance).
    """

    client_id: str
    venue_id: str
    filled_qty: Decimal
    final: bool
    fills: tuple[SpotFill, ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """The intent is committed; it may or may not have reached the venue. `since_ms`: when."""

    intent: OrderIntent
    since_ms: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows whether the order exists. `absent_ms`: when the venue first denied knowing it."""

    intent: OrderIntent
    since_ms: int
    why: str
    absent_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Working:
    """The venue took the order and has not said that it is final."""

    intent: OrderIntent
    since_ms: int
    venue_id: str


InFlight = Sent | Unknown | Working


def client_order_id(carry_id: str, number: int) -> str:
    """Return the client order id of a carry's `number`-th spot order (1, 2, ..).

    At most 36 characters of letters, digits and "-"; ValueError for a carry id that leaves no room.
    """
    text = f"{CLIENT_ID_PREFIX}{carry_id}-{number}"
    if len(text) > MOST_CLIENT_ID:
        raise ValueError(f"client order id {text} has more than {MOST_CLIENT_ID} characters")
    return text


def total_qty(fills: tuple[SpotFill, ...]) -> Decimal:
    """Return the executed base units."""
    return sum((fill.qty for fill in fills), ZERO)

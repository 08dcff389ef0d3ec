"""Orders and their fills: what was asked for, what was executed, and how far along it is."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from paper_exchange.instruments import Instrument

_ZERO = Decimal(0)


class Side(StrEnum):
    """Which way an order trades."""

    BUY = "BUY"
    SELL = "SELL"


class OrderType(StrEnum):
    """How an order's price is bounded."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    LIMIT_MAKER = "LIMIT_MAKER"


class TimeInForce(StrEnum):
    """What becomes of the part that cannot be executed at once."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"  # futures' post-only


class Status(StrEnum):
    """Where an order is in its life; the last three are final."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Ticket:
    """A wish to trade, checked for form but not yet against the market.

    `qty` in base units, or None for a market order bounded by `spend_notional` (quote units); `limit_px` in
    quote units, None for market orders. An empty `client_id` lets the exchange choose one.
    """

    item: Instrument
    side: Side
    order_type: OrderType
    tif: TimeInForce
    qty: Decimal | None
    spend_notional: Decimal | None
    limit_px: Decimal | None
    client_id: str
    reduce_only: bool = False


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. Price in quote, quantity in base units; the fee in units of `fee_asset`.

    `realized_pnl`: what it realized of a futures position, quote units before the fee.
    """

    trade_id: int
    order_id: int
    item: Instrument
    side: Side
    px: Decimal
    qty: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    at_ms: int
    realized_pnl: Decimal = _ZERO

    @property
    def notional(self) -> Decimal:
        """Return price times quantity in quote units, exact."""
        return self.px * self.qty


@dataclass(slots=True)
class Order:
    """A ticket the exchange took. `qty` is what was wanted (base), worked out for `spend_notional` orders."""

    order_id: int
    ticket: Ticket
    client_id: str
    qty: Decimal
    created_ms: int
    updated_ms: int
    status: Status = Status.NEW
    fills: list[Fill] = field(default_factory=list)
    quote_gap_px: Decimal = _ZERO  # from the last price to the opposite best quote, while it rests
    cancel_id: str = ""
    idle_until_ms: int = 0  # the price passes it over until then

    @property
    def open(self) -> bool:
        """Return whether more of it can be executed."""
        return self.status in {Status.NEW, Status.PARTIALLY_FILLED}

    @property
    def filled_qty(self) -> Decimal:
        """Return the executed base units."""
        return sum((fill.qty for fill in self.fills), _ZERO)

    @property
    def filled_notional(self) -> Decimal:
        """Return the executed quote units."""
        return sum((fill.notional for fill in self.fills), _ZERO)

    @property
    def remaining_qty(self) -> Decimal:
        """Return the base units not executed yet."""
        return self.qty - self.filled_qty

    def add(self, fill: Fill) -> None:
        """Book an execution of at most the remaining quantity."""
        assert self.open, "only open orders are filled"
        assert fill.qty <= self.remaining_qty, "an order never fills for more than it asked"
        self.fills.append(fill)
        self.updated_ms = fill.at_ms
        self.status = Status.FILLED if not self.remaining_qty else Status.PARTIALLY_FILLED

    def end(self, status: Status, at_ms: int) -> None:
        """Close an open order as CANCELED or EXPIRED."""
        assert self.open, "a final status never changes"
        self.status = status
        self.updated_ms = at_ms

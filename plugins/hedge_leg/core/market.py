"""What decisions need to know of a spot market: its filters and its present book."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal


@dataclass(frozen=True, slots=True)
class MarketRules:
    """The filters of one spot market. Quantities base units, prices and notionals quote.

    `max_qty`: of one order, the smaller of lot and market-lot limits. `fee_rate`: expected taker fee, a
    fraction. `fee_in_base`: whether a buy's fee is expected to be taken from the base that arrives.
    """

    symbol: str
    base: str
    quote: str
    lot: Decimal
    tick: Decimal
    min_qty: Decimal
    max_qty: Decimal
    min_notional: Decimal
    fee_rate: Decimal
    fee_in_base: bool
    active: bool = True

    def tradable(self, qty: Decimal, px: Decimal) -> bool:
        """Return whether the market takes an order of this quantity at this price."""
        return qty >= self.min_qty and qty > 0 and qty * px >= self.min_notional


@dataclass(frozen=True, slots=True)
class Book:
    """Levels (price, quantity), best first, as of `at_ms` by our clock when the answer came."""

    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]
    at_ms: int

    @property
    def mid_px(self) -> Decimal:
        """Return the middle of the best bid and ask; IndexError for a one-sided book."""
        return (self.bids[0][0] + self.asks[0][0]) / 2


def buy_limit(ask_px: Decimal, slippage: Decimal, tick: Decimal) -> Decimal:
    """Return the highest tick that is at most `slippage` (a fraction) above the ask, never below the ask."""
    bounded = (ask_px * (1 + slippage) / tick).to_integral_value(ROUND_FLOOR) * tick
    return max(bounded, ask_px)


def sell_limit(bid_px: Decimal, slippage: Decimal, tick: Decimal) -> Decimal:
    """Return the lowest tick that is at most `slippage` (a fraction) below the bid, never above the bid."""
    bounded = (bid_px * (1 - slippage) / tick).to_integral_value(ROUND_CEILING) * tick
    return min(bounded, bid_px)


def average_px(levels: tuple[tuple[Decimal, Decimal], ...], qty: Decimal) -> Decimal | None:
    """Return the average price of taking `qty` (> 0) from the levels; None when they do not hold it."""
    left, cost = qty, Decimal(0)
    for px, size in levels:
        taken = min(left, size)
        cost += taken * px
        left -= taken
        if not left:
            return cost / qty
    return None

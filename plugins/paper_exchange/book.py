"""A deterministic order book around one price.

Spread and depth follow the traded volume: with N the notional of an average hour in millions of quote units,
the half spread is 0.1 + 2 / sqrt(N) bps, at most 10 bps and at least half a tick, and the level at rank i
(0 = best) holds 0.05 % * (1 + 0.15 i) of the hour's volume. Levels stand one step apart: the tick, or 0.3 bps
where the tick is finer. The same price and volume always give the same book.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal

from paper_exchange.instruments import Filters

_BPS = 1e-4
_LEAST_HALF_SPREAD_BPS = 0.1
_THIN_HALF_SPREAD_BPS = 2.0
_MOST_HALF_SPREAD_BPS = 10.0
_STEP_BPS = 0.3
_BEST_SHARE_OF_HOUR = 0.0005
_GROWTH_PER_LEVEL = 0.15


@dataclass(frozen=True, slots=True)
class Level:
    """One price level: price in quote units, a multiple of the tick; quantity in base, of the lot."""

    px: Decimal
    qty: Decimal


@dataclass(frozen=True, slots=True)
class Book:
    """Bids best (highest) first, asks best (lowest) first; never crossed, never empty."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


def build_book(filters: Filters, last_px: float, hourly_qty: float, levels: int) -> Book:
    """Return `levels` (>= 1) levels on each side of `last_px`; fewer bids where the price would reach zero.

    `hourly_qty` is the mean traded base volume of an hour (>= 0).
    """
    millions = max(hourly_qty * last_px / 1e6, 1e-9)
    half_bps = min(_LEAST_HALF_SPREAD_BPS + _THIN_HALF_SPREAD_BPS / millions**0.5, _MOST_HALF_SPREAD_BPS)
    tick = filters.tick
    mid = Decimal(repr(last_px))
    half = mid * Decimal(repr(half_bps * _BPS))
    best_bid = max(((mid - half) / tick).to_integral_value(ROUND_FLOOR), Decimal(1)) * tick
    best_ask = ((mid + half) / tick).to_integral_value(ROUND_CEILING) * tick
    if best_ask <= best_bid:
        best_ask = best_bid + tick
    step = (
        max((mid * Decimal(repr(_STEP_BPS * _BPS)) / tick).to_integral_value(ROUND_FLOOR), Decimal(1)) * tick
    )
    sizes = [_size(filters, hourly_qty, rank) for rank in range(levels)]
    bids = [Level(best_bid - step * rank, size) for rank, size in enumerate(sizes)]
    asks = [Level(best_ask + step * rank, size) for rank, size in enumerate(sizes)]
    return Book(tuple(level for level in bids if level.px > 0), tuple(asks))


def _size(filters: Filters, hourly_qty: float, rank: int) -> Decimal:
    qty = Decimal(repr(hourly_qty * _BEST_SHARE_OF_HOUR * (1.0 + _GROWTH_PER_LEVEL * rank)))
    lots = max((qty / filters.lot).to_integral_value(ROUND_DOWN), Decimal(1))
    return lots * filters.lot

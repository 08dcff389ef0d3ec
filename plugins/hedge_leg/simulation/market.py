"""Seeded prices: a random walk for spot, a mean-reverting basis for the perp, and a book with depth."""

from dataclasses import dataclass, field
from decimal import Decimal
from math import sqrt
from random import Random

from hedge_leg.core.market import Book, MarketRules
from hedge_leg.simulation.clock import SimClock

_VOLATILITY = 0.0001  # of the price, per square root of a second
_BASIS_HALF_LIFE_S = 600.0
_TAKEN_DEPTH = 5


@dataclass(slots=True)
class SimMarket:
    """One coin: its spot symbol and its perp pair. Prices in quote per base.

    `depth_qty`: base units on each level of the spot book. `rules` are the spot market's filters;
    `perp_lot` the perp's step in base units.
    """

    pair: str
    rules: MarketRules
    perp_lot: Decimal
    clock: SimClock
    chance: Random
    spot: float = 100.0
    basis: float = 0.0005
    depth_qty: Decimal = Decimal(50)
    _moved_ms: int = field(default=0)

    def _move(self) -> None:
        """Walk the price to the present."""
        now_ms = self.clock.now_ms()
        elapsed_s = (now_ms - self._moved_ms) / 1000
        if elapsed_s <= 0:
            return
        if self._moved_ms:
            self.spot *= 1 + self.chance.gauss(0.0, _VOLATILITY) * sqrt(min(elapsed_s, 3600.0))
            self.basis *= 0.5 ** (elapsed_s / _BASIS_HALF_LIFE_S)
            self.basis += self.chance.gauss(0.0, 0.0001)
        self._moved_ms = now_ms

    def spot_px(self) -> Decimal:
        """Return the spot price now, in ticks."""
        self._move()
        return self._ticks(self.spot)

    def perp_px(self) -> Decimal:
        """Return the perp's price now, in ticks."""
        self._move()
        return self._ticks(self.spot * (1 + self.basis))

    def _ticks(self, px: float) -> Decimal:
        return max(round(px / float(self.rules.tick)), 1) * self.rules.tick

    def book(self) -> Book:
        """Return the spot book now: five levels a tick apart on each side of a two-tick spread."""
        px, tick = self.spot_px(), self.rules.tick
        bids = tuple((px - tick * level, self.depth_qty) for level in range(1, _TAKEN_DEPTH + 1))
        asks = tuple((px + tick * level, self.depth_qty) for level in range(1, _TAKEN_DEPTH + 1))
        return Book(bids, asks, self.clock.now_ms())

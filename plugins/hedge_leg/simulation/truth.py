"""How a pair truly stood, from the exchanges' own fills: the measure of the measurement."""

from dataclasses import dataclass
from decimal import Decimal

from hedge_leg.core.amounts import ZERO, lots_down, nearest_lots
from hedge_leg.simulation.market import SimMarket

_SHARE = Decimal("0.002")
_UNTRADABLE = Decimal("1.1")  # of the minimum notional: what no order could take away is nobody's exposure


@dataclass(slots=True)
class TrueGap:
    """Integrates the naked notional of one pair. Quantities base units; `total_usd_s` quote x seconds.

    Counts what `exposure` must count at least: gaps beyond a lot and 0.2 %, that the market would take.
    """

    market: SimMarket
    spot_qty: Decimal = ZERO
    short_qty: Decimal = ZERO
    total_usd_s: Decimal = ZERO
    moves: int = 0
    _px: Decimal = ZERO
    _last_ms: int = 0

    def move(self, spot: Decimal, short: Decimal, at_ms: int) -> None:
        """Take a change of either leg over."""
        self.until(at_ms)
        self.spot_qty += spot
        self.short_qty += short
        self.moves += 1
        self._px = self.market.spot_px()

    def until(self, at_ms: int) -> None:
        """Integrate up to a time."""
        gap, lasted_ms = abs(self.spot_qty - self.short_qty), at_ms - self._last_ms
        self._last_ms = at_ms
        if lasted_ms <= 0 or not self.counts(gap):
            return
        self.total_usd_s += gap * self._px * lasted_ms / 1000

    def counts(self, gap: Decimal) -> bool:
        """Return whether a gap (base units, >= 0) is one that could and should be traded away."""
        rules = self.market.rules
        loose = max(rules.lot, _SHARE * abs(self.short_qty))
        traded = nearest_lots(gap, rules.lot)
        if self.spot_qty > self.short_qty:
            traded = min(traded, lots_down(self.spot_qty, rules.lot))
        return gap > loose and traded * self._px > rules.min_notional * _UNTRADABLE

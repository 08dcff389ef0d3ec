"""Commissions: the account's rates, and when they are paid in BNB.

Binance's rule: where paying in BNB is switched on and the wallet holds enough of it, the whole fee of an
execution is taken in BNB at its present price, 25 % (spot) or 10 % (USD-M) cheaper; otherwise the whole fee
is taken as usual, from what a spot order receives or from the futures position's settlement asset.
"""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from paper_exchange.candles import Kind
from paper_exchange.view import MarketView

BNB = "BNB"
FEE_STEP = Decimal("0.00000001")
SPOT_BNB_SHARE = Decimal("0.75")
PERP_BNB_SHARE = Decimal("0.9")


@dataclass(frozen=True, slots=True)
class Rates:
    """Commission per notional, fractions: of orders that rested (maker) and of those that took."""

    maker: Decimal
    taker: Decimal

    def of(self, *, maker: bool) -> Decimal:
        """Return the rate of an execution."""
        return self.maker if maker else self.taker


SPOT_RATES = Rates(maker=Decimal("0.001"), taker=Decimal("0.001"))
PERP_RATES = Rates(maker=Decimal("0.0002"), taker=Decimal("0.0005"))


@dataclass(slots=True)
class Fees:
    """What an account pays. `bnb_px` (quote per BNB) counts where no candles tell BNB's price."""

    spot: Rates = SPOT_RATES
    perp: Rates = PERP_RATES
    spot_in_bnb: bool = False
    perp_in_bnb: bool = False
    bnb_px: Decimal | None = None

    def spot_bnb(self, view: MarketView, notional: Decimal, at_ms: int, *, maker: bool) -> Decimal | None:
        """Return a spot fee in BNB, rounded down to 8 decimals; None when it is not paid so."""
        rate = self.spot.of(maker=maker) * SPOT_BNB_SHARE
        return self._in_bnb(view, notional * rate, at_ms) if self.spot_in_bnb else None

    def perp_bnb(self, view: MarketView, notional: Decimal, at_ms: int, *, maker: bool) -> Decimal | None:
        """Return a USD-M fee in BNB, rounded down to 8 decimals; None when it is not paid so."""
        rate = self.perp.of(maker=maker) * PERP_BNB_SHARE
        return self._in_bnb(view, notional * rate, at_ms) if self.perp_in_bnb else None

    def _in_bnb(self, view: MarketView, cost: Decimal, at_ms: int) -> Decimal | None:
        """Return a cost in quote units as BNB; None without a price."""
        px = view.last_px(Kind.SPOT, f"{BNB}USDT", at_ms)
        price = self.bnb_px if px is None else Decimal(repr(px))
        return None if price is None else (cost / price).quantize(FEE_STEP, ROUND_DOWN)

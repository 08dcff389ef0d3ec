"""What a short perp and a long spot of equal quantity earn between two moments: one rule, used three times.

    net = basis P&L - slippage + funding - fees - borrow - fixed

The observer's round-trip cost, its pretended pair and the later score are this function. It is an estimate at
prices of books; a real carry's books are `core.ledger`.
"""

from dataclasses import dataclass
from decimal import Decimal

from hedge_leg.core.amounts import money

_TEN_THOUSAND = Decimal(10_000)
_DAY_MS = Decimal(86_400_000)


@dataclass(frozen=True, slots=True)
class PairTerms:
    """Fees in bps of each fill, borrow in bps of the spot leg's cost a day, `fixed` quote a round trip."""

    perp_fee_bps: Decimal
    spot_fee_bps: Decimal
    perp_taker_bps: Decimal
    perp_maker_bps: Decimal
    spot_taker_bps: Decimal
    spot_maker_bps: Decimal
    borrow_daily_bps: Decimal
    fixed: Decimal

    @property
    def taker_round_trip_bps(self) -> Decimal:
        """Return the fees of opening and closing both legs as taker."""
        return 2 * (self.perp_taker_bps + self.spot_taker_bps)

    @property
    def maker_round_trip_bps(self) -> Decimal:
        """Return the fees of opening and closing both legs as maker."""
        return 2 * (self.perp_maker_bps + self.spot_maker_bps)


@dataclass(frozen=True, slots=True)
class PairTrade:
    """A pair's two fills on each leg, average prices as the books gave them."""

    qty: Decimal
    perp_in: Decimal
    spot_in: Decimal
    perp_out: Decimal
    spot_out: Decimal


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of a pair in quote; costs positive. `price_pnl` holds the slippage."""

    price_pnl: Decimal
    funding: Decimal
    fees: Decimal
    borrow: Decimal
    fixed: Decimal

    @property
    def net(self) -> Decimal:
        """Return what is left."""
        return self.price_pnl + self.funding - self.fees - self.borrow - self.fixed


def outcome(trade: PairTrade, terms: PairTerms, *, funding: Decimal, held_ms: int) -> Outcome:
    """Return what a pair earned that was held for `held_ms` and was paid `funding` (received positive)."""
    qty = trade.qty
    price_pnl = qty * (trade.perp_in - trade.perp_out + trade.spot_out - trade.spot_in)
    perp_fees = qty * (trade.perp_in + trade.perp_out) * terms.perp_fee_bps
    spot_fees = qty * (trade.spot_in + trade.spot_out) * terms.spot_fee_bps
    borrow = qty * trade.spot_in * terms.borrow_daily_bps * held_ms / _DAY_MS
    return Outcome(
        money(price_pnl),
        money(funding),
        money((perp_fees + spot_fees) / _TEN_THOUSAND),
        money(borrow / _TEN_THOUSAND),
        money(terms.fixed),
    )

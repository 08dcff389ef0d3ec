"""Mirror a trade's perp fills into spot fills: a pure fold, the accounting of `docs/accounting.md`.

Given the perp fills of one trade and what the market was, returns the ledger of the pair. No state is
kept anywhere: folding the same fills again gives the same books, which is what hyperopt needs.
Fills of one instant are netted first, so their order cannot matter.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Protocol

from hedge_leg.core.amounts import ZERO, Bps, lots_down
from hedge_leg.core.books import PairBooks
from hedge_leg.core.ledger import Account, Ledger

_DAY_MS = Decimal(86_400_000)


@dataclass(frozen=True, slots=True)
class PerpFill:
    """One filled perp order. `qty` base units, short entries negative; `fee_rate` a fraction.

    `at_open` tells that the fill price is a candle's open; otherwise (liquidation, stop) the spot
    price is scaled to the fill price.
    """

    at_ms: int
    qty: Decimal
    px: Decimal
    fee_rate: Decimal
    at_open: bool = True


@dataclass(frozen=True, slots=True)
class HedgeTerms:
    """What the mirror needs to know of the hedge: the spot lot and the costs."""

    lot: Decimal
    spot_fee: Bps
    spot_slippage: Bps
    perp_slippage: Bps
    borrow_daily: Bps
    fixed_per_trade: Decimal


class MarketView(Protocol):
    """What the market was, in exact numbers; the only thing the fold asks from outside."""

    def spot_px(self, at_ms: int, perp_px: Decimal, *, at_open: bool) -> Decimal:
        """Return the spot price, before slippage, of a spot fill that mirrors a perp fill."""

    def funding_per_unit(self, after_ms: int, until_ms: int) -> Decimal:
        """Return the sum of rate x mark over settlements in (after, until], in quote per base unit."""


@dataclass(frozen=True, slots=True)
class MirroredTrade:
    """The pair's books after its fills, and what freqtrade has to be told.

    `booked` is the cash flow that freqtrade does not know of: everything but the perp's price P&L at
    raw prices and the perp's fees.
    """

    ledger: Ledger
    booked: Decimal
    books: PairBooks
    last_ms: int

    def marked_net(self, perp_px: Decimal, spot_px: Decimal, funding_per_unit: Decimal) -> Decimal:
        """Return the pair's net if both legs were worth these prices, exit costs not yet paid.

        `funding_per_unit` is what a unit has earned since the last fill, in quote per base unit.
        """
        earned = -self.ledger.perp_qty * funding_per_unit
        return self.ledger.net + self.books.unrealized(perp_px, spot_px) + earned


class _Fold:
    """The running state of one fold; lives only inside `mirror`."""

    def __init__(self, market: MarketView, terms: HedgeTerms, base: str, quote: str) -> None:
        self.market = market
        self.terms = terms
        self.books = PairBooks(base, quote)
        self.ledger = self.books.ledger
        self.last_ms = 0

    def step(self, at_ms: int, fills: Sequence[PerpFill]) -> None:
        """Apply all fills of one instant: funding and borrow up to it, then perp, then spot."""
        if not self.ledger.entries:
            self.ledger.transfer(at_ms, "fixed cost", Account.FIXED, self.terms.fixed_per_trade)
        else:
            self._accrue(at_ms)
        self.last_ms = at_ms
        for fill in fills:
            self.books.perp_fee(at_ms, abs(fill.qty) * fill.px * fill.fee_rate)
        net_qty = sum((fill.qty for fill in fills), ZERO)
        weight = sum((abs(fill.qty) for fill in fills), ZERO)
        px = sum((abs(fill.qty) * fill.px for fill in fills), ZERO) / weight
        for fill in sorted(fills, key=lambda one: (one.qty, one.px)):  # short entries first
            self.books.perp_fill(at_ms, fill.qty, abs(fill.qty) * fill.px)
        slippage = self.terms.perp_slippage.of(abs(net_qty) * px)
        self.ledger.transfer(at_ms, "perp slippage", Account.PRICE_PNL, slippage)
        self._follow_with_spot(at_ms, px, at_open=all(fill.at_open for fill in fills))

    def _accrue(self, at_ms: int) -> None:
        per_unit = self.market.funding_per_unit(self.last_ms, at_ms)
        funding = -self.ledger.perp_qty * per_unit  # a short (negative) receives a positive rate
        self.ledger.transfer(at_ms, "funding", Account.FUNDING, -funding)
        days = Decimal(at_ms - self.last_ms) / _DAY_MS
        borrow = self.terms.borrow_daily.of(self.ledger.balance(Account.SPOT_COST)) * days
        self.ledger.transfer(at_ms, "borrow", Account.BORROW, borrow)

    def _follow_with_spot(self, at_ms: int, perp_px: Decimal, *, at_open: bool) -> None:
        target = lots_down(abs(self.ledger.perp_qty), self.terms.lot)
        change = target - self.ledger.spot_qty
        if change == ZERO:
            return
        raw_px = self.market.spot_px(at_ms, perp_px, at_open=at_open)
        slip = self.terms.spot_slippage.of(raw_px)
        px = raw_px + slip if change > ZERO else raw_px - slip
        self.books.spot_fill(at_ms, change, px)
        self.books.spot_fee(at_ms, self.terms.spot_fee.of(abs(change) * px))


def mirror(
    fills: Iterable[PerpFill],
    market: MarketView,
    terms: HedgeTerms,
    *,
    base: str = "base",
    quote: str = "quote",
) -> MirroredTrade:
    """Fold the perp fills of one trade into the pair's books.

    Fills may come in any order; they are taken by time, and netted per instant. Raises whatever
    `market` raises when it cannot price a fill or a settlement: no number is made up.
    """
    fold = _Fold(market, terms, base, quote)
    ordered = sorted(fills, key=lambda fill: fill.at_ms)
    for at_ms, group in groupby(ordered, key=lambda fill: fill.at_ms):
        fold.step(at_ms, list(group))
    return MirroredTrade(
        ledger=fold.ledger,
        booked=fold.ledger.net - fold.books.perp_realized,
        books=fold.books,
        last_ms=fold.last_ms,
    )

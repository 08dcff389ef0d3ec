"""One-way positions: entry, margin set aside, and what closing a part realizes.

The entry is kept as a signed notional instead of a price, so that nothing is lost to division: with E the
entry notional and q the signed quantity, the entry price is E / q and the unrealized profit q * mark - E.
A reduction by the share s of the position releases s * E and s of the isolated margin, both rounded down to
8 decimals; the whole is released exactly.
"""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from paper_exchange.brackets import bracket_of
from paper_exchange.instruments import Instrument

MONEY_STEP = Decimal("0.00000001")
_ZERO = Decimal(0)


@dataclass(slots=True)
class Position:
    """A position of one symbol; `qty` in base units, positive = long; amounts in quote units."""

    item: Instrument
    qty: Decimal = _ZERO
    entry_notional: Decimal = _ZERO  # signed like qty
    isolated_margin: Decimal = _ZERO  # 0 while the symbol is on cross margin
    updated_ms: int = 0

    @property
    def entry_px(self) -> Decimal:
        """Return the average entry price; 0 while flat."""
        return self.entry_notional / self.qty if self.qty else _ZERO

    def unrealized_pnl(self, mark_px: Decimal) -> Decimal:
        """Return the profit (quote) of closing at the mark, before fees."""
        return self.qty * mark_px - self.entry_notional

    def maintenance_margin(self, mark_px: Decimal) -> Decimal:
        """Return the margin (quote) that must remain at the mark."""
        notional = abs(self.qty) * mark_px
        return bracket_of(self.item.base, notional).maintenance_margin(notional)

    def closable_qty(self, signed_qty: Decimal) -> Decimal:
        """Return how much (>= 0) of a signed trade only closes what is there."""
        return min(abs(signed_qty), abs(self.qty)) if signed_qty * self.qty < 0 else _ZERO

    def trade(
        self, signed_qty: Decimal, px: Decimal, *, isolated_leverage: int | None, at_ms: int
    ) -> Decimal:
        """Add a fill and return the realized profit (quote); a fill through zero closes, then opens.

        `isolated_leverage`: set aside notional / leverage for what is opened; None on cross margin.
        """
        self.updated_ms = at_ms
        sign = 1 if signed_qty > 0 else -1
        closed_qty = self.closable_qty(signed_qty) * sign
        realized = self._close(closed_qty, px) if closed_qty else _ZERO
        opened_qty = signed_qty - closed_qty
        self.qty += opened_qty
        self.entry_notional += opened_qty * px
        if isolated_leverage is not None:
            self.isolated_margin += (abs(opened_qty) * px / isolated_leverage).quantize(
                MONEY_STEP, ROUND_DOWN
            )
        return realized

    def _close(self, closed_qty: Decimal, px: Decimal) -> Decimal:
        """Reduce by `closed_qty` (signed against the position) and return the realized profit."""
        whole = closed_qty == -self.qty
        share = -closed_qty / self.qty
        released, margin = (
            amount if whole else (amount * share).quantize(MONEY_STEP, ROUND_DOWN)
            for amount in (self.entry_notional, self.isolated_margin)
        )
        self.qty += closed_qty
        self.entry_notional -= released
        self.isolated_margin -= margin
        return -closed_qty * px - released

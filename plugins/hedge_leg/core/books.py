"""Both legs' books: how each fact becomes postings. The same code books backtests and live trading.

Spot inventory and perp entry value are kept at average cost. Amounts are rounded to 1e-12 quote where a
share of a cost is taken, and the whole is released exactly, so nothing is lost by many small steps.
"""

from decimal import Decimal

from hedge_leg.core.amounts import ZERO, money
from hedge_leg.core.ledger import Account, Ledger


class PairBooks:
    """The ledger of one pair and what it must remember to realize P&L."""

    def __init__(self, base: str, quote: str) -> None:
        """Start flat."""
        self.ledger = Ledger(quote=quote, base=base)
        self.perp_entry_value = ZERO  # raw entry value of the open perp quantity, quote, >= 0
        self.perp_realized = ZERO  # raw realized perp price P&L minus perp fees: what the host itself knows
        self.entry_notional = ZERO

    def perp_fee(self, at_ms: int, fee: Decimal) -> None:
        """Book a fee of the perp leg, quote."""
        fee = money(fee)
        self.ledger.transfer(at_ms, "perp fee", Account.FEES_PERP, fee)
        self.perp_realized -= fee

    def perp_fill(self, at_ms: int, qty: Decimal, value: Decimal) -> None:
        """Book signed base units (short entries negative) worth `value` (quote, >= 0) at their price."""
        ledger, held = self.ledger, self.ledger.perp_qty
        if held * qty < ZERO:
            closed = min(abs(qty), abs(held))
            whole = closed == abs(held)
            entry_value = (
                self.perp_entry_value if whole else money(self.perp_entry_value * closed / abs(held))
            )
            exit_value = value if closed == abs(qty) else value * closed / abs(qty)
            pnl = money(exit_value - entry_value) * (1 if held > ZERO else -1)
            self.perp_entry_value += money(value - exit_value) - entry_value  # beyond flat: a new entry
            self.perp_realized += pnl
            ledger.transfer(at_ms, "perp price P&L", Account.PRICE_PNL, -pnl)
        else:
            self.perp_entry_value += money(value)
            self.entry_notional += value
        ledger.record(
            at_ms, "perp fill", ((Account.PERP, ledger.base, qty), (Account.MARKET, ledger.base, -qty))
        )

    def spot_fill(self, at_ms: int, change: Decimal, px: Decimal) -> None:
        """Book bought (positive) or sold base units at `px`, quote per base, before fees."""
        ledger, base, quote = self.ledger, self.ledger.base, self.ledger.quote
        cost = money(change * px)
        cash = -cost
        if change < ZERO:
            cost = -self._cost_of(-change)
        ledger.record(
            at_ms,
            "spot fill",
            (
                (Account.SPOT, base, change),
                (Account.MARKET, base, -change),
                (Account.CASH, quote, cash),
                (Account.SPOT_COST, quote, cost),
                (Account.PRICE_PNL, quote, -(cash + cost)),
            ),
        )

    def spot_fee(self, at_ms: int, fee: Decimal) -> None:
        """Book a fee of the spot leg paid in quote."""
        self.ledger.transfer(at_ms, "spot fee", Account.FEES_SPOT, fee)

    def spot_fee_in_base(self, at_ms: int, qty: Decimal) -> None:
        """Book a fee taken out of the inventory, at the inventory's average cost."""
        ledger, base, quote = self.ledger, self.ledger.base, self.ledger.quote
        cost = self._cost_of(qty)
        ledger.record(
            at_ms,
            "spot fee in base",
            (
                (Account.SPOT, base, -qty),
                (Account.FEES_SPOT, base, qty),
                (Account.SPOT_COST, quote, -cost),
                (Account.FEES_SPOT, quote, cost),
            ),
        )

    def spot_fee_in_coin(self, at_ms: int, asset: str, amount: Decimal, value: Decimal) -> None:
        """Book a fee in a third coin, bought at that moment for its `value` (quote) and spent.

        The coin's own cash and the quote's are both posted, so that each asset's cash is explained.
        """
        quote = self.ledger.quote
        self.ledger.record(
            at_ms,
            "spot fee in another coin",
            (
                (Account.CASH, asset, -amount),
                (Account.FEES_SPOT, asset, amount),
                (Account.COIN_VALUE, quote, -money(value)),
                (Account.FEES_SPOT, quote, money(value)),
            ),
        )

    def inventory(self, at_ms: int, qty: Decimal, cost: Decimal) -> None:
        """Take remainders over from earlier carries (positive) or leave them behind, at cost."""
        if qty or cost:
            base, quote = self.ledger.base, self.ledger.quote
            self.ledger.record(
                at_ms,
                "remainder",
                (
                    (Account.SPOT, base, qty),
                    (Account.REMAINDER, base, -qty),
                    (Account.SPOT_COST, quote, cost),
                    (Account.REMAINDER, quote, -cost),
                ),
            )

    def unrealized(self, perp_px: Decimal, spot_px: Decimal) -> Decimal:
        """Return what both legs would gain if they were worth these prices, before costs of leaving."""
        ledger = self.ledger
        perp = ledger.perp_qty
        perp_open = perp * perp_px + (self.perp_entry_value if perp < ZERO else -self.perp_entry_value)
        return perp_open + ledger.spot_qty * spot_px - ledger.balance(Account.SPOT_COST)

    def _cost_of(self, qty: Decimal) -> Decimal:
        """Return the average cost (quote) of `qty` base units of the inventory; all of it for the whole."""
        held, cost = self.ledger.spot_qty, self.ledger.balance(Account.SPOT_COST)
        if qty == held or not held:
            return cost
        return money(cost * qty / held)

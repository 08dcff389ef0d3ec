"""What rebalancing costs: the fees of orders that kept or changed the size of a pair that was already open.

Delta corrections, resizes of both legs and what they bring on the other leg count; entry and exit do not,
nor does what was bought back after an exit that was given up count as an exit. Slippage lands in price P&L.
"""

from decimal import Decimal

from hedge_leg.core.amounts import ZERO
from hedge_leg.core.carry import Carry
from hedge_leg.core.ledger import Account, Ledger


def rebalancing_cost(carry: Carry, since_ms: int = 0) -> Decimal:
    """Return the fees (quote, >= 0 is paid) of rebalancing orders that filled from `since_ms` on."""
    spot = (
        fill.fee_value
        for key, fill in carry.fills.items()
        if key in carry.balancing_fills and fill.filled_ms >= since_ms
    )
    perp = (
        one.fee for key, one in carry.perp.items() if key in carry.balancing and one.filled_ms >= since_ms
    )
    return sum(spot, ZERO) + sum(perp, ZERO)


def rebalancing_share(carry: Carry, net: Decimal) -> Decimal | None:
    """Return the cost as a share of the net without it; None where that is not above zero."""
    cost = rebalancing_cost(carry)
    before = net + cost
    return cost / before if before > 0 else None


def earned_since(ledger: Ledger, since_ms: int) -> Decimal:
    """Return the funding received less borrowing (quote) from `since_ms` on: what rebalancing lives on."""
    total = ZERO
    for entry in ledger.entries:
        if entry.at_ms >= since_ms:
            for posting in entry.postings:
                if posting.account in (Account.FUNDING, Account.BORROW):
                    total -= posting.amount
    return total

"""What rebalancing costs: the fees of orders that kept or changed the size of a pair that was already open.

Delta corrections, resizes of both legs and what they bring on the other leg count; entry and exit do not,
nor does what was bought back after an exit that was given up count as an exit. Slippage lands in price P&L.
"""

from collections.abc import Iterator
from decimal import Decimal

from hedge_leg.core.amounts import ZERO
from hedge_leg.core.carry import Carry
from hedge_leg.core.ledger import Account, Ledger


def rebalancing_fees(carry: Carry) -> Iterator[tuple[int, Decimal]]:
    """Yield (ms, fee in quote, >= 0 is paid) of each fill of a rebalancing order."""
    for key in sorted(carry.balancing_fills & carry.fills.keys()):
        yield carry.fills[key].filled_ms, carry.fills[key].fee_value
    for key in sorted(carry.balancing & carry.perp.keys()):
        yield carry.perp[key].filled_ms, carry.perp[key].fee


def rebalancing_cost(carry: Carry, since_ms: int = 0) -> Decimal:
    """Return the fees (quote, >= 0 is paid) of rebalancing orders that filled from `since_ms` on."""
    return sum((fee for filled_ms, fee in rebalancing_fees(carry) if filled_ms >= since_ms), ZERO)


def rebalancing_share(cost: Decimal, net: Decimal) -> Decimal | None:
    """Return the cost as a share of the net without it; None where that is not above zero."""
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

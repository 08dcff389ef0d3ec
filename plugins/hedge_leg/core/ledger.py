"""The books of a carry: entries whose postings sum to zero per asset, exactly. P&L is a query.

An entry is a fact (a fill, a settlement, a cost); a posting moves an amount of one asset into an
account. Income accounts (price P&L, funding) therefore run negative when money was received, and cost
accounts positive: `pnl` and `cost` turn the signs so that received is positive and costs are amounts paid.
Model: beancount's zero-sum residual with tolerance 0 (STYLE).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from hedge_leg.core.amounts import ZERO, money
from hedge_leg.errors import LedgerImbalance


class Account(StrEnum):
    """Where an amount can be."""

    CASH = "cash"  # quote: what the pair has received so far, net
    PERP = "perp"  # base: the perp position, short negative
    SPOT = "spot"  # base: the spot inventory
    MARKET = "market"  # base: the other side of every fill
    SPOT_COST = "spot_cost"  # quote: what the spot inventory has cost
    PRICE_PNL = "price_pnl"  # quote: realized price P&L of both legs, slippage inside
    FUNDING = "funding"
    FEES_PERP = "fees_perp"
    FEES_SPOT = "fees_spot"
    BORROW = "borrow"
    FIXED = "fixed"
    REMAINDER = "remainder"  # base and quote: inventory below a lot, handed from carry to carry at cost
    COIN_VALUE = "coin_value"  # quote: worth of fees that were paid in a third coin


@dataclass(frozen=True, slots=True)
class Posting:
    """An amount of one asset into one account."""

    account: Account
    asset: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact and its postings. Raises LedgerImbalance unless they sum to zero per asset."""

    at_ms: int
    text: str
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        """Refuse an entry that creates or destroys an asset."""
        for asset in {posting.asset for posting in self.postings}:
            residual = sum((p.amount for p in self.postings if p.asset == asset), ZERO)
            if residual != ZERO:
                raise LedgerImbalance(f"entry {self.text!r} at {self.at_ms} leaves {residual} {asset}")


@dataclass(slots=True)
class Ledger:
    """An append-only list of balanced entries of one carry, kept in the order they happened."""

    quote: str
    base: str
    entries: list[Entry] = field(default_factory=list)
    _balances: dict[tuple[Account, str], Decimal] = field(default_factory=dict)

    def record(self, at_ms: int, text: str, postings: Iterable[tuple[Account, str, Decimal]]) -> None:
        """Append one entry; LedgerImbalance leaves the ledger as it was."""
        entry = Entry(at_ms, text, tuple(Posting(*posting) for posting in postings))
        self.entries.append(entry)
        for posting in entry.postings:
            key = (posting.account, posting.asset)
            self._balances[key] = self._balances.get(key, ZERO) + posting.amount

    def transfer(self, at_ms: int, text: str, into: Account, amount: Decimal) -> None:
        """Move `amount` of quote currency from cash into an account (negative: into cash)."""
        amount = money(amount)
        if amount != ZERO:
            self.record(at_ms, text, ((Account.CASH, self.quote, -amount), (into, self.quote, amount)))

    def balance(self, account: Account, asset: str | None = None) -> Decimal:
        """Return what an account holds, of the quote currency unless another asset is named."""
        return self._balances.get((account, asset or self.quote), ZERO)

    @property
    def perp_qty(self) -> Decimal:
        """Return the perp position in base units, short negative."""
        return self.balance(Account.PERP, self.base)

    @property
    def spot_qty(self) -> Decimal:
        """Return the spot inventory in base units."""
        return self.balance(Account.SPOT, self.base)

    @property
    def basis_pnl(self) -> Decimal:
        """Return the realized price P&L of both legs, at prices worsened by slippage."""
        return -self.balance(Account.PRICE_PNL)

    @property
    def funding(self) -> Decimal:
        """Return the funding received (negative: paid)."""
        return -self.balance(Account.FUNDING)

    @property
    def net(self) -> Decimal:
        """Return the pair's realized result: basis P&L + funding - every cost."""
        costs = (Account.FEES_PERP, Account.FEES_SPOT, Account.BORROW, Account.FIXED)
        return self.basis_pnl + self.funding - sum((self.balance(cost) for cost in costs), ZERO)

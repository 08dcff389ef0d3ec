"""What a carry has done and earned, for an operator: every fact as a line, the books' checks, the exposure.

Pure: a carry in, records out; nothing is stored. Amounts are exact, received is positive.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from hedge_leg.config import HedgeLegConfig
from hedge_leg.core.accounts import Exposure, books, exposure
from hedge_leg.core.amounts import SMALLEST_LOT, ZERO, exact
from hedge_leg.core.carry import Carry
from hedge_leg.core.funding_gaps import missing_text, unbooked
from hedge_leg.core.ledger import Account, Ledger
from hedge_leg.core.orders import Side
from hedge_leg.core.position import apply
from hedge_leg.core.rebalancing import rebalancing_cost, rebalancing_share
from hedge_leg.ports import Journal


@dataclass(frozen=True, slots=True)
class Line:
    """One fact: `qty` signed base units, `px` quote per base, `amount` quote received."""

    at_ms: int
    what: str
    ref: str
    qty: Decimal | None = None
    px: Decimal | None = None
    amount: Decimal | None = None
    fee: Decimal | None = None
    fee_asset: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """The ledger's totals in quote; `net` is also freqtrade's profit of the trade."""

    basis_pnl: Decimal
    funding: Decimal
    fees_perp: Decimal
    fees_spot: Decimal
    borrow: Decimal
    fixed: Decimal
    net: Decimal

    @property
    def residual(self) -> Decimal:
        """Return what the identity leaves over; anything but zero is a defect."""
        costs = self.fees_perp + self.fees_spot + self.borrow + self.fixed
        return self.basis_pnl + self.funding - costs - self.net


@dataclass(frozen=True, slots=True)
class Statement:
    """A carry's account. `residuals`: what all postings sum to per asset; `cash`: change per asset."""

    carry: Carry
    lines: tuple[Line, ...]
    result: Result
    residuals: Mapping[str, Decimal]
    cash: Mapping[str, Decimal]
    inventory_cost: Decimal
    exposure: Exposure
    rebalancing: Decimal = ZERO  # fees of keeping and changing the size, part of the fees above
    rebalancing_share: Decimal | None = None  # of what the net would be without them
    missing: str = ""  # funding that is not booked though the perp was held, in words

    @property
    def balanced(self) -> bool:
        """Return whether the postings sum to zero per asset and the identity holds, both exactly."""
        return not self.result.residual and not any(self.residuals.values())


def read_carries(journal: Journal) -> list[Carry]:
    """Return the journal's carries in the order they began. Raises JournalError."""
    found: dict[str, Carry] = {}
    for row in journal.stream():
        apply(found.setdefault(row.carry_id, Carry(row.carry_id)), row.event)
    return [carry for carry in found.values() if carry.announced is not None]


def hedged_within(carry: Carry, settings: HedgeLegConfig) -> Decimal:
    """Return the imbalance (base units) that counts as hedged: a lot, or the share that is not traded."""
    lot = settings.spot_lots.get(carry.facts.base)
    share = exact(settings.execution.rebalance_threshold) * max(carry.short_qty, ZERO)
    return max(SMALLEST_LOT if lot is None else exact(lot), share)


def statement(carry: Carry, settings: HedgeLegConfig, now_ms: int) -> Statement:
    """Return a carry's account as of `now_ms`."""
    ledger, rebalancing = books(carry).ledger, rebalancing_cost(carry)
    return Statement(
        carry=carry,
        lines=tuple(sorted(_lines(carry), key=lambda line: (line.at_ms, len(line.ref), line.ref))),
        result=result_of(ledger),
        residuals=_residuals(ledger),
        cash=_cash(ledger),
        inventory_cost=ledger.balance(Account.SPOT_COST),
        exposure=exposure(carry, now_ms, hedged_within(carry, settings)),
        rebalancing=rebalancing,
        rebalancing_share=rebalancing_share(rebalancing, ledger.net),
        missing=missing_text(unbooked(carry, now_ms)),
    )


def result_of(ledger: Ledger) -> Result:
    """Return a ledger's totals."""
    return Result(
        basis_pnl=ledger.basis_pnl,
        funding=ledger.funding,
        fees_perp=ledger.balance(Account.FEES_PERP),
        fees_spot=ledger.balance(Account.FEES_SPOT),
        borrow=ledger.balance(Account.BORROW),
        fixed=ledger.balance(Account.FIXED),
        net=ledger.net,
    )


def _residuals(ledger: Ledger) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {ledger.base: ZERO, ledger.quote: ZERO}
    for entry in ledger.entries:
        for posting in entry.postings:
            sums[posting.asset] = sums.get(posting.asset, ZERO) + posting.amount
    return sums


def _cash(ledger: Ledger) -> dict[str, Decimal]:
    """Return what the accounts have gained per asset: cash, and the base inventory of the spot account."""
    assets = {p.asset for e in ledger.entries for p in e.postings if p.account is Account.CASH}
    found = {asset: ledger.balance(Account.CASH, asset) for asset in sorted(assets | {ledger.quote})}
    # what is on the account is the inventory without the remainders that carries only hand to each other
    return found | {ledger.base: ledger.spot_qty + ledger.balance(Account.REMAINDER, ledger.base)}


def _lines(carry: Carry) -> Iterable[Line]:
    facts = carry.facts
    if facts.inherited_qty:
        cost = facts.inherited_cost
        yield Line(facts.at_ms, "remainder taken over", "", facts.inherited_qty, None, -cost)
    for perp in carry.perp.values():
        px = perp.value / abs(perp.qty) if perp.qty else None
        what = f"perp {'sell' if perp.qty < 0 else 'buy'} ({perp.source})"
        yield Line(perp.filled_ms, what, perp.order_id, perp.qty, px, None, perp.fee, facts.quote)
    for fill in carry.fills.values():
        signed = fill.qty if fill.side is Side.BUY else -fill.qty
        amount = -signed * fill.px
        yield Line(
            *(fill.filled_ms, f"spot {fill.side}", fill.trade_id, signed, fill.px, amount),
            *(fill.fee, fill.fee_asset),
        )
    for paid in carry.funding.values():
        yield Line(paid.paid_ms, "funding", paid.key, amount=paid.amount)
    for cost_fact in carry.costs.values():
        yield Line(cost_fact.at_ms, f"cost: {cost_fact.kind}", cost_fact.key, amount=-cost_fact.amount)
    for change in carry.adjusted.values():
        amount = -change.qty * change.px
        yield Line(change.at_ms, "spot by hand", change.key, change.qty, change.px, amount)
    if carry.closed is not None and carry.closed.dust_qty:
        left = carry.closed
        yield Line(left.at_ms, "remainder left", "", -left.dust_qty, None, left.dust_cost)


def alive_within(carry: Carry, since_ms: int | None, until_ms: int | None) -> bool:
    """Return whether the carry lived at some time in [since, until)."""
    ended_ms = carry.closed.at_ms if carry.closed is not None else None
    begins = until_ms is None or carry.began_ms < until_ms
    return begins and (since_ms is None or ended_ms is None or ended_ms >= since_ms)

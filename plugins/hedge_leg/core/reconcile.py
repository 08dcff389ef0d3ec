"""Reconciliation: compare what the journal says with what the outside shows. Pure: facts in, findings out.

Invariants (word for word in RELIABILITY, and above the property tests):
1. Every ledger entry's postings sum to zero per asset, exactly.
2. The journal versions of a carry are 1..n without a gap.
3. No order leaves without a committed intent that holds its client order id, side, quantity, limit price and attempt.
4. ACTIVE implies |spot quantity - perp quantity| within one lot step (or `rebalance_threshold`, whichever is larger).
5. Replaying a journal, or delivering any event twice or out of order, changes nothing.
6. Change of cash per asset = price P&L + funding - fees - borrow - fixed costs.
7. From every reachable state, once the venue answers, finitely many steps lead to IDLE, ACTIVE or HALTED.
8. Unhedged notional x seconds of a carry is measured from fills, stored with it, and within its configured bound unless HALTED.
"""  # noqa: E501

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, TypeVar

from hedge_leg.core.amounts import ZERO
from hedge_leg.core.carry import Carry
from hedge_leg.core.orders import Unknown, Working
from hedge_leg.core.states import State


class TradeSeen(Protocol):
    """A spot trade of the account as the venue lists it."""

    @property
    def trade_id(self) -> str:
        """Return the venue's trade id."""
        ...


class PerpOrderSeen(Protocol):
    """A perp order of the account as the venue lists it."""

    @property
    def order_id(self) -> str:
        """Return the venue's order id."""
        ...

    @property
    def qty(self) -> Decimal:
        """Return the signed filled base units."""
        ...

    @property
    def open(self) -> bool:
        """Return whether more of it can fill."""
        ...

    @property
    def created_ms(self) -> int:
        """Return when it was taken."""
        ...


SKEW_MS = 10_000  # how much the venue's clock may lag ours
_Order = TypeVar("_Order", bound=PerpOrderSeen)


class Kind(StrEnum):
    """What is wrong."""

    UNRESOLVED = "an order's fate is unknown"
    UNHEDGED = "the legs are not equal"
    PERP_DIFFERS = "the exchange's perp position differs"
    SPOT_MISSING = "spot is missing from the account"
    FOREIGN_PERP = "a perp position that nobody journaled"
    HALTED = "halted"


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference: `text` says what and how much, `remedy` what `reconcile --apply` would do."""

    kind: Kind
    carry_id: str
    pair: str
    text: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the venues showed: total balance per asset, short quantity per perp pair; None where unread."""

    balances: Mapping[str, Decimal] | None
    shorts: Mapping[str, Decimal]


def findings(carries: Sequence[Carry], seen: Snapshot, lots: Mapping[str, Decimal]) -> list[Finding]:
    """Return every difference between the living carries and the venues. `lots`: spot lot per pair."""
    found: list[Finding] = []
    living = [carry for carry in carries if carry.alive]
    for carry in living:
        found += _of_carry(carry, seen, lots.get(carry.facts.pair, ZERO))
    if seen.balances is not None:
        found += _missing_spot(living, seen.balances, lots)
    owned = {carry.facts.pair for carry in living}
    for pair, short in sorted(seen.shorts.items()):
        if short and pair not in owned:
            text = f"position {-short} on the exchange, no carry in the journal"
            found.append(Finding(Kind.FOREIGN_PERP, "", pair, text, "nothing: close it by hand"))
    return found


def _of_carry(carry: Carry, seen: Snapshot, lot: Decimal) -> Iterable[Finding]:
    pair = carry.facts.pair
    if isinstance(carry.order, Unknown | Working):
        text = f"order {carry.order.intent.client_id}: {getattr(carry.order, 'why', 'not final')}"
        yield Finding(Kind.UNRESOLVED, carry.carry_id, pair, text, "look it up until it is known")
    if carry.state is State.HALTED:
        yield Finding(Kind.HALTED, carry.carry_id, pair, carry.why, "release it and bring the legs in order")
    short = seen.shorts.get(pair)
    if short is not None and short != carry.short_qty:
        text = f"short {short} on the exchange, {carry.short_qty} in the journal"
        yield Finding(Kind.PERP_DIFFERS, carry.carry_id, pair, text, "take the exchange's fills over")
    gap = carry.spot_qty - carry.short_qty
    if carry.state is State.ACTIVE and abs(gap) > max(lot, carry.short_qty * Decimal("0.002")):
        text = f"spot {carry.spot_qty} against short {carry.short_qty}"
        yield Finding(Kind.UNHEDGED, carry.carry_id, pair, text, "trade the difference on spot")


def _missing_spot(
    living: Sequence[Carry], balances: Mapping[str, Decimal], lots: Mapping[str, Decimal]
) -> Iterable[Finding]:
    """Compare the account's coins with what the carries hold; an order of unknown fate explains anything."""
    for base in sorted({carry.facts.base for carry in living}):
        holders = [carry for carry in living if carry.facts.base == base]
        if any(carry.order is not None for carry in holders):
            continue
        held = sum((carry.spot_qty for carry in holders), ZERO)
        lot = max((lots.get(carry.facts.pair, ZERO) for carry in holders), default=ZERO)
        there = balances.get(base, ZERO)
        if there < held - lot:
            text = f"{there} {base} on the spot account, the journal holds {held}"
            first = holders[0]
            remedy = "take the account's quantity over, then bring the legs in order"
            yield Finding(Kind.SPOT_MISSING, first.carry_id, first.facts.pair, text, remedy)


def disprove_order(
    carry: Carry,
    carries: Sequence[Carry],
    open_ids: frozenset[str],
    trades: Sequence[TradeSeen],
    balances: Mapping[str, tuple[Decimal, Decimal]],
    lot: Decimal,
) -> str:
    """Return what speaks against the order's non-existence; empty when everything denies it.

    Denial needs: not among the open orders, every trade since then is known, and the coins on the account
    are what the carry had before plus its known fills (within half a lot: no fill is smaller than a lot).
    """
    assert carry.order is not None, "only an order in flight can be disproved"
    if carry.order.intent.client_id in open_ids:
        return "it is among the open orders"
    known = {trade_id for other in carries for trade_id in other.fills}
    strangers = [trade.trade_id for trade in trades if trade.trade_id not in known]
    if strangers:
        return f"trade {strangers[0]} belongs to no known order"
    base = carry.facts.base
    others = sum(
        (other.spot_qty for other in carries if other is not carry and other.alive and _same(other, base)),
        ZERO,
    )
    expected = carry.facts.base_before + carry.spot_qty
    there = balances.get(base, (ZERO, ZERO))[1]
    if not others and abs(there - expected) >= lot / 2:
        return f"the account holds {there} {base} instead of {expected}"
    return ""


def _same(carry: Carry, base: str) -> bool:
    return carry.announced is not None and carry.facts.base == base


def change_of(carry: Carry, order: PerpOrderSeen) -> Decimal:
    """Return what an order has filled (signed base units) beyond what the carry knows."""
    known = carry.perp.get(order.order_id)
    return order.qty - known.qty if known is not None else order.qty


def asked_for(carry: Carry, grown: Decimal) -> bool:
    """Return whether freqtrade was lately asked to make the short larger by about `grown` base units."""
    return any(abs(-asked.qty - grown) <= abs(asked.qty) / 50 for asked in carry.resizes)


def changed_orders(carry: Carry, orders: Iterable[_Order], others: Iterable[str]) -> list[_Order]:
    """Return the venue's orders since the carry began that filled more than the carry knows of."""
    return [order for order in lost_perp_orders(carry, orders, others) if change_of(carry, order)]


def lost_perp_orders(carry: Carry, orders: Iterable[_Order], known: Iterable[str]) -> list[_Order]:
    """Return orders of the venue since the announcement that no carry knows and that filled or may fill."""
    seen = set(known)
    return [
        order
        for order in orders
        if order.order_id not in seen
        and order.created_ms >= carry.began_ms - SKEW_MS
        and (order.qty or order.open)
    ]

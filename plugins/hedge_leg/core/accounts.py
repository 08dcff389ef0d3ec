"""What a carry has earned and how long it stood unhedged: queries over its facts, nothing stored.

Facts are folded in the order of their own times, whatever the order they were delivered in, so the same
facts always give the same books. `unhedged` integrates |short - spot| x price over time, from fills, and
counts only what exceeds the tolerance: a remainder below a lot is not exposure that anybody could trade away.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from hedge_leg.core.amounts import ZERO, money
from hedge_leg.core.books import PairBooks
from hedge_leg.core.carry import Carry, PerpFact
from hedge_leg.core.ledger import Account
from hedge_leg.core.orders import Side

_MS = Decimal(1000)
Span = tuple[int, int, Decimal]  # since ms, until ms, unhedged notional in quote


def books(carry: Carry) -> PairBooks:
    """Return both legs' books from all facts of a carry."""
    announced = carry.facts
    made = PairBooks(announced.base, announced.quote)
    made.inventory(announced.at_ms, announced.inherited_qty, announced.inherited_cost)
    perp = {key: one.executions() for key, one in carry.perp.items()}
    steps: list[tuple[int, int, str, int]] = [
        *((part[0], 0, key, number) for key, parts in perp.items() for number, part in enumerate(parts)),
        *((one.filled_ms, 1 + (one.side is Side.SELL), one.trade_id, 0) for one in carry.fills.values()),
        *((one.paid_ms, 3, one.key, 0) for one in carry.funding.values()),
        *((one.at_ms, 4, one.key, 0) for one in carry.costs.values()),
        *((one.at_ms, 5, one.key, 0) for one in carry.adjusted.values()),
    ]
    for _at_ms, kind, key, number in sorted(steps):
        if kind == 0:
            _book_perp(made, carry.perp[key], perp[key][number], fee_too=number == 0)
        else:
            _STEPS[kind](made, carry, key)
    if carry.closed is not None:
        made.inventory(carry.closed.at_ms, -carry.closed.dust_qty, -carry.closed.dust_cost)
    return made


def _book_perp(made: PairBooks, one: PerpFact, part: tuple[int, Decimal, Decimal], *, fee_too: bool) -> None:
    """Book one execution of a perp order; the order's fee with the first."""
    at_ms, qty, value = part
    if fee_too:
        made.perp_fee(at_ms, one.fee)
    made.perp_fill(at_ms, qty, value)


def _book_spot(made: PairBooks, carry: Carry, key: str) -> None:
    one, facts = carry.fills[key], carry.facts
    made.spot_fill(one.filled_ms, one.qty if one.side is Side.BUY else -one.qty, one.px)
    if one.fee_asset == facts.base:
        made.spot_fee_in_base(one.filled_ms, one.fee)
    elif one.fee_asset == facts.quote:
        made.spot_fee(one.filled_ms, one.fee)
    else:
        made.spot_fee_in_coin(one.filled_ms, one.fee_asset, one.fee, one.fee_value)


def _book_funding(made: PairBooks, carry: Carry, key: str) -> None:
    one = carry.funding[key]
    made.ledger.transfer(one.paid_ms, "funding", Account.FUNDING, -one.amount)


def _book_cost(made: PairBooks, carry: Carry, key: str) -> None:
    one = carry.costs[key]
    account = Account.BORROW if one.kind == "borrow" else Account.FIXED
    made.ledger.transfer(one.at_ms, one.kind, account, one.amount)


def _book_adjustment(made: PairBooks, carry: Carry, key: str) -> None:
    one = carry.adjusted[key]
    made.spot_fill(one.at_ms, one.qty, one.px)


_STEPS = {1: _book_spot, 2: _book_spot, 3: _book_funding, 4: _book_cost, 5: _book_adjustment}


@dataclass(frozen=True, slots=True)
class Exposure:
    """How a carry stood unhedged: worst notional (quote), total quote x seconds, and the present notional."""

    worst_notional: Decimal
    total_usd_s: Decimal
    now_notional: Decimal


def exposure(carry: Carry, now_ms: int, tolerance_qty: Decimal) -> Exposure:
    """Integrate the unhedged notional from the first fill to `now_ms` (or the carry's end).

    `tolerance_qty` base units: an imbalance up to it counts as hedged.
    """
    spans = unhedged_spans(carry, now_ms, tolerance_qty)
    worst = max((notional for since_ms, until_ms, notional in spans if until_ms > since_ms), default=ZERO)
    return Exposure(money(worst), money(usd_seconds(spans)), money(spans[-1][2]))


def usd_seconds(spans: Iterable[Span]) -> Decimal:
    """Return quote x seconds of stretches."""
    return sum((notional * (until_ms - since_ms) / _MS for since_ms, until_ms, notional in spans), ZERO)


def unhedged_spans(carry: Carry, now_ms: int, tolerance_qty: Decimal) -> list[Span]:
    """Return the stretches between two fills with their unhedged notional, by time.

    The last one has no length: the notional at `now_ms` or at the carry's end.
    """
    base = carry.facts.base
    keyed = [  # the keys make the order of one instant the same, whatever the delivery was
        *(
            (at_ms, 0, one.order_id, -qty, px)
            for one in carry.perp.values()
            for at_ms, qty, px in one.steps()
        ),
        *((one.filled_ms, 1, one.trade_id, -one.base_change(base), one.px) for one in carry.fills.values()),
        *((one.at_ms, 2, one.key, -one.qty, one.px) for one in carry.adjusted.values()),
    ]
    steps = [(at_ms, change, px) for at_ms, _kind, _key, change, px in sorted(keyed)]
    gap, px = -carry.facts.inherited_qty, carry.facts.reference_px
    last_ms = steps[0][0] if steps else now_ms
    end_ms = carry.closed.at_ms if carry.closed is not None else now_ms
    spans: list[Span] = []
    for at_ms, change, step_px in [*steps, (max(end_ms, last_ms), ZERO, None)]:
        since_ms, last_ms = last_ms, max(at_ms, last_ms)
        spans.append((since_ms, last_ms, abs(gap) * px if abs(gap) > tolerance_qty else ZERO))
        gap, px = gap + change, step_px or px
    return [*spans, (last_ms, last_ms, abs(gap) * px if abs(gap) > tolerance_qty else ZERO)]


def entry_notional(carry: Carry) -> Decimal:
    """Return the quote value of the perp's entries; what was planned before there is any."""
    entered = sum((one.value for one in carry.perp.values() if one.qty < ZERO), ZERO)
    return entered or carry.facts.planned_qty * carry.facts.reference_px

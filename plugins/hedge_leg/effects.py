"""How each effect is performed and its outcome journaled. Only the engine calls this.

Each function returns when the carry may be asked again (Unix ms), 0 for at once. An outcome that is not
an answer is journaled as unknown; a read that failed changes nothing and is tried again later.
"""

import logging
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, assert_never

from hedge_leg.core import events as ev
from hedge_leg.core.carry import Carry
from hedge_leg.core.orders import OrderIntent, OrderReport, Working, client_order_id
from hedge_leg.core.plan import (
    Cancel,
    ClosePerp,
    Effect,
    Look,
    LookPerp,
    Place,
    Prove,
    ProveNoPerp,
    ReadBook,
    Rest,
)
from hedge_leg.core.reconcile import asked_for, change_of, changed_orders, disprove_order
from hedge_leg.core.states import State
from hedge_leg.errors import OutcomeUnknown, VenueRefused, VenueUnavailable
from hedge_leg.ports import PerpOrder

if TYPE_CHECKING:
    from hedge_leg.engine import Engine

logger = logging.getLogger(__name__)

LOOK_BACK_MS = 60_000  # how far before its own stamps an order or trade of the venue may be stamped
_STUCK_GRACES = 20  # grace times after which an order that can be neither found nor disproved halts
NEVER_MS = 2**62  # rest until something happens


def perform(engine: "Engine", carry: Carry, effect: Effect, delay_ms: int) -> int:
    """Perform an effect and journal its outcome; return when to go on (ms), 0 for at once."""
    now_ms = engine.clock.now_ms()
    match effect:
        case Place(intent=intent):
            return _place(engine, carry, intent)
        case Look(intent=intent):
            return 0 if _look(engine, carry, intent) else now_ms + delay_ms
        case Cancel(intent=intent):
            _cancel(engine, intent)
            return 0 if _look(engine, carry, intent) else now_ms + delay_ms
        case Prove(intent=intent):
            return _prove(engine, carry, intent, now_ms + delay_ms)
        case ProveNoPerp():
            return 0 if _prove_no_perp(engine, carry) else now_ms + delay_ms
        case ClosePerp(qty=qty, reason=reason):
            return close_perp(engine, carry, qty, reason)
        case LookPerp(client_id=client_id):
            return 0 if _look_perp(engine, carry, client_id) else now_ms + delay_ms
        case Rest(until_ms=until_ms):
            return until_ms or NEVER_MS
        case ReadBook():
            return 0
        case _:
            assert_never(effect)


def _place(engine: "Engine", carry: Carry, intent: OrderIntent) -> int:
    carry = engine.record(carry, ev.SpotIntended(engine.clock.now_ms(), intent))
    try:
        report = engine.spot.place(intent)
    except VenueRefused as error:
        refused = ev.SpotRefused(engine.clock.now_ms(), intent.client_id, error.code, str(error))
        engine.record(carry, refused)
        return 0
    except OutcomeUnknown as error:
        engine.record(carry, ev.SpotOutcomeUnknown(engine.clock.now_ms(), intent.client_id, str(error)))
        return engine.clock.now_ms() + engine.policy.poll_ms
    engine.record(carry, _answered(engine, intent, report))
    return 0 if report.final else engine.clock.now_ms() + engine.policy.poll_ms


def _answered(engine: "Engine", intent: OrderIntent, report: OrderReport) -> ev.SpotAnswered:
    now_ms = engine.clock.now_ms()
    return ev.SpotAnswered(now_ms, intent.client_id, report.venue_id, report.fills, report.final)


def _look(engine: "Engine", carry: Carry, intent: OrderIntent) -> bool:
    """Look an order up; return whether its end is known."""
    try:
        report = engine.spot.find(intent)
    except VenueUnavailable as error:
        logger.warning("carry=%s order=%s cannot be looked up: %s", carry.carry_id, intent.client_id, error)
        return False
    if report is None:
        if getattr(carry.order, "absent_ms", None) is None:
            engine.record(carry, ev.SpotAbsent(engine.clock.now_ms(), intent.client_id))
        return False
    known = isinstance(carry.order, Working) and all(fill.trade_id in carry.fills for fill in report.fills)
    if report.final or not known:
        engine.record(carry, _answered(engine, intent, report))
    return report.final


def _cancel(engine: "Engine", intent: OrderIntent) -> None:
    try:
        engine.spot.cancel(intent)
    except VenueUnavailable as error:
        logger.warning("order=%s cancel not answered: %s", intent.client_id, error)


def _prove(engine: "Engine", carry: Carry, intent: OrderIntent, later_ms: int) -> int:
    """Look at everything that could know of the order; only unanimous denial is proof."""
    order = carry.order
    assert order is not None
    try:
        report = engine.spot.find(intent)
        if report is not None:
            engine.record(carry, _answered(engine, intent, report))
            return 0 if report.final else later_ms
        symbol, since_ms = intent.symbol, carry.sent[intent.client_id] - LOOK_BACK_MS
        doubt = disprove_order(
            carry,
            [other for other in engine.carries.values() if other.announced is not None],
            engine.spot.open_client_ids(symbol),
            engine.spot.trades_since(symbol, since_ms),
            engine.spot.balances(),
            engine.spot.rules(symbol).lot,
        )
    except VenueUnavailable as error:
        logger.warning("carry=%s order=%s cannot be proven: %s", carry.carry_id, intent.client_id, error)
        return later_ms
    now_ms = engine.clock.now_ms()
    if not doubt:
        text = "not found, not open, no trade of it, balance as before"
        engine.record(carry, ev.SpotDisproved(now_ms, intent.client_id, text))
        return 0
    absent_ms = getattr(order, "absent_ms", None) or now_ms
    stuck = now_ms - absent_ms > _STUCK_GRACES * engine.policy.grace_ms
    if stuck and carry.state is not State.HALTED:
        engine.record(carry, ev.Halted(now_ms, f"order {intent.client_id} is not found, yet {doubt}"))
        return 0
    return later_ms


def _prove_no_perp(engine: "Engine", carry: Carry) -> bool:
    """Prove that a carry has no perp order it does not know, or adopt the one that freqtrade lost."""
    pair, now_ms = carry.facts.pair, engine.clock.now_ms()
    try:
        short = engine.perp.short_qty(pair)
        orders = engine.perp.orders_since(pair, carry.began_ms - LOOK_BACK_MS)
    except VenueUnavailable as error:
        logger.warning("carry=%s perp side unknown: %s", carry.carry_id, error)
        return False
    lost = changed_orders(carry, orders, engine.perp_of_others(carry))
    host = engine.host.get(pair)
    opens = [order for order in orders if order.open and not order.reduce_only]
    if opens and host is not None and host.working:
        return False  # freqtrade's own entry rests in the book
    if not lost and not opens and short == carry.short_qty:
        exact = exact_books(carry, orders, now_ms)  # before the end: they tell how long it stood unhedged
        carry = engine.record(carry, *exact) if exact else carry
        engine.perp_absent[carry.carry_id] = carry.version
        return True
    if lost and not any(order.open for order in lost):
        _adopt_lost(engine, carry, lost)
        return True
    since_ms = max(carry.began_ms, carry.perp_known_ms)
    if now_ms - since_ms > _STUCK_GRACES * engine.policy.grace_ms:
        engine.record(carry, ev.Halted(now_ms, f"{pair} has a position of {-short} nobody journaled"))
        return True
    return False


def exact_books(carry: Carry, orders: Iterable[PerpOrder], now_ms: int) -> list[ev.PerpSettled]:
    """Return the exact books of finished orders that a carry only knows roughly."""
    facts: list[ev.PerpSettled] = []
    for order in orders:
        fact = carry.perp.get(order.order_id)
        if fact is not None and not fact.settled and not order.open and order.qty == fact.qty:
            exact = (order.order_id, order.qty, order.value, order.fee, order.parts)
            facts.append(ev.PerpSettled(now_ms, *exact))
    return facts


def _adopt_lost(engine: "Engine", carry: Carry, lost: Sequence[PerpOrder]) -> None:
    """Take over orders that freqtrade does not know, and leave the position again if it has no trade."""
    now_ms, host = engine.clock.now_ms(), engine.host.get(carry.facts.pair)
    grown = -sum((change_of(carry, order) for order in lost), Decimal(0))
    adopted: list[ev.Event] = [perp_filled(engine, order, ev.PerpSource.VENUE) for order in lost]
    if carry.perp and grown > 0 and not asked_for(carry, grown):
        adopted.append(ev.Halted(now_ms, f"somebody else made the short larger by {grown}"))
    elif host is None or not host.open:
        text = "freqtrade was told that its entry failed; the exchange filled it"
        adopted.append(ev.RollbackStarted(now_ms, text))
    engine.record(carry, *adopted)


def perp_filled(engine: "Engine", order: PerpOrder, source: ev.PerpSource) -> ev.PerpFilled:
    """Return the fact of a perp order as the venue tells it."""
    px = order.value / abs(order.qty) if order.qty else Decimal(0)
    filled_ms = order.filled_ms or order.created_ms
    return ev.PerpFilled(engine.clock.now_ms(), order.order_id, order.qty, px, order.fee, filled_ms, source)


def close_perp(engine: "Engine", carry: Carry, qty: Decimal, reason: str) -> int:
    """Buy `qty` of the perp reduce-only, under a committed intent; return when to go on (ms)."""
    client_id = client_order_id(carry.carry_id, len(carry.sent) + 1)
    now_ms = engine.clock.now_ms()
    carry = engine.record(carry, ev.PerpCloseIntended(now_ms, client_id, qty, reason))
    try:
        order = engine.perp.close(carry.facts.pair, qty, client_id)
    except VenueRefused as error:
        resolved = ev.PerpCloseResolved(engine.clock.now_ms(), client_id, "", Decimal(0), str(error))
        engine.record(carry, resolved)
        return engine.clock.now_ms() + engine.policy.poll_ms
    except OutcomeUnknown as error:
        logger.warning("carry=%s perp close %s unknown: %s", carry.carry_id, client_id, error)
        return engine.clock.now_ms() + engine.policy.poll_ms
    _perp_closed(engine, carry, client_id, order)
    return 0


def _perp_closed(engine: "Engine", carry: Carry, client_id: str, order: PerpOrder) -> None:
    now_ms, filled = engine.clock.now_ms(), abs(order.qty)
    resolved = ev.PerpCloseResolved(now_ms, client_id, order.order_id, filled, "filled")
    facts = [perp_filled(engine, order, ev.PerpSource.ENGINE)] if filled else []
    engine.record(carry, *facts, resolved)


def _look_perp(engine: "Engine", carry: Carry, client_id: str) -> bool:
    """Look our own reduce-only order up.

    It was not placed only if, after the grace time, neither its id nor the list of orders nor the position
    knows of it.
    """
    pair, sent_ms = carry.facts.pair, carry.sent[client_id]
    try:
        order = engine.perp.find(pair, client_id)
        now_ms = engine.clock.now_ms()
        if order is None:
            if now_ms - sent_ms < engine.policy.grace_ms:
                return False
            listed = engine.perp.orders_since(pair, sent_ms - LOOK_BACK_MS)
            order = next((one for one in listed if one.client_id == client_id), None)
            if order is None and engine.perp.short_qty(pair) != carry.short_qty:
                if (
                    now_ms - sent_ms > _STUCK_GRACES * engine.policy.grace_ms
                    and carry.state is not State.HALTED
                ):
                    text = f"perp close {client_id} is not found, yet the position has changed"
                    engine.record(carry, ev.Halted(now_ms, text))
                return False
    except VenueUnavailable as error:
        logger.warning("carry=%s perp close %s unknown: %s", carry.carry_id, client_id, error)
        return False
    if order is None:
        engine.record(carry, ev.PerpCloseResolved(now_ms, client_id, "", Decimal(0), "not found"))
        return True
    if order.open:
        return False
    _perp_closed(engine, carry, client_id, order)
    return True

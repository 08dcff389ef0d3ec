"""How a carry changes: `evolve` returns the carry after one more event, `replay` after all of them.

A step that the state table does not know raises IllegalTransition and changes nothing.
"""

from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hedge_leg.core import events as ev
from hedge_leg.core.amounts import ZERO
from hedge_leg.core.carry import Carry, PerpFact, Point
from hedge_leg.core.orders import Sent, Unknown, Working
from hedge_leg.core.states import State, next_state

_FORGIVEN_MS = 6 * 3_600_000  # exits that were given up that long ago do not make the next one wait longer
_UNSOLD = Decimal("0.95")  # spot of at least so much of the perp: the exit has sold next to nothing


def evolve(carry: Carry, event: ev.Event) -> Carry:
    """Return the carry after one more event. Raises IllegalTransition and changes nothing."""
    after = copy(carry)
    for name in _OWN_DICTS:
        setattr(after, name, dict(getattr(carry, name)))
    apply(after, event)
    return after


def replay(carry_id: str, events: Iterable[ev.Event]) -> Carry:
    """Return the carry that a sequence of events makes."""
    carry = Carry(carry_id)
    for event in events:
        apply(carry, event)
    return carry


_OWN_DICTS = ("perp", "fills", "funding", "costs", "adjusted", "alarms", "sent", "answered")


def apply(carry: Carry, event: ev.Event) -> None:
    """Change a carry in place; only for whoever owns it. Raises IllegalTransition before any change."""
    before = carry.state
    carry.state = next_state(before, event)
    carry.version += 1
    _HANDLERS[type(event)](carry, event)


def _announced(carry: Carry, event: ev.Announced) -> None:
    carry.announced = event
    carry.began_ms = event.at_ms
    carry.spot_qty = event.inherited_qty


def _perp_filled(carry: Carry, event: ev.PerpFilled) -> None:
    known = carry.perp.get(event.order_id)
    carry.trade_id = carry.trade_id if event.trade_id is None else event.trade_id
    point = (event.qty, event.filled_ms, event.px)
    seen = known.seen if known is not None and known.settled else _seen(known, point)
    if known is not None:
        source = ev.PerpSource.HOST if event.source is ev.PerpSource.HOST else known.source
        if known.settled or abs(event.qty) <= abs(known.qty):
            carry.perp[event.order_id] = replace(known, source=source, seen=seen)
            return
    value = abs(event.qty) * event.px
    fact = PerpFact(*(event.order_id, event.qty, value, event.fee, event.filled_ms, event.source), seen=seen)
    _set_perp(carry, fact)
    carry.perp_known_ms = event.at_ms
    if known is None and carry.state is State.ACTIVE and carry.short_qty > 0:
        carry.balancing |= {event.order_id}
    _new_gap(carry)


def _seen(known: PerpFact | None, point: Point) -> tuple[Point, ...]:
    """Return the points with one more, by quantity; of one quantity the earliest time counts."""
    points = {} if known is None else {one[0]: one for one in known.seen}
    points[point[0]] = min(points.get(point[0], point), point)
    return tuple(sorted(points.values(), key=lambda one: (abs(one[0]), one)))


def _perp_settled(carry: Carry, event: ev.PerpSettled) -> None:
    known = carry.perp.get(event.order_id)
    if known is not None and not known.settled and abs(event.qty) >= abs(known.qty):
        exact = replace(known, qty=event.qty, value=event.value, fee=event.fee, settled=True)
        _set_perp(carry, replace(exact, seen=_points(event.parts)) if event.parts else exact)


def _points(parts: Iterable[ev.PerpPart]) -> tuple[Point, ...]:
    """Return how far an order had filled when, from its executions."""
    points: list[Point] = []
    filled = ZERO
    for part in parts:
        filled += part.qty
        points.append((filled, part.filled_ms, part.px))
    return tuple(points)


def _set_perp(carry: Carry, fact: PerpFact) -> None:
    carry.perp[fact.order_id] = fact
    carry.short_qty = -sum((one.qty for one in carry.perp.values()), ZERO)


def _new_gap(carry: Carry) -> None:
    carry.misses = 0


def _perp_close_intended(carry: Carry, event: ev.PerpCloseIntended) -> None:
    carry.perp_close = event
    carry.sent[event.client_id] = event.at_ms


def _perp_close_resolved(carry: Carry, event: ev.PerpCloseResolved) -> None:
    if carry.perp_close is not None and carry.perp_close.client_id == event.client_id:
        carry.perp_close = None
        if not event.filled_qty:
            carry.misses += 1
            carry.last_miss_ms = event.at_ms
    carry.answered[event.client_id] = event.text


_KEPT_RESIZES = 9


def _resize_asked(carry: Carry, event: ev.ResizeAsked) -> None:
    carry.resizes = (*carry.resizes[-_KEPT_RESIZES:], event)


def _spot_intended(carry: Carry, event: ev.SpotIntended) -> None:
    intent = event.intent
    carry.order = Sent(intent, event.at_ms)
    carry.sent[intent.client_id] = event.at_ms
    carry.retries += intent.attempt > 0
    if carry.state is State.ACTIVE and carry.short_qty > 0:
        carry.balancing |= {intent.client_id}
    if carry.first_sent_lag_ms is None and carry.perp_known_ms:
        carry.first_sent_lag_ms = event.at_ms - carry.perp_known_ms


def _spot_answered(carry: Carry, event: ev.SpotAnswered) -> None:
    if event.client_id in carry.balancing:
        carry.balancing_fills |= {fill.trade_id for fill in event.fills}
    for fill in event.fills:
        if fill.trade_id not in carry.fills:
            carry.fills[fill.trade_id] = fill
            carry.spot_qty += fill.base_change(carry.facts.base)
    order = carry.order
    if order is None or order.intent.client_id != event.client_id:
        return
    if not event.final:
        carry.order = Working(order.intent, order.since_ms, event.venue_id)
        return
    whole = sum((fill.qty for fill in event.fills), ZERO) == order.intent.qty
    _ended(carry, event.client_id, "filled" if whole else "expired", event.at_ms, missed=not whole)


def _spot_refused(carry: Carry, event: ev.SpotRefused) -> None:
    if carry.order is not None and carry.order.intent.client_id == event.client_id:
        _ended(carry, event.client_id, "refused", event.at_ms, missed=True)


def _spot_outcome_unknown(carry: Carry, event: ev.SpotOutcomeUnknown) -> None:
    order = carry.order
    if isinstance(order, Sent | Working) and order.intent.client_id == event.client_id:
        carry.order = Unknown(order.intent, event.at_ms, event.why)


def _spot_absent(carry: Carry, event: ev.SpotAbsent) -> None:
    order = carry.order
    if order is None or order.intent.client_id != event.client_id:
        return
    if isinstance(order, Unknown) and order.absent_ms is not None:
        return
    why = order.why if isinstance(order, Unknown) else "the venue does not know it"
    carry.order = Unknown(order.intent, order.since_ms, why, event.at_ms)


def _spot_disproved(carry: Carry, event: ev.SpotDisproved) -> None:
    if carry.order is not None and carry.order.intent.client_id == event.client_id:
        _ended(carry, event.client_id, "never existed", event.at_ms, missed=True)


def _ended(carry: Carry, client_id: str, how: str, at_ms: int, *, missed: bool) -> None:
    carry.order = None
    carry.answered[client_id] = how
    if missed:
        carry.misses += 1
        carry.last_miss_ms = at_ms


def _hedged(carry: Carry, event: ev.Hedged) -> None:
    _new_gap(carry)
    if carry.perp_known_ms:
        carry.hedged_lag_ms = event.at_ms - carry.perp_known_ms


def _closing(carry: Carry, event: ev.ExitAsked | ev.RollbackStarted) -> None:
    carry.rolling_back = isinstance(event, ev.RollbackStarted)
    carry.rollbacks += carry.rolling_back
    carry.closing_since_ms, carry.why = event.at_ms, event.reason
    _new_gap(carry)


def _exit_abandoned(carry: Carry, event: ev.ExitAbandoned) -> None:
    carry.why = event.reason
    carry.closing_since_ms = 0
    if event.at_ms - carry.abandoned_ms > _FORGIVEN_MS:
        carry.undone_exits = 0
    carry.undone_exits += carry.spot_qty < carry.short_qty * _UNSOLD
    carry.abandoned_ms = event.at_ms
    _new_gap(carry)


def _closed(carry: Carry, event: ev.Closed) -> None:
    carry.closed, carry.why = event, event.reason


def _halted(carry: Carry, event: ev.Halted) -> None:
    carry.halts += 1
    carry.why = event.reason


def _released(carry: Carry, event: ev.Released) -> None:
    carry.rolling_back, carry.why, carry.closing_since_ms = False, event.by, 0
    _new_gap(carry)


def _adjusted(carry: Carry, event: ev.InventoryAdjusted) -> None:
    if event.key not in carry.adjusted:
        carry.adjusted[event.key] = event
        carry.spot_qty += event.qty


def _funding_paid(carry: Carry, event: ev.FundingPaid) -> None:
    carry.funding.setdefault(event.key, event)


def _cost_charged(carry: Carry, event: ev.CostCharged) -> None:
    carry.costs.setdefault(event.key, event)


def _alarmed(carry: Carry, event: ev.Alarmed) -> None:
    carry.alarms.setdefault(event.key, event.text)


_HANDLERS: dict[type[Any], Callable[[Carry, Any], None]] = {
    ev.Announced: _announced,
    ev.PerpFilled: _perp_filled,
    ev.PerpSettled: _perp_settled,
    ev.PerpCloseIntended: _perp_close_intended,
    ev.PerpCloseResolved: _perp_close_resolved,
    ev.ResizeAsked: _resize_asked,
    ev.SpotIntended: _spot_intended,
    ev.SpotAnswered: _spot_answered,
    ev.SpotRefused: _spot_refused,
    ev.SpotOutcomeUnknown: _spot_outcome_unknown,
    ev.SpotAbsent: _spot_absent,
    ev.SpotDisproved: _spot_disproved,
    ev.Hedged: _hedged,
    ev.ExitAsked: _closing,
    ev.RollbackStarted: _closing,
    ev.ExitAbandoned: _exit_abandoned,
    ev.Closed: _closed,
    ev.Halted: _halted,
    ev.Released: _released,
    ev.InventoryAdjusted: _adjusted,
    ev.FundingPaid: _funding_paid,
    ev.CostCharged: _cost_charged,
    ev.Alarmed: _alarmed,
}

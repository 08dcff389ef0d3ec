"""Positions of pairs whose carry has ended: an entry that arrived very late, or somebody else's.

freqtrade's entry (or addition) is taken as not placed once position and orders have denied it for the grace
time. Should the exchange fill it later still, the perp would be naked: that one order is taken over by a carry
of its own and closed reduce-only; what has been closed or liquidated before it was seen is booked. Any other
position is alarmed and left alone.
"""

from collections.abc import Sequence

from dataclasses import dataclass, field, replace
from decimal import Decimal

from hedge_leg.core import events as ev
from hedge_leg.core.amounts import ZERO
from hedge_leg.core.carry import Carry, new_carry_id
from hedge_leg.core.reconcile import asked_for, lost_perp_orders
from hedge_leg.effects import LOOK_BACK_MS, perp_filled
from hedge_leg.engine import Engine
from hedge_leg.late_facts import FORGOTTEN_MS, GRACE_MS
from hedge_leg.ports import PerpOrder

_ALL_MS = 10 * 60_000
_ROUNDED = Decimal("0.98")  # freqtrade cuts what was announced to the perp's lots


@dataclass(slots=True)
class Strangers:
    """Watches the pairs of one engine: always for `GRACE_MS` after an end, then now and then for a week."""

    engine: Engine
    _next_all_ms: int = 0
    _seen: dict[str, tuple[Decimal, int]] = field(default_factory=dict)
    _audited_ms: dict[str, int] = field(default_factory=dict)

    def lately_closed(self, within_ms: int = GRACE_MS) -> list[Carry]:
        """Return the last carry of each pair that has no living one, for a while after its end."""
        last = {carry.facts.pair: carry for carry in self.engine.carries.values() if carry.announced}
        since_ms = self.engine.clock.now_ms() - within_ms
        return [one for one in last.values() if one.closed is not None and one.closed.at_ms >= since_ms]

    def due(self) -> list[Carry]:
        """Return the ended carries whose pairs are to be looked at now."""
        now_ms = self.engine.clock.now_ms()
        if now_ms < self._next_all_ms:
            return self.lately_closed()
        self._next_all_ms = now_ms + _ALL_MS
        return self.lately_closed(FORGOTTEN_MS)

    def watch(self, carry: Carry) -> None:
        """Look at the position of an ended carry's pair. Raises VenueUnavailable."""
        engine, now_ms = self.engine, self.engine.clock.now_ms()
        short = engine.perp.short_qty(carry.facts.pair)
        seen, since_ms = self._seen.get(carry.carry_id, (short, now_ms))
        self._seen[carry.carry_id] = (short, since_ms if seen == short else now_ms)
        if seen != short or now_ms - since_ms < engine.policy.grace_ms or not (short or self._audit(carry)):
            return
        late = self._late_orders(carry, short)
        if late:
            self._take_over(carry, late)
        elif short:
            text = f"a position of {-short} that no carry holds: close it by hand"
            engine.alarm(carry, f"stranger-{short}", text)

    def _audit(self, carry: Carry) -> bool:
        """Return whether the orders of a flat pair are to be read: now and then, until no order can come."""
        assert carry.closed is not None
        now_ms, end_ms = self.engine.clock.now_ms(), carry.closed.at_ms
        read_ms = self._audited_ms.get(carry.carry_id, end_ms)
        if read_ms > end_ms + GRACE_MS or now_ms - read_ms < _ALL_MS:
            return False
        self._audited_ms[carry.carry_id] = now_ms
        return True

    def _late_orders(self, carry: Carry, short: Decimal) -> Sequence[PerpOrder]:
        """Return the order freqtrade had given, if it and what closed it, and nothing else, is the position."""
        assert carry.closed is not None
        orders = self.engine.perp.orders_since(carry.facts.pair, carry.began_ms - LOOK_BACK_MS)
        lost = lost_perp_orders(carry, orders, self.engine.perp_of_others(carry))
        lost.sort(key=lambda order: (order.created_ms, order.qty > 0))
        if not lost or any(order.open for order in lost) or -sum((one.qty for one in lost), ZERO) != short:
            return ()
        entry, rest = lost[0], lost[1:]
        if entry.reduce_only or entry.created_ms > carry.closed.at_ms + GRACE_MS or (rest and short):
            return ()
        if carry.perp:
            return lost if asked_for(carry, -entry.qty) else ()
        planned = carry.facts.planned_qty
        return lost if planned * _ROUNDED <= -entry.qty <= planned else ()

    def _take_over(self, carry: Carry, late: Sequence[PerpOrder]) -> None:
        """Begin a carry with the orders, in which the perp is closed if it still is open."""
        engine, now_ms = self.engine, self.engine.clock.now_ms()
        pair, base = carry.facts.pair, carry.facts.base
        announced = replace(
            carry.facts,
            at_ms=min(late[0].created_ms, now_ms),
            planned_qty=-late[0].qty,
            base_before=carry.facts.base_before + carry.spot_qty,
            inherited_qty=ZERO,
            inherited_cost=ZERO,
        )
        text = "an entry that was proven not to exist was filled after all"
        began = Carry(new_carry_id(base, pair, now_ms, len(engine.carries)))
        filled = (perp_filled(engine, order, ev.PerpSource.VENUE) for order in late)
        engine.record(began, announced, *filled, ev.RollbackStarted(now_ms, text))

"""Positions of pairs whose carry has ended: an entry that arrived very late, or somebody else's.

freqtrade's entry (or addition) is taken as not placed once position and orders have denied it for the grace
time. Should the exchange fill it later still, the perp would be naked: that one order is taken over by a
carry of its own and closed reduce-only. Any other position is alarmed and left alone.
"""

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
        if not short or seen != short or now_ms - since_ms < engine.policy.grace_ms:
            return
        late = self._late_order(carry, short)
        if late is None:
            text = f"a position of {-short} that no carry holds: close it by hand"
            engine.alarm(carry, f"stranger-{short}", text)
        else:
            self._take_over(carry, late)

    def _late_order(self, last: Carry, short: Decimal) -> PerpOrder | None:
        """Return the order freqtrade had given for an ended carry if it, and no other, is the position."""
        engine, pair = self.engine, last.facts.pair
        of_pair = [one for one in engine.carries.values() if one.announced and one.facts.pair == pair]
        ended = [one for one in of_pair if one.closed and _until_ms(one) >= last.began_ms]
        known = {key for one in of_pair for key in one.perp}
        orders = engine.perp.orders_since(pair, min(one.began_ms for one in ended) - LOOK_BACK_MS)
        for one in ended:
            lost = lost_perp_orders(one, orders, known)
            if len(lost) == 1 and -lost[0].qty == short and _expected(one, lost[0]):
                return lost[0]
        return None

    def _take_over(self, carry: Carry, order: PerpOrder) -> None:
        """Begin a carry with the order, in which the perp is closed."""
        engine, now_ms = self.engine, self.engine.clock.now_ms()
        pair, base = carry.facts.pair, carry.facts.base
        announced = replace(
            carry.facts,
            at_ms=min(order.created_ms, now_ms),
            planned_qty=-order.qty,
            base_before=carry.facts.base_before + carry.spot_qty,
            inherited_qty=ZERO,
            inherited_cost=ZERO,
        )
        text = "an entry that was proven not to exist was filled after all"
        began = Carry(new_carry_id(base, pair, now_ms, len(engine.carries)))
        filled = perp_filled(engine, order, ev.PerpSource.VENUE)
        engine.record(began, announced, filled, ev.RollbackStarted(now_ms, text))


def _until_ms(carry: Carry) -> int:
    """Return until when an order of an ended carry may still come."""
    assert carry.closed is not None
    return carry.closed.at_ms + GRACE_MS


def _expected(carry: Carry, order: PerpOrder) -> bool:
    """Return whether the order is what freqtrade was allowed to send for an ended carry, not too late."""
    if order.open or order.reduce_only or order.created_ms > _until_ms(carry):
        return False
    planned = carry.facts.planned_qty
    return asked_for(carry, -order.qty) if carry.perp else planned * _ROUNDED <= -order.qty <= planned

"""Facts that come after the fills: exact fees, funding, and perp orders that cancelled each other out unseen.

Every carry is read about once a minute while it lives, and after its end until it has been read once more,
`GRACE_MS` after that end: also by a bot that stood still meanwhile, for a week. Of many carries only the
`MOST_READS` longest not read have their turn: on Binance a turn costs 35 of 2,400 units of weight a minute.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hedge_leg.core import events as ev
from hedge_leg.core.amounts import ZERO
from hedge_leg.core.carry import Carry
from hedge_leg.core.reconcile import change_of, changed_orders
from hedge_leg.effects import LOOK_BACK_MS, exact_books, perp_filled
from hedge_leg.engine import Engine
from hedge_leg.ports import PerpOrder

GRACE_MS = 20 * 60_000  # how long after its end a carry still takes funding and exact fees over
FORGOTTEN_MS = 7 * 86_400_000  # older ends are not looked into any more
MOST_READS = 20
_SNAPSHOT_MS = 15_000  # Binance: the position at a settlement may be taken that much later
_AUDIT_MS = 10 * 60_000  # how often the orders of a carry are read that has nothing to settle


@dataclass(slots=True)
class LateFacts:
    """Reads them, for one engine. A new process has read nothing yet."""

    engine: Engine
    _read_ms: dict[str, int] = field(default_factory=dict)
    _audited_ms: dict[str, int] = field(default_factory=dict)

    def turn(self, read: Callable[[Carry], None]) -> None:
        """Let `read` call `settle` for the carries whose turn it is, the longest not read first."""
        waiting = sorted(filter(self._open, self.engine.carries.values()), key=self._last_read_ms)
        for carry in waiting[:MOST_READS]:
            read(carry)

    def _last_read_ms(self, carry: Carry) -> int:
        return self._read_ms.get(carry.carry_id, 0)

    def _open(self, carry: Carry) -> bool:
        """Return whether more may be learned of a carry."""
        if carry.announced is None or not carry.perp:
            return False
        if carry.closed is None:
            return True
        end_ms = carry.closed.at_ms
        old = self.engine.clock.now_ms() - end_ms > FORGOTTEN_MS
        return not old and self._last_read_ms(carry) < end_ms + GRACE_MS

    def settle(self, carry: Carry) -> Carry:
        """Take over what the exchange now says of a carry. Raises VenueUnavailable: nothing has changed."""
        if not self._open(carry):
            return carry
        engine, now_ms = self.engine, self.engine.clock.now_ms()
        facts: list[ev.Event] = []
        if self._wants_orders(carry, now_ms):
            orders = engine.perp.orders_since(carry.facts.pair, carry.began_ms - LOOK_BACK_MS)
            self._audited_ms[carry.carry_id] = now_ms
            carry = self._cancelled_out(carry, orders)
            facts.extend(exact_books(carry, orders, now_ms))
        facts.extend(self._funding(carry, now_ms))
        self._read_ms[carry.carry_id] = now_ms
        return engine.record(carry, *facts) if facts else carry

    def _wants_orders(self, carry: Carry, now_ms: int) -> bool:
        audited_ms = self._audited_ms.get(carry.carry_id, 0)
        return now_ms - audited_ms >= _AUDIT_MS or any(not fact.settled for fact in carry.perp.values())

    def _cancelled_out(self, carry: Carry, orders: Sequence[PerpOrder]) -> Carry:
        """Take orders over that nobody told of because together they left the position as it was."""
        engine = self.engine
        lost = changed_orders(carry, orders, engine.perp_of_others(carry)) if carry.alive else []
        change = sum((change_of(carry, order) for order in lost), ZERO)
        if not lost or change or any(order.open for order in lost):
            return carry
        newest_ms = max(order.filled_ms or order.created_ms for order in lost)
        if engine.clock.now_ms() - newest_ms < engine.policy.grace_ms:
            return carry  # freqtrade may be about to tell
        carry = engine.record(carry, *(perp_filled(engine, one, ev.PerpSource.VENUE) for one in lost))
        told = ", ".join(f"{order.order_id} {order.qty}" for order in lost)
        return engine.alarm(carry, f"adopted-{lost[0].order_id}", f"perp orders freqtrade missed: {told}")

    def _funding(self, carry: Carry, now_ms: int) -> list[ev.FundingPaid]:
        """Return payments since the first execution, up to the last one or while the perp is held."""
        engine, pair = self.engine, carry.facts.pair
        filled_ms = [at_ms for fact in carry.perp.values() for at_ms, _qty, _px in fact.steps()]
        if not filled_ms:
            return []
        first_ms, until_ms = min(filled_ms), max(filled_ms) if not carry.short_qty else now_ms
        same = (one for one in engine.carries.values() if one.announced and one.facts.pair == pair)
        claimed = {key for other in same for key in other.funding}
        return [
            ev.FundingPaid(now_ms, paid.key, paid.amount, paid.paid_ms)
            for paid in engine.perp.funding_since(pair, first_ms)
            if paid.key not in claimed and first_ms <= paid.paid_ms <= until_ms + _SNAPSHOT_MS
        ]

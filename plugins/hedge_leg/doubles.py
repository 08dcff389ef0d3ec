"""Orders of ours that filled more than was known: a network repeated the request, or it arrived very late.

Binance forgets a client order id as soon as its order has ended, so a repeated request is a second order
under the same id, and only one of them is found by it. What gives it away is the account: it holds other
coins than it had before the carry plus the carry's fills. Then, and only then, all orders are read that bear
our ids. What they filled is taken over and the remedy trades the difference; coins that no order of ours
moved (deposits, other people's trades) are left alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from hedge_leg.core import events as ev
from hedge_leg.core.amounts import ZERO
from hedge_leg.core.carry import Carry
from hedge_leg.core.orders import OrderReport
from hedge_leg.effects import LOOK_BACK_MS
from hedge_leg.engine import Engine


@dataclass(slots=True)
class Doubles:
    """Looks for doubled orders; each difference of the account is looked into once."""

    engine: Engine
    _looked: dict[str, Decimal] = field(default_factory=dict)

    def watch(self, totals: Mapping[str, Decimal], carries: Iterable[Carry]) -> None:
        """Compare the account's totals with each carry; VenueUnavailable when orders cannot be read."""
        for carry in carries:
            if carry.order is None and not self._shared(carry):
                self._watch_one(carry, totals.get(carry.facts.base, ZERO))

    def _shared(self, carry: Carry) -> bool:
        """Return whether another living carry holds the same coin: then the account tells nothing."""
        base = carry.facts.base
        return any(one is not carry and one.facts.base == base for one in self.engine.alive())

    def _watch_one(self, carry: Carry, total: Decimal) -> None:
        engine, facts = self.engine, carry.facts
        surplus = total - facts.base_before - carry.spot_qty
        lot = engine.spot.rules(facts.symbol).lot
        if abs(surplus) < lot / 2 or self._looked.get(carry.carry_id) == surplus:
            return
        since_ms = carry.began_ms - LOOK_BACK_MS
        reports = engine.spot.orders_of(facts.symbol, frozenset(carry.sent), since_ms)
        for report in reports:
            if any(fill.trade_id not in carry.fills for fill in report.fills):
                carry = self._take_over(carry, report)
        self._looked[carry.carry_id] = total - facts.base_before - carry.spot_qty

    def _take_over(self, carry: Carry, report: OrderReport) -> Carry:
        """Journal what a doubled order filled, and ring; of a carry that has ended only ring."""
        engine, now_ms = self.engine, self.engine.clock.now_ms()
        text = f"order {report.client_id} ({report.venue_id}) filled more than was known: {report.filled_qty}"
        if carry.closed is None:
            carry = engine.record(
                carry,
                ev.SpotAnswered(now_ms, report.client_id, report.venue_id, report.fills, report.final),
            )
        else:
            text += "; the carry has ended: bring the account in order by hand"
        return engine.alarm(carry, f"doubled-{report.venue_id}", text)

"""What is done at every loop: take over what freqtrade and the venues show, then let each carry act.

The order matters: the journal first (if it failed), then freqtrade's own fills, then what the exchange
says of the perp, then the coins on the spot account; a carry acts on all of it. Nothing is believed on a
single look where believing it would trade: a difference must stand for the grace time, and the orders that
made it must add up.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from hedge_leg.core import events as ev
from hedge_leg.core.carry import Carry
from hedge_leg.core.decide import exceeds_bound
from hedge_leg.core.reconcile import Kind, Snapshot, asked_for, change_of, changed_orders, findings
from hedge_leg.core.states import State
from hedge_leg.doubles import Doubles
from hedge_leg.effects import LOOK_BACK_MS, close_perp, perp_filled
from hedge_leg.engine import Engine, HostPair
from hedge_leg.errors import HedgeError, IllegalTransition, VenueUnavailable
from hedge_leg.late_facts import LateFacts
from hedge_leg.ports import PerpOrder
from hedge_leg.strangers import Strangers

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HostOrder:
    """A filled order of freqtrade's trade: cumulative signed `qty` (short entries negative), quote `fee`."""

    order_id: str
    qty: Decimal
    px: Decimal
    fee: Decimal
    filled_ms: int


@dataclass(frozen=True, slots=True)
class HostTrade:
    """What freqtrade knows of a pair: its newest trade since the carry began, and that trade's orders."""

    trade_id: int
    open: bool
    working: bool
    orders: tuple[HostOrder, ...]


@dataclass(slots=True)
class Watch:
    """The loop over one engine. Intervals in ms; `None` in `suspects` is no suspicion."""

    engine: Engine
    perp_interval_ms: int = 5_000
    spot_interval_ms: int = 60_000
    books_interval_ms: int = 60_000
    patience_ms: int = 2_000
    _suspects: dict[str, tuple[Decimal, int]] = field(default_factory=dict)
    _missing: dict[str, int] = field(default_factory=dict)
    _next: dict[str, int] = field(default_factory=dict)
    _doubles: Doubles = field(init=False)
    _late: LateFacts = field(init=False)
    _strangers: Strangers = field(init=False)

    def __post_init__(self) -> None:
        """Look for doubled orders, late facts and strangers in the same engine."""
        self._doubles = Doubles(self.engine)
        self._late = LateFacts(self.engine)
        self._strangers = Strangers(self.engine)

    def tick(self, hosts: Mapping[str, HostTrade]) -> None:
        """Do one loop. `hosts`: freqtrade's trade per pair, of pairs that have one or had one for a carry."""
        engine = self.engine
        with engine.lock:
            if engine.broken:
                engine.load()
            for carry in engine.alive():
                self._guarded(carry, lambda one: self._take_over(one, hosts.get(one.facts.pair)))
            if self._due("perp", self.perp_interval_ms):
                for carry in engine.alive():
                    self._guarded(carry, self._watch_perp)
                for carry in self._strangers.due():
                    self._guarded(carry, self._strangers.watch)
            self._act()
            if self._due("books", self.books_interval_ms):
                self._late.turn(lambda carry: self._guarded(carry, self.settle))
            self._ring()
            if self._due("spot", self.spot_interval_ms):
                self._watch_spot()
            engine.recovered = engine.recovered or all(one.order is None for one in engine.alive())

    def tick_alone(self) -> None:
        """Do what needs no freqtrade: its loop does not run, its last words stand."""
        engine = self.engine
        with engine.lock:
            if engine.broken:
                engine.load()
            for carry in engine.alive():
                self._guarded(carry, self._watch_perp)
            for carry in self._strangers.due():
                self._guarded(carry, self._strangers.watch)
            self._act()
            self._ring()

    def _due(self, what: str, interval_ms: int) -> bool:
        now_ms = self.engine.clock.now_ms()
        if now_ms < self._next.get(what, 0):
            return False
        self._next[what] = now_ms + interval_ms
        return True

    def _guarded(self, carry: Carry, step: Callable[[Carry], None]) -> None:
        """Run a step of one carry; what cannot be read or done is tried again, and never stops the others."""
        try:
            step(carry)
        except VenueUnavailable as error:
            logger.warning("carry=%s not known now: %s", carry.carry_id, error)
        except IllegalTransition as error:
            logger.error("carry=%s %s", carry.carry_id, error)

    def _act(self) -> None:
        for carry in self.engine.alive():
            if self.engine.due(carry.carry_id):
                self.engine.pump(carry.carry_id, patience_ms=self.patience_ms)

    def _ring(self) -> None:
        """Alarm while a carry stands unhedged beyond its bound, whatever is being done about it."""
        engine = self.engine
        for carry in engine.alive():
            sight = engine.sight(carry)
            if sight is not None and exceeds_bound(carry, sight, engine.policy):
                text = f"unhedged beyond the bound of {engine.policy.max_unhedged_s} s"
                engine.alarm(carry, "unhedged-bound", text)

    def _take_over(self, carry: Carry, host: HostTrade | None) -> None:
        """Journal freqtrade's fills that are not there yet, and whether it still knows the trade."""
        engine, pair = self.engine, carry.facts.pair
        forgotten = host is None and carry.trade_id is not None
        self.note_host(pair, host)
        if host is not None:
            carry = host_fills(engine, carry, host)
        if forgotten and carry.short_qty > 0 and carry.state in (State.OPENING, State.ACTIVE):
            text = "freqtrade's trade was deleted; both legs are left as they are: see hedge-leg unwind"
            engine.record(carry, ev.Halted(engine.clock.now_ms(), text))
        elif host is not None and not host.open and carry.state is State.ACTIVE and carry.short_qty > 0:
            text = "freqtrade closed its trade, the exchange still has a short position"
            engine.record(carry, ev.RollbackStarted(engine.clock.now_ms(), text))

    def note_host(self, pair: str, host: HostTrade | None) -> None:
        """Remember what freqtrade knows of a pair, for decisions."""
        known = HostPair(open=host is not None and host.open, working=host is not None and host.working)
        if self.engine.host.get(pair) != known:
            self.engine.host[pair] = known
            for carry in self.engine.alive():
                if carry.facts.pair == pair:
                    self.engine.wake(carry.carry_id)

    def _watch_perp(self, carry: Carry) -> None:
        """Compare the exchange's position with the carry's; take over what its orders explain."""
        engine, now_ms = self.engine, self.engine.clock.now_ms()
        if carry.state is State.OPENING and not carry.perp:
            return  # `decide` proves or adopts
        short = engine.perp.short_qty(carry.facts.pair)
        if short == carry.short_qty:
            engine.perp_agreed_ms[carry.carry_id] = now_ms
            self._suspects.pop(carry.carry_id, None)
            return
        seen, since_ms = self._suspects.get(carry.carry_id, (short, now_ms))
        first = seen != short or carry.carry_id not in self._suspects
        if first:
            self._suspects[carry.carry_id] = (short, now_ms)
        ripe = not first and now_ms - since_ms >= engine.policy.grace_ms
        if not ripe and short > carry.short_qty:
            return
        orders = engine.perp.orders_since(carry.facts.pair, carry.began_ms - LOOK_BACK_MS)
        lost = changed_orders(carry, orders, engine.perp_of_others(carry))
        explained = bool(lost) and carry.short_qty - sum(change_of(carry, order) for order in lost) == short
        forced = explained and all(order.liquidation for order in lost)  # never freqtrade's: no waiting
        if not ripe and not forced:
            return
        if not explained:
            if now_ms - since_ms > 20 * engine.policy.grace_ms:
                text = f"the exchange shows a short of {short}, the orders explain {carry.short_qty}"
                if carry.state is not State.HALTED:
                    engine.record(carry, ev.Halted(now_ms, text))
            return
        self._suspects.pop(carry.carry_id, None)
        self._adopt(carry, lost)

    def _adopt(self, carry: Carry, lost: list[PerpOrder]) -> None:
        """Take the exchange's orders over; what made the position larger is closed again, reduce-only."""
        engine, now_ms = self.engine, self.engine.clock.now_ms()
        strange = [order for order in lost if order.qty < 0 and not self._of_freqtrade(carry, order)]
        grown = -sum((change_of(carry, order) for order in strange), Decimal(0))
        facts = [perp_filled(engine, order, ev.PerpSource.VENUE) for order in lost]
        carry = engine.record(carry, *facts)
        told = ", ".join(f"{order.order_id} {order.qty}" for order in lost)
        carry = engine.alarm(carry, f"adopted-{lost[0].order_id}", f"perp orders freqtrade missed: {told}")
        if grown <= 0:
            return
        if asked_for(carry, grown) or carry.state is State.CLOSING:
            close_perp(engine, carry, min(grown, carry.short_qty), "an addition whose answer was lost")
        elif carry.state is not State.HALTED:
            engine.record(carry, ev.Halted(now_ms, f"somebody else made the short larger by {grown}"))

    def _of_freqtrade(self, carry: Carry, order: PerpOrder) -> bool:
        """Return whether freqtrade's own entry is at work, which it only has not been told of yet."""
        known, host = carry.perp.get(order.order_id), self.engine.host.get(carry.facts.pair)
        return (known is not None and known.source is ev.PerpSource.HOST) or (
            host is not None and host.working
        )

    def settle(self, carry: Carry) -> None:
        """Take over exact fees of finished perp orders, and funding; also after the end (`late_facts`)."""
        self._late.settle(carry)

    def _watch_spot(self) -> None:
        """Compare the coins on the spot account with what the carries hold; twice before believing it."""
        engine, now_ms = self.engine, self.engine.clock.now_ms()
        living = engine.alive()
        try:
            totals = {asset: pair[1] for asset, pair in engine.spot.balances().items()}
            lots = {one.facts.pair: engine.spot.rules(one.facts.symbol).lot for one in living}
        except HedgeError as error:
            logger.warning("spot balances not known now: %s", error)
            return
        try:
            self._doubles.watch(totals, [*living, *self._strangers.lately_closed()])
        except VenueUnavailable as error:
            logger.warning("spot orders not known now: %s", error)
            return
        living = engine.alive()
        found = findings(living, Snapshot(totals, {}), lots)
        short = {one.carry_id: one.text for one in found if one.kind is Kind.SPOT_MISSING}
        for carry_id, text in short.items():
            since_ms = self._missing.setdefault(carry_id, now_ms)
            carry = engine.carries[carry_id]
            if now_ms - since_ms >= engine.policy.grace_ms and carry.state is not State.HALTED:
                engine.record(carry, ev.Halted(now_ms, f"spot was taken from the account: {text}"))
        self._missing = {key: at_ms for key, at_ms in self._missing.items() if key in short}


def host_fills(engine: Engine, carry: Carry, host: HostTrade) -> Carry:
    """Journal what freqtrade's orders have filled beyond what is known, and return the carry.

    freqtrade may list an order of an earlier carry: looking for lost orders it goes ten seconds back.
    """
    news = [order for order in host.orders if not _is_told(carry, order)]
    strange = engine.perp_of_others(carry) if news else ()
    for order in news:
        if order.order_id in strange:
            continue
        fact = ev.PerpFilled(
            *(engine.clock.now_ms(), order.order_id, order.qty, order.px, order.fee, order.filled_ms),
            ev.PerpSource.HOST,
            host.trade_id,
        )
        carry = engine.record(carry, fact)
    return carry


def _is_told(carry: Carry, order: HostOrder) -> bool:
    known = carry.perp.get(order.order_id)
    return known is not None and abs(known.qty) >= abs(order.qty) and known.source is ev.PerpSource.HOST

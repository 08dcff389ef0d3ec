"""Watches every append, every order and every verdict, and compares them with the exchanges' truth.

It keeps its own small record of what the journal said, so that a bug of the engine's own bookkeeping
cannot hide itself. A broken invariant raises `Broken`, which nothing may catch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from hedge_leg.core import events as ev
from hedge_leg.core.amounts import ZERO, lots_down
from hedge_leg.core.carry import Carry
from hedge_leg.core.decide import decide, joint_legs
from hedge_leg.core.orders import OrderIntent
from hedge_leg.core.plan import Decision, Policy, Sight
from hedge_leg.core.states import TRANSITIONS, State
from hedge_leg.gate import Verdict
from hedge_leg.simulation.tally import Tally
from hedge_leg.simulation.truth import TrueGap
from hedge_leg.simulation.world import World

_PRICE_SLACK = Decimal("1.1")  # the price may have moved since the engine looked


class Broken(BaseException):
    """An invariant does not hold. `number` is RELIABILITY's, 0 for the simulation's own."""

    def __init__(self, number: int, text: str) -> None:
        """Keep which invariant it was."""
        super().__init__(f"invariant {number}: {text}")
        self.number = number


@dataclass(slots=True)
class Told:
    """What the journal said of one carry."""

    version: int = 0
    state: State = State.IDLE
    pair: str = ""
    traded: bool = False
    troubled: bool = False  # rolled back or halted
    closed_ms: int | None = None
    intents: dict[str, OrderIntent] = field(default_factory=dict)
    closes: dict[str, Decimal] = field(default_factory=dict)
    open_fates: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Monitor:
    """The invariants that show at the moment of an event; `invariants` has the rest."""

    world: World
    tally: Tally
    told: dict[str, Told] = field(default_factory=dict)
    gaps: dict[str, TrueGap] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)

    def attach(self) -> None:
        """Listen to the world."""
        world = self.world
        self.gaps = {market.pair: TrueGap(market) for market in world.perp.markets.values()}
        pairs = {market.rules.symbol: pair for pair, market in world.perp.markets.items()}
        world.journal.watch = self.appended
        world.spot_venue.sending = self.sending_spot
        world.perp_venue.sending = self.sending_perp
        world.spot.moved = lambda symbol, change, at_ms: self.gaps[pairs[symbol]].move(change, ZERO, at_ms)
        world.perp.moved = lambda pair, change, at_ms: self.gaps[pair].move(ZERO, change, at_ms)
        world.host.answered = self.answered
        world.decide = self.decide

    # -- the journal --------------------------------------------------------------------------------------
    def appended(self, carry_id: str, after_version: int, events: Sequence[ev.Event]) -> None:
        """Check a batch that is about to become durable."""
        told = self.told.setdefault(carry_id, Told())
        # 2. The journal versions of a carry are 1..n without a gap.
        if told.version != after_version:
            raise Broken(2, f"carry {carry_id} is at {told.version}, appended after {after_version}")
        told.version += len(events)
        for event in events:
            self._turn(carry_id, told, event)
            self._hear(carry_id, told, event)

    def _turn(self, carry_id: str, told: Told, event: ev.Event) -> None:
        kind = type(event)
        if not any(kind in row for row in TRANSITIONS.values()):
            return
        after = TRANSITIONS[told.state].get(kind)
        if after is None:
            raise Broken(0, f"carry {carry_id}: {kind.__name__} journaled while {told.state}")
        self.tally.add("transition", f"{told.state}->{after} {kind.__name__}")
        told.state = after

    def _hear(self, carry_id: str, told: Told, event: ev.Event) -> None:
        match event:
            case ev.Announced():
                self._announced(carry_id, told, event)
            case ev.PerpFilled():
                told.traded = True
            case ev.SpotIntended(intent=intent):
                if told.open_fates:
                    raise Broken(3, f"{intent.client_id} intended while {told.open_fates} is unknown")
                told.intents[intent.client_id] = intent
                told.open_fates.add(intent.client_id)
            case ev.SpotAnswered():
                self._answer(told, event)
            case ev.SpotRefused(client_id=client_id) | ev.SpotDisproved(client_id=client_id):
                name = "refused" if isinstance(event, ev.SpotRefused) else "disproved"
                self.tally.add("outcome", name)
                self._must_not_exist(client_id, name)
                told.open_fates.discard(client_id)
            case ev.PerpCloseIntended(client_id=client_id, qty=qty):
                told.closes[client_id] = qty
            case ev.PerpCloseResolved(client_id=client_id, text="not found"):
                if any(one.client_id == client_id for one in self.world.perp.deals.get(told.pair, ())):
                    raise Broken(3, f"perp close {client_id} exists and was taken for not placed")
            case ev.SpotOutcomeUnknown() | ev.SpotAbsent():
                known = isinstance(event, ev.SpotAbsent)
                self.tally.add("outcome", "absent" if known else "unknown")
            case ev.RollbackStarted() | ev.Halted():
                told.troubled = True
            case ev.InventoryAdjusted(qty=qty):
                self.gaps[told.pair].move(qty, ZERO, self.world.clock.now_ms())
            case ev.Closed(at_ms=at_ms, dust_qty=dust):
                told.closed_ms = at_ms
                self._left_behind(carry_id, told, dust)
            case _:
                pass

    def _left_behind(self, carry_id: str, told: Told, dust: Decimal) -> None:
        """Take a remainder out of the measure; it must be less than any order could sell."""
        rules, px = self.world.perp.markets[told.pair].rules, self.world.perp.markets[told.pair].spot_px()
        if rules.tradable(lots_down(dust, rules.lot), px / _PRICE_SLACK):
            raise Broken(0, f"carry {carry_id} left {dust} behind, worth {dust * px}")
        self.gaps[told.pair].move(-dust, ZERO, self.world.clock.now_ms())

    def _announced(self, carry_id: str, told: Told, event: ev.Announced) -> None:
        """No entry while anything is unresolved, nor in the cool-down after an unwind."""
        told.pair = event.pair
        self.gaps[event.pair].move(event.inherited_qty, ZERO, self.world.clock.now_ms())
        policy, now_ms = self.world.policy, self.world.clock.now_ms()
        for other_id, other in self.told.items():
            if other_id == carry_id:
                continue
            if other.open_fates:
                raise Broken(0, f"{carry_id} announced while {other.open_fates} of {other_id} is unknown")
            if other.pair != event.pair:
                continue
            if other.closed_ms is None:
                raise Broken(0, f"{carry_id} announced while {other_id} lives")
            wait_ms = policy.cool_down_ms if other.troubled and other.traded else 0
            wait_ms = wait_ms if other.traded else policy.refused_cool_down_ms
            if now_ms < other.closed_ms + wait_ms and not self.world.arrived_late(event.pair):
                raise Broken(
                    0, f"{carry_id} announced {now_ms - other.closed_ms} ms after {other_id} was unwound"
                )

    def _answer(self, told: Told, event: ev.SpotAnswered) -> None:
        order = self.world.spot.find(event.client_id)
        if order is None:
            raise Broken(0, f"{event.client_id} was answered and does not exist")
        if not event.final:
            return
        told.open_fates.discard(event.client_id)
        filled = sum((fill.qty for fill in event.fills), ZERO)
        if not order.final or filled != order.filled_qty:
            raise Broken(
                0, f"{event.client_id} ended with {filled}, truly {order.filled_qty} ({order.final})"
            )
        names = ("not filled", "partly filled", "filled")
        self.tally.add("outcome", names[(filled > ZERO) + (filled == order.intent.qty)])

    def _must_not_exist(self, client_id: str, what: str) -> None:
        order = self.world.spot.find(client_id)
        if order is not None or self.world.spot_venue.on_its_way(client_id):
            raise Broken(3, f"{client_id} was taken for {what} and exists")

    # -- orders -------------------------------------------------------------------------------------------
    def sending_spot(self, intent: OrderIntent) -> None:
        """Check an order that is leaving."""
        # 3. No order leaves without a committed intent that holds its client order id, side, quantity,
        #    limit price and attempt.
        owner = next((one for one in self.told.values() if intent.client_id in one.intents), None)
        if owner is None or owner.intents[intent.client_id] != intent:
            raise Broken(3, f"{intent.client_id} leaves without its intent")
        self._once(intent.client_id)
        if owner.open_fates != {intent.client_id}:
            raise Broken(3, f"{intent.client_id} leaves while {owner.open_fates} are not known")

    def sending_perp(self, pair: str, qty: Decimal, client_id: str) -> None:
        """Check a reduce-only order of ours that is leaving."""
        owner = next((one for one in self.told.values() if client_id in one.closes), None)
        if owner is None or owner.closes[client_id] != qty or owner.pair != pair:
            raise Broken(3, f"perp close {client_id} leaves without its intent")
        self._once(client_id)

    def _once(self, client_id: str) -> None:
        if client_id in self.sent:
            raise Broken(3, f"{client_id} is sent a second time")
        self.sent.add(client_id)

    # -- decisions ----------------------------------------------------------------------------------------
    def answered(self, pair: str, verdict: Verdict) -> None:
        """Count entries that were denied before anything left."""
        del pair
        if not verdict.allowed:
            self.tally.add("outcome", "denied")

    def decide(self, carry: Carry, sight: Sight, policy: Policy) -> Decision:
        """Count which row of the joint table a decision came from."""
        mode = carry.mode
        if mode is not None and carry.order is None and carry.perp_close is None:
            perp, spot = joint_legs(carry, sight, policy, mode)
            self.tally.add("remedy", f"{mode} {perp} {spot}")
        return decide(carry, sight, policy)
